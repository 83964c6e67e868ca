import { VirtualClock } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeCluster } from '../testing/fake-cluster.ts';
import { START_MS, TestNode, type TestNodeOptions } from '../testing/world.ts';
import type { AlertExplanation } from './explain.ts';

const CONFIG = `
route:
  receiver: everyone
  group_by: [alertname]
  group_wait: 10s
  group_interval: 5m
  repeat_interval: 1h
  routes:
    - matchers: [team="a"]
      receiver: team-a
      continue: true
    - matchers: [team=~"a|b"]
      receiver: pager
      mute_time_intervals: [lunch]
receivers:
  - {name: everyone, webhook_configs: [{url: 'http://hook/everyone'}]}
  - {name: team-a, webhook_configs: [{url: 'http://hook/a'}, {url: 'http://hook/a2', send_resolved: false}]}
  - {name: pager, webhook_configs: [{url: 'http://hook/pager'}]}
inhibit_rules:
  - {name: node-down, source_matchers: [alertname="NodeDown"], target_matchers: [severity="warning"], equal: [node]}
time_intervals:
  - name: lunch
    time_intervals: [{times: [{start_time: '12:00', end_time: '13:10'}]}]
`;

const nodes: TestNode[] = [];

function start(options: Partial<TestNodeOptions> = {}): TestNode {
  const node = new TestNode({ config: CONFIG, ...options });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

async function explain(node: TestNode, filter: string): Promise<AlertExplanation> {
  const answer = await node.request('GET', `/api/v3/explain?filter=${encodeURIComponent(filter)}`);
  expect(answer.status, answer.text).toBe(200);
  const { alerts } = answer.json as { alerts: AlertExplanation[] };
  expect(alerts).toHaveLength(1);
  return alerts[0]!;
}

const inhours = (hours: number): number => hours * 3_600;

describe('an explanation', () => {
  it('names every route that takes the alert with the way to it, its group and its next flush', async () => {
    const node = start();
    await node.fire({ labels: { alertname: 'Down', team: 'a' }, endsIn: inhours(10) });
    await node.advance(1);
    const { routes, status } = await explain(node, 'team="a"');
    expect(status).toBe('firing');
    expect(routes.map(({ receiver, path, group }) => ({ receiver, path, key: group.key }))).toEqual(
      [
        {
          receiver: 'team-a',
          path: [
            { matchers: '{}', continue: false },
            { matchers: '{team="a"}', continue: true },
          ],
          key: '{}/{team="a"}:{alertname="Down"}',
        },
        {
          receiver: 'pager',
          path: [
            { matchers: '{}', continue: false },
            { matchers: '{team=~"a|b"}', continue: false },
          ],
          key: '{}/{team=~"a|b"}:{alertname="Down"}',
        },
      ],
    );
    expect(routes[0]!.state).toMatchObject({
      nextFlush: { at: '2026-01-05T10:00:10.000Z', because: 'group_wait' },
      lastFlush: null,
      withheld: null,
      integrations: [
        {
          integration: 'webhook[0]',
          log: null,
          now: { isDue: true, because: 'first notification' },
          lastAttempts: [],
        },
        { integration: 'webhook[1]', sendResolved: false },
      ],
    });
  });

  it('tells after a notification why it is not sent again, when it will be, and what the attempts gave', async () => {
    const node = start();
    await node.fire({ labels: { alertname: 'Down' }, endsIn: inhours(10) });
    await node.advance(20);
    const { routes } = await explain(node, 'alertname="Down"');
    expect(routes[0]!.state).toMatchObject({
      nextFlush: { at: '2026-01-05T10:05:10.000Z', because: 'group_interval' },
      lastFlush: '2026-01-05T10:00:10.000Z',
      integrations: [
        {
          log: {
            notifiedAt: '2026-01-05T10:00:10.000Z',
            firing: 1,
            resolved: 0,
            alertIsIn: 'firing',
          },
          now: { isDue: false, because: 'notified already', repeatAt: '2026-01-05T11:00:10.000Z' },
          lastAttempts: [{ reason: 'first notification', result: 'sent', attempts: 1 }],
        },
      ],
    });
  });

  it('says what a flush does: its word on repeating comes true', async () => {
    const node = start();
    await node.fire({ labels: { alertname: 'Down' }, endsIn: inhours(10) });
    await node.advance(3_700);
    // Flushed at 10:55:10 and 11:00:10, the latter exactly at the bound and so not after it.
    const early = await explain(node, 'alertname="Down"');
    expect(early.routes[0]!.state!.integrations[0]!.now!.isDue).toBe(true);
    expect(early.routes[0]!.state!.nextFlush.at).toBe('2026-01-05T11:05:10.000Z');
    expect(node.sent).toHaveLength(1);
    await node.advance(300);
    expect(node.sent).toEqual(['10s firing:Down', '3910s firing:Down']);
  });

  it('names the alert and the rule that inhibit, and the silences that silence', async () => {
    const node = start();
    await node.fire(
      { labels: { alertname: 'NodeDown', node: 'n1' }, endsIn: inhours(10) },
      { labels: { alertname: 'Slow', node: 'n1', severity: 'warning' }, endsIn: inhours(10) },
      { labels: { alertname: 'Slow', node: 'n2', severity: 'warning' }, endsIn: inhours(10) },
    );
    const id = await node.silence(['node=n2'], 3_600);
    const inhibited = await explain(node, '{alertname="Slow",node="n1"}');
    expect(inhibited.inhibitedBy).toMatchObject({
      labels: { alertname: 'NodeDown', node: 'n1' },
      rule: {
        name: 'node-down',
        source: '{alertname="NodeDown"}',
        target: '{severity="warning"}',
        equal: ['node'],
      },
    });
    const { fingerprint } = inhibited.inhibitedBy!;
    expect(inhibited.routes[0]!.state!.withheld).toEqual({
      reason: 'inhibition',
      by: [fingerprint],
    });
    const silenced = await explain(node, '{alertname="Slow",node="n2"}');
    expect(silenced.silencedBy).toMatchObject([
      { id, matchers: '{node="n2"}', createdBy: 'tester' },
    ]);
    expect(silenced.routes[0]!.state!.withheld).toEqual({ reason: 'silence', by: [id] });
    // Both are withheld, so that no integration would be asked at all.
    expect(silenced.routes[0]!.state!.integrations[0]!.now).toBeNull();
  });

  it('tells which interval mutes a route and until when', async () => {
    const node = start();
    await node.fire({ labels: { alertname: 'Down', team: 'b' }, endsIn: inhours(10) });
    const before = await explain(node, 'team="b"');
    expect(before.routes[0]!.times).toEqual({
      isMuted: false,
      by: [],
      until: '2026-01-05T12:00:00.000Z',
    });
    await node.advance(inhours(2) + 60);
    const during = await explain(node, 'team="b"');
    expect(during.routes[0]!.times).toEqual({
      isMuted: true,
      by: ['lunch'],
      until: '2026-01-05T13:10:00.000Z',
    });
    expect(during.routes[0]!.state!.withheld).toEqual({
      reason: 'mute_time_interval',
      by: ['lunch'],
    });
  });

  it('is the same of two alerts in one group for what the group does', async () => {
    const node = start();
    const ends = { endsIn: inhours(10) };
    await node.fire({ labels: { alertname: 'Down', n: '1' }, ...ends });
    await node.advance(20);
    await node.fire({ labels: { alertname: 'Down', n: '2' }, ...ends });
    const answer = await node.request('GET', '/api/v3/explain?filter=alertname%3D"Down"');
    const { alerts } = answer.json as { alerts: AlertExplanation[] };
    const seen = alerts.map(({ labels, routes }) => {
      const [integration] = routes[0]!.state!.integrations;
      return [labels.n, integration!.log!.alertIsIn, integration!.now!.because];
    });
    expect(seen).toEqual([
      ['1', 'firing', 'new alerts added'],
      ['2', 'neither', 'new alerts added'],
    ]);
  });

  it('shows a delivery that fails at this moment', async () => {
    const node = start();
    node.net.endpoint = () => ({ status: 503 });
    await node.fire({ labels: { alertname: 'Down' }, endsIn: inhours(10) });
    await node.advance(15);
    const { routes } = await explain(node, 'alertname="Down"');
    const { underWay } = routes[0]!.state!.integrations[0]!;
    expect(underWay!.attempt).toBeGreaterThan(2);
    expect(underWay!.error).toContain('503');
    node.net.endpoint = () => ({ status: 200 });
    await node.advance(60);
    const after = await explain(node, 'alertname="Down"');
    expect(after.routes[0]!.state!.integrations[0]!.underWay).toBeNull();
  });

  it('changes nothing: no metric of withheld alerts moves and nothing is sent', async () => {
    const node = start();
    await node.fire({ labels: { alertname: 'Down' }, endsIn: inhours(10) });
    await node.silence(['alertname=Down'], 3_600);
    for (let i = 0; i < 5; i++) await explain(node, 'alertname="Down"');
    const family = node.registry
      .gather()
      .find(({ name }) => name === 'alertmanager_notifications_suppressed_total');
    expect(family!.samples.map(({ value }) => value)).toEqual([0, 0, 0, 0]);
    expect(node.sent).toEqual([]);
  });

  it('tells the place in the cluster and the wait that comes with it', async () => {
    const clock = new VirtualClock(START_MS);
    const cluster = new FakeCluster(clock, { delayMs: 100 });
    cluster.join('A');
    const node = start({ clock, cluster: cluster.join('B'), settings: { peerTimeoutMs: 15_000 } });
    await node.fire({ labels: { alertname: 'Down' }, endsIn: inhours(10) });
    const { member } = await explain(node, 'alertname="Down"');
    expect(member).toMatchObject({ name: 'B', position: 1, waitSeconds: 15 });
  });
});

describe('what is asked for', () => {
  it('may be an alert that does not exist: the routes for its labels', async () => {
    const node = start();
    const answer = await node.request('POST', '/api/v3/explain', { labels: { team: 'b' } });
    expect(answer.json).toMatchObject({
      routes: [{ receiver: 'pager', group: { key: '{}/{team=~"a|b"}:{}' } }],
      inhibitedBy: null,
      silencedBy: [],
    });
  });

  it.each([
    ['GET', '/api/v3/explain', undefined, 400, 'filter'],
    ['GET', '/api/v3/explain?filter=a%3D~%22(%22', undefined, 400, 'filter'],
    ['GET', '/api/v3/explain?fingerprint=0123456789abcdef', undefined, 404, 'fingerprint'],
    ['GET', '/api/v3/explain?filter=a%3D%22b%22&limit=0', undefined, 400, 'limit'],
    ['POST', '/api/v3/explain', { labels: {} }, 400, 'labels'],
    ['POST', '/api/v3/explain', { labels: { a: 1 } }, 400, 'labels.a'],
    ['POST', '/api/v3/explain', { labels: { a: 'b' }, label: {} }, 400, 'label'],
    ['POST', '/api/v3/explain', '{', 400, ''],
  ])('%s %s %j is refused with its field', async (method, path, body, status, field) => {
    const answer = await start().request(method, path, body);
    expect(answer.status).toBe(status);
    expect((answer.json as { error: { field: string } }).error.field).toBe(field);
  });
});
