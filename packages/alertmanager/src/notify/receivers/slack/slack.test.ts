import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../../../testing/world.ts';

let node: TestNode | null = null;
afterEach(async () => {
  await node?.close();
  node?.removeDirectory();
  node = null;
});

const TEXTS = 'title: t, title_link: "", text: x, fallback: f, username: "", footer: ""';

function start(settings: string, global = ''): TestNode {
  node = new TestNode({
    config: `
global: {${global}}
route: {receiver: r, group_wait: 1s, group_by: [alertname], group_interval: 1m}
receivers: [{name: r, slack_configs: [{channel: '#ops', send_resolved: true, ${TEXTS}, ${settings}}]}]
`,
  });
  return node;
}

const accepted = (ts: string) => ({
  status: 200,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: JSON.stringify({ ok: true, ts, channel: 'C42' }),
});

describe('Slack', () => {
  it('changes the message of a group in place, over a restart too', async () => {
    const settings =
      'api_url: "https://slack.com/api/chat.postMessage", update_message: true, http_config: {authorization: {credentials: xoxb-1}}';
    const world = start(settings);
    world.net.endpoint = () => accepted('1.5');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 90 });
    await world.advance(5);
    const { directory, clock, configText } = world;
    await world.close();
    node = new TestNode({ config: configText, clock, directory });
    const second = node;
    second.net.endpoint = () => accepted('1.5');
    await second.fire({ labels: { alertname: 'Down' }, endsIn: 60 });
    await second.advance(200);
    const [first] = world.net.deliveries;
    expect(first?.url).toBe('https://slack.com/api/chat.postMessage');
    const last = second.net.deliveries.at(-1);
    expect(last?.url).toBe('https://slack.com/api/chat.update');
    expect(JSON.parse(last!.body)).toMatchObject({ channel: 'C42', ts: '1.5' });
    expect(last?.headers.authorization).toBe('Bearer xoxb-1');
    // A new conversation begins with a new message.
    await second.fire({ labels: { alertname: 'Down' }, endsIn: 600 });
    await second.advance(70);
    expect(second.net.deliveries.at(-1)?.url).toBe('https://slack.com/api/chat.postMessage');
  });

  it('takes the global app token and its address', async () => {
    const world = start('color: red', 'slack_app_token: xoxb-2');
    world.net.endpoint = () => accepted('1');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 90 });
    await world.advance(5);
    expect(world.net.deliveries[0]).toMatchObject({
      url: 'https://slack.com/api/chat.postMessage',
      headers: { authorization: 'Bearer xoxb-2' },
    });
  });

  it.each([
    ['text', 'no_service', 'received an error response from Slack: no_service', 1],
    [
      'application/json',
      '{"ok":false,"error":"channel_not_found"}',
      'error response from Slack: channel_not_found',
      1,
    ],
    ['application/json', '<html>', 'could not unmarshal JSON response', 2],
  ])('that answers %s %s has refused', async (type, body, message, attempts) => {
    const world = start('api_url: "http://slack/services/x1"');
    let count = 0;
    world.net.endpoint = () =>
      count++ === 0
        ? { status: 200, headers: { 'content-type': type }, body }
        : { status: 200, headers: {}, body: 'ok' };
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 600 });
    await world.advance(30);
    expect(await world.results()).toMatchObject([{ attempts }]);
    expect(world.logged.join('\n')).toContain(`channel \\"#ops\\": ${message}`);
  });

  it('gets a title of at most 1,024 characters', async () => {
    const world = start('api_url: "http://slack/services/x1"'.replace('t,', 't,'));
    world.applyConfig(world.configText.replace('title: t', "title: '{{ .CommonAnnotations.t }}'"));
    world.net.endpoint = () => ({ status: 200, body: 'ok' });
    await world.fire({
      labels: { alertname: 'Down' },
      annotations: { t: '字'.repeat(2000) },
      endsIn: 600,
    });
    await world.advance(30);
    const { title } = JSON.parse(world.net.deliveries[0]!.body).attachments[0];
    expect([...title]).toHaveLength(1024);
    expect(title.endsWith('字…')).toBe(true);
    expect(world.logged.join('\n')).toContain('Truncated title');
  });
});
