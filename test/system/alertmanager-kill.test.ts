import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from './running-role.ts';

const scratch = new Scratch();
const bodies: string[] = [];
let hook: Server;
let config = '';

beforeAll(async () => {
  hook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      bodies.push(body);
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const { port } = hook.address() as AddressInfo;
  config = scratch.file(
    'alertmanager.yml',
    `route: {receiver: hook, group_by: [alertname], group_wait: 300ms, group_interval: 3s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:${port}/'}]}]
`,
  );
});

afterAll(async () => {
  await new Promise((resolve) => hook.close(resolve));
  scratch.remove();
});

const start = (): Promise<RunningRole> =>
  RunningRole.start([
    'alertmanager',
    `--config.file=${config}`,
    `--storage.path=${scratch.at('data')}`,
    '--web.listen-address=127.0.0.1:0',
    '--cluster.listen-address=',
  ]);

const alerts = (...names: readonly string[]): string =>
  JSON.stringify(
    names.map((name) => ({
      labels: { alertname: 'Down', name },
      endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    })),
  );

const named = (text: string): string[] =>
  (JSON.parse(text) as { labels: { name: string } }[]).map(({ labels }) => labels.name).sort();

const JSON_TYPE = { 'content-type': 'application/json' };

it('after kill -9 an alertmanager has its alerts, silences and groups, and repeats no message', async () => {
  const first = await start();
  expect((await first.post('/api/v2/alerts', alerts('a'), JSON_TYPE)).status).toBe(200);
  await eventually('the first message', 10_000, async () => (bodies.length > 0 ? true : null));
  const silence = {
    matchers: [{ name: 'name', value: 'quiet', isRegex: false }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: 'test',
    comment: 'test',
  };
  const made = await first.post('/api/v2/silences', JSON.stringify(silence), JSON_TYPE);
  expect(made.status).toBe(200);
  expect((await first.post('/api/v2/alerts', alerts('b', 'quiet'), JSON_TYPE)).status).toBe(200);
  await first.end('SIGKILL');

  const second = await start();
  expect(named((await second.get('/api/v2/alerts')).text)).toEqual(['a', 'b', 'quiet']);
  await eventually('the next message', 10_000, async () => (bodies.length > 1 ? true : null));
  const { notification_reason, alerts: told } = JSON.parse(bodies[1]!) as {
    notification_reason: string;
    alerts: { labels: { name: string } }[];
  };
  expect(notification_reason).toBe('new alerts added');
  expect(told.map(({ labels }) => labels.name)).toEqual(['a', 'b']);
  await second.end();
  expect(bodies).toHaveLength(2);
});
