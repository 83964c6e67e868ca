import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../testing/world.ts';

const CONFIG = `
route:
  receiver: everyone
  group_by: [alertname]
  group_wait: 10s
  routes: [{matchers: [team="a"], receiver: team-a}, {matchers: [team="old"], receiver: everyone}]
receivers: [{name: everyone, webhook_configs: [{url: 'http://hook/'}]}, {name: team-a, webhook_configs: [{url: 'http://hook/a'}]}]
`;

const nodes: TestNode[] = [];

async function start(): Promise<TestNode> {
  const node = new TestNode({ config: CONFIG });
  nodes.push(node);
  for (const team of ['a', 'b', 'c']) {
    await node.fire({ labels: { alertname: 'Down', team, severity: 'warning' }, endsIn: 36_000 });
  }
  await node.fire({ labels: { alertname: 'Dead' }, endsIn: 36_000 });
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

async function check(node: TestNode, config: string): Promise<Record<string, unknown>> {
  const answer = await node.request('POST', '/api/v3/config/check', { config });
  expect(answer.status, answer.text).toBe(200);
  return answer.json as Record<string, unknown>;
}

describe('a configuration that is tried', () => {
  it('changes nothing when it is the one in force', async () => {
    const node = await start();
    expect(await check(node, CONFIG)).toEqual({
      isValid: true,
      warnings: [],
      receivers: { added: [], removed: [] },
      routes: { added: [], removed: [], changed: [] },
      inhibitRules: { before: 0, after: 0 },
      alerts: { alerts: 4, changed: 0, shown: [] },
    });
  });

  it('names the alerts that go elsewhere, into other groups, at other times, or are inhibited', async () => {
    const node = await start();
    const wanted = `
route:
  receiver: everyone
  group_by: [alertname]
  group_wait: 10s
  routes:
    - {matchers: [team="a"], receiver: team-a, repeat_interval: 1h}
    - {matchers: [team="b"], receiver: team-b, group_by: [team]}
inhibit_rules: [{source_matchers: [alertname="Dead"], target_matchers: [team="c"]}]
receivers: [{name: everyone}, {name: team-a}, {name: team-b}]
`;
    const found = await check(node, wanted);
    expect(found).toMatchObject({
      receivers: { added: ['team-b'], removed: [] },
      routes: {
        added: ['{}/{team="b"}'],
        removed: ['{}/{team="old"}'],
        changed: [
          { route: '{}/{team="a"}', field: 'repeatIntervalSeconds', before: 14_400, after: 3_600 },
        ],
      },
      inhibitRules: { before: 0, after: 1 },
      alerts: { alerts: 4, changed: 3 },
    });
    const { shown } = found.alerts as {
      shown: { labels: { team: string }; changes: string[]; after: { destinations: object[] } }[];
    };
    expect(Object.fromEntries(shown.map((item) => [item.labels.team, item.changes]))).toEqual({
      a: ['times'],
      b: ['receiver', 'group'],
      c: ['inhibition'],
    });
    expect(shown.find(({ labels }) => labels.team === 'b')!.after.destinations).toMatchObject([
      { receiver: 'team-b', groupKey: '{}/{team="b"}:{team="b"}' },
    ]);
  });

  it('is not applied: routes, receivers and notifications stay as they are', async () => {
    const node = await start();
    const before = (await node.request('GET', '/api/v2/status')).json as { config: object };
    await check(
      node,
      "route: {receiver: x}\nreceivers: [{name: x, webhook_configs: [{url: 'http://x/'}]}]",
    );
    const after = (await node.request('GET', '/api/v2/status')).json as { config: object };
    expect(after.config).toEqual(before.config);
    await node.advance(30);
    expect(node.sent).toHaveLength(3);
    expect(node.net.deliveries.every(({ url }) => url.startsWith('http://hook/'))).toBe(true);
  });

  it.each([
    [
      'route: {receiver: x}\nreceivers: []',
      /undefined receiver "x"/,
      /^alertmanager\.yml:\d+:\d+$/,
    ],
    ['route: [', /./, /^alertmanager\.yml:\d+/],
    [
      'route: {receiver: x, grup_by: [a]}\nreceivers: [{name: x}]',
      /grup_by/,
      /^alertmanager\.yml:1:/,
    ],
    [
      "route: {receiver: x}\nreceivers: [{name: x}]\ntemplates: ['/etc/pass*']",
      /outside the configuration/,
      /^templates$/,
    ],
    [
      "route: {receiver: x}\nreceivers: [{name: x}]\ntemplates: ['../../x.tmpl']",
      /outside the configuration/,
      /^templates$/,
    ],
  ])('is refused with the place: %j', async (config, message, place) => {
    const found = await check(await start(), config);
    expect(found.isValid).toBe(false);
    const error = found.error as { message: string; place: string };
    expect(error.message).toMatch(message);
    expect(error.place).toMatch(place);
  });

  it('needs a text, and knows its fields', async () => {
    const node = await start();
    for (const [body, field] of [
      [{}, 'config'],
      [{ config: CONFIG, apply: true }, 'apply'],
    ] as const) {
      const answer = await node.request('POST', '/api/v3/config/check', body);
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ error: { field } });
    }
  });
});
