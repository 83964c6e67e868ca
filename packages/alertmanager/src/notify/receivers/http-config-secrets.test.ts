import { generateKeyPairSync } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import type { Endpoint } from '../../testing/fake-net.ts';
import { TestNode } from '../../testing/world.ts';

let node: TestNode | null = null;
afterEach(async () => {
  await node?.close();
  node?.removeDirectory();
  node = null;
});

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = JSON.stringify(privateKey.export({ type: 'pkcs8', format: 'pem' }));
const KEY_PART = PEM.slice(200, 240);
const JWT = 'grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer"';
const TOKEN = 'token_url: "http://auth/"';

/** An endpoint for tokens that gives one; all else quotes what it was given. */
const quoting: Endpoint = ({ url, headers, body }) =>
  url === 'http://auth/'
    ? { status: 200, body: '{"access_token":"hidden-token"}' }
    : { status: 400, body: `refused ${url} ${JSON.stringify(headers)} ${body}` };

/** One that quotes too, and refuses. */
const refusing: Endpoint = ({ url, headers, body }) => ({
  status: 401,
  body: JSON.stringify({
    error: `refused ${url} ${body}`,
    error_description: JSON.stringify(headers),
  }),
});

it.each([
  '{basic_auth: {username: u, password: hidden-pw}}',
  '{authorization: {credentials: hidden-pw}}',
  '{bearer_token: hidden-pw}',
  '{http_headers: {X-Key: {secrets: [hidden-pw]}}}',
  "{proxy_url: 'http://u:hidden-pw@proxy:1', proxy_connect_header: {X-Key: [hidden-header]}}",
  `{oauth2: {client_id: i, client_secret: hidden-pw, ${TOKEN}, proxy_url: 'http://u:hidden-pw@proxy:1'}}`,
  `{oauth2: {client_id: i, client_certificate_key: ${PEM}, ${JWT}, ${TOKEN}}}`,
  `{oauth2: {client_id: i, client_certificate_key: hidden-pw, ${JWT}, ${TOKEN}}}`,
  '{tls_config: {cert: c, key: hidden-pw}}',
])('no secret of an http_config is shown: %s', async (http) => {
  for (const endpoint of [quoting, refusing]) {
    node = new TestNode({
      config: `
global: {http_config: ${http}}
route: {receiver: r, group_wait: 1s, group_interval: 2m}
receivers: [{name: r, webhook_configs: [{url: 'http://x/'}, {url: 'http://y/', http_config: ${http}}]}]
`,
    });
    const world = node;
    world.net.endpoint = endpoint;
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(20);
    const paths = [
      '/api/v2/status',
      '/api/v2/pollux/notifications',
      '/api/v3/history',
      '/api/v3/dead-letters',
      '/metrics',
    ];
    const answers = await Promise.all(paths.map((path) => world.request('GET', path)));
    const test = world.request('POST', '/api/v3/receivers/r/test', {});
    await world.advance(20);
    const check = await world.request('POST', '/api/v3/config/check', {
      config: world.configText.replaceAll("'http://y/'", 'ftp://z/hidden-1'),
    });
    const texts = [...answers, await test, check].map(({ text }) => text);
    const shown = [...world.logged, ...texts].join('\n').split('\n');
    expect(shown.join()).toMatch(/Notify failed|will retry later/);
    expect(answers[0]?.text).toMatch(/<secret>|u:xxxxx@/);
    expect(shown.filter((line) => line.includes('hidden-') || line.includes(KEY_PART))).toEqual([]);
    await world.close();
    world.removeDirectory();
  }
});

it.each([
  "{url: 'http://x/hooks/hidden-1?token=hidden-2'}",
  "{url: 'http://x/hooks/hidden-1/{{ .CommonLabels.alertname }}?token=hidden-2'}",
])('no part of a webhook address is shown: %s', async (webhook) => {
  node = new TestNode({
    config: `
route: {receiver: r, group_wait: 1s, group_interval: 2m}
receivers: [{name: r, webhook_configs: [${webhook}]}]
`,
  });
  const world = node;
  let isReached = true;
  world.net.endpoint = (delivery) => (isReached ? quoting(delivery) : 'refused');
  await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
  await world.advance(5);
  isReached = false;
  await world.fire({ labels: { alertname: 'Up' }, endsIn: 3600 });
  await world.advance(125);
  const paths = ['status', 'pollux/notifications'].map((name) => `/api/v2/${name}`);
  const more = ['history', 'dead-letters', 'outbox'].map((name) => `/api/v3/${name}`);
  const answers = await Promise.all(
    [...paths, ...more, '/metrics'].map((path) => world.request('GET', path)),
  );
  const shown = [...world.logged, ...answers.map(({ text }) => text)].join('\n');
  expect(shown).toContain('Notify failed');
  expect(shown).toContain('will retry later');
  expect(answers[0]?.text).toContain('<secret>');
  expect(shown.split('\n').filter((line) => line.includes('hidden-'))).toEqual([]);
});
