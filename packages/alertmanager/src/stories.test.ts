import { afterEach, describe, expect, it } from 'vitest';
import { TestNode, type TestNodeOptions } from './testing/world.ts';

const ROUTE = `
route: {receiver: hook, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://hook.example/'}]}]
`;

const nodes: TestNode[] = [];

function start(config = ROUTE, options: Partial<TestNodeOptions> = {}): TestNode {
  const node = new TestNode({ config, ...options });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

const HOUR = 3600;
const alert = (name: string, labels: Record<string, string> = {}) => ({
  labels: { alertname: 'Down', name, ...labels },
  endsIn: 10 * HOUR,
});

describe('the times of a group', () => {
  it('waits group_wait, joins what comes meanwhile, then speaks each group_interval of what is new', async () => {
    const node = start();
    await node.fire(alert('a'));
    await node.advance(10);
    await node.fire(alert('b'));
    await node.advance(19);
    expect(node.sent).toEqual([]);
    await node.advance(1);
    expect(node.sent).toEqual(['30s firing:a,b']);
    await node.advance(30);
    await node.fire(alert('c'));
    await node.advance(269);
    expect(node.sent).toHaveLength(1);
    await node.advance(1);
    expect(node.sent.slice(1)).toEqual(['330s firing:a,b,c']);
  });

  it('repeats after repeat_interval at the next group_interval, not before', async () => {
    const node = start();
    await node.fire(alert('a'));
    await node.advance(30 + HOUR - 1);
    expect(node.sent).toEqual(['30s firing:a']);
    // At exactly one hour the entry is not yet older than the interval.
    await node.advance(301);
    expect(node.sent.slice(1)).toEqual(['3930s firing:a']);
  });

  it('tells of the end once and then forgets the group', async () => {
    const node = start();
    await node.fire(alert('a'));
    await node.advance(60);
    await node.fire({ labels: { alertname: 'Down', name: 'a' }, endsIn: 0 });
    await node.advance(2 * HOUR);
    expect(node.sent).toEqual(['30s firing:a', '330s resolved:a']);
    expect(node.metric('alertmanager_dispatcher_aggregation_groups')).toBe(0);
  });

  it('waits group_wait again after the end of all, also while the empty group is still there', async () => {
    const node = start(ROUTE, { settings: { dispatchMaintenanceIntervalMs: HOUR * 1000 } });
    await node.fire(alert('a'));
    await node.advance(60);
    await node.fire({ labels: { alertname: 'Down', name: 'a' }, endsIn: 0 });
    await node.advance(340);
    await node.fire(alert('b'));
    await node.advance(300);
    expect(node.sent).toEqual(['30s firing:a', '330s resolved:a', '430s firing:b']);
  });

  it('sends anew, as a first notification, when an alert fires again after its end', async () => {
    const node = start();
    await node.fire(alert('a'));
    await node.advance(60);
    await node.fire({ labels: { alertname: 'Down', name: 'a' }, endsIn: 0 });
    await node.advance(600);
    await node.fire(alert('a'));
    await node.advance(600);
    expect(node.sent.map((line) => line.replace(/^\S+ /, ''))).toEqual([
      'firing:a',
      'resolved:a',
      'firing:a',
    ]);
    expect(await node.reasons()).toEqual([
      'first notification',
      'all alerts resolved',
      'first notification',
    ]);
  });
});

describe('routes', () => {
  it('go to the first matching child, and on when it continues; else to the parent', async () => {
    const node = start(`
route:
  receiver: base
  group_wait: 1s
  routes:
    - {matchers: [team="db"], receiver: db, continue: true}
    - {matchers: ['severity=~"crit.*"'], receiver: pager}
    - {matchers: [team="db"], receiver: never}
receivers:
  - {name: base, webhook_configs: [{url: 'http://hook/base'}]}
  - {name: db, webhook_configs: [{url: 'http://hook/db'}]}
  - {name: pager, webhook_configs: [{url: 'http://hook/pager'}]}
  - {name: never, webhook_configs: [{url: 'http://hook/never'}]}
`);
    await node.fire(alert('a', { team: 'db', severity: 'critical' }), alert('b'));
    await node.advance(2);
    expect(node.net.deliveries.map(({ url }) => url).sort()).toEqual([
      'http://hook/base',
      'http://hook/db',
      'http://hook/pager',
    ]);
  });
});

describe('inhibition', () => {
  const CONFIG = `${ROUTE}
inhibit_rules:
  - {source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [host]}
`;

  it('mutes the target while any source with equal labels fires', async () => {
    const node = start(CONFIG);
    await node.fire(
      alert('s1', { severity: 'critical', host: 'h1', alertname: 'S1' }),
      alert('s2', { severity: 'critical', host: 'h1', alertname: 'S2' }),
      alert('t', { severity: 'warning', host: 'h1', alertname: 'T' }),
      alert('u', { severity: 'warning', host: 'h2', alertname: 'U' }),
    );
    await node.advance(31);
    expect([...node.sent].sort()).toEqual(['30s firing:s1', '30s firing:s2', '30s firing:u']);
    // One of two sources ends: the other still inhibits.
    await node.fire({
      labels: { alertname: 'S2', name: 's2', severity: 'critical', host: 'h1' },
      endsIn: 0,
    });
    await node.advance(400);
    expect(node.sent.some((line) => line.includes('firing:t'))).toBe(false);
    await node.fire({
      labels: { alertname: 'S1', name: 's1', severity: 'critical', host: 'h1' },
      endsIn: 0,
    });
    await node.advance(400);
    expect(node.sent.some((line) => line.includes('firing:t'))).toBe(true);
  });

  it('does not let an alert that is source and target inhibit itself or its like', async () => {
    const node = start(`${ROUTE}
inhibit_rules: [{source_matchers: [severity="critical"], target_matchers: [severity="critical"]}]
`);
    await node.fire(alert('a', { severity: 'critical' }), alert('b', { severity: 'critical' }));
    await node.advance(31);
    expect(node.sent).toEqual(['30s firing:a,b']);
  });

  it('takes a label missing on both sides as equal', async () => {
    const node = start(CONFIG);
    await node.fire(
      alert('s', { severity: 'critical', alertname: 'S' }),
      alert('t', { severity: 'warning', alertname: 'T' }),
    );
    await node.advance(31);
    expect(node.sent).toEqual(['30s firing:s']);
  });
});

describe('time intervals', () => {
  const config = (key: string): string => `
route:
  receiver: hook
  routes: [{receiver: hook, group_wait: 10s, group_interval: 1m, ${key}: [office]}]
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/'}]}]
time_intervals:
  - name: office
    time_intervals: [{weekdays: ['monday:friday'], times: [{start_time: '10:05', end_time: '18:00'}]}]
`;

  it('mute while they hold', async () => {
    const node = start(config('mute_time_intervals'));
    await node.advance(300);
    await node.fire({ ...alert('a'), endsIn: 24 * HOUR });
    await node.advance(HOUR);
    expect(node.sent).toEqual([]);
    await node.advance(7 * HOUR);
    expect(node.sent).toHaveLength(1);
    expect(node.seconds).toBeGreaterThan(8 * HOUR);
  });

  it('let pass only while an active one holds', async () => {
    const node = start(config('active_time_intervals'));
    await node.fire(alert('a'));
    await node.advance(299);
    expect(node.sent).toEqual([]);
    await node.advance(61);
    expect(node.sent).toEqual(['310s firing:a']);
  });
});

describe('a receiver in trouble', () => {
  it('is tried again after a server error, with growing pauses, and logged once it took the message', async () => {
    const node = start();
    let failures = 3;
    node.net.endpoint = () => ({ status: failures-- > 0 ? 503 : 200 });
    await node.fire(alert('a'));
    await node.advance(60);
    expect(node.net.deliveries).toHaveLength(4);
    const times = node.net.deliveries.map(({ timeMs }) => timeMs);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(250);
    expect(times[1]! - times[0]!).toBeLessThanOrEqual(750);
    expect(times[3]! - times[2]!).toBeLessThanOrEqual(1125 * 1.5);
    await node.advance(1000);
    expect(node.net.deliveries).toHaveLength(4);
  });

  it('is not tried again after a client error before the next group_interval', async () => {
    const node = start();
    node.net.endpoint = () => ({ status: 400, body: 'no' });
    await node.fire(alert('a'));
    await node.advance(300);
    expect(node.net.deliveries).toHaveLength(1);
    await node.advance(31);
    expect(node.net.deliveries).toHaveLength(2);
    const [attempt] = (await node.request('GET', '/api/v2/pollux/notifications')).json as {
      result: string;
      error: string;
    }[];
    expect(attempt).toMatchObject({ result: 'failed', error: 'unexpected status code 400: no' });
  });

  it('that hangs is given up when the flush ends, and does not hold other receivers', async () => {
    const node = start(
      ROUTE.replace("url: 'http://hook.example/'}", "url: 'http://dead/'}, {url: 'http://live/'}"),
    );
    node.net.endpoint = ({ url }) => (url.includes('dead') ? 'silent' : { status: 200 });
    await node.fire(alert('a'));
    await node.advance(31);
    expect(node.net.deliveries.map(({ url }) => url)).toEqual(['http://dead/', 'http://live/']);
    await node.advance(301);
    // The live one has had its message; the dead one is tried anew.
    expect(node.net.deliveries.map(({ url }) => url).slice(2)).toEqual(['http://dead/']);
  });

  it('without wish for resolved alerts gets none, and is told of the next firing as of a first one', async () => {
    const node = start(ROUTE.replace("url: '", "send_resolved: false, url: '"));
    await node.fire(alert('a'));
    await node.advance(31);
    await node.fire({ labels: { alertname: 'Down', name: 'a' }, endsIn: 0 });
    await node.advance(HOUR);
    expect(node.sent).toEqual(['30s firing:a']);
    await node.fire(alert('a'));
    await node.advance(31);
    expect(await node.reasons()).toEqual(['first notification', 'first notification']);
  });
});

describe('reloading', () => {
  it('keeps the old configuration when the new one is refused, and does not send twice after a good one', async () => {
    const node = start();
    await node.fire(alert('a'));
    await node.advance(31);
    node.configText = 'route: {receiver: nobody}';
    const refused = await node.request('POST', '/-/reload');
    expect(refused.status).toBe(500);
    expect(refused.text).toContain('undefined receiver "nobody" used in route');
    node.configText = `${ROUTE}\ninhibit_rules: []\n`;
    expect((await node.request('POST', '/-/reload')).status).toBe(200);
    await node.advance(HOUR / 2);
    expect(node.sent).toEqual(['30s firing:a']);
  });

  it('lets a message under way end before the same group is looked at again', async () => {
    const node = start(ROUTE.replace('group_wait: 30s', 'group_wait: 1s'));
    let failures = 4;
    node.net.endpoint = () => ({ status: failures-- > 0 ? 503 : 200 });
    await node.fire(alert('a'));
    await node.advance(2.5);
    const before = node.net.deliveries.length;
    expect(before).toBeLessThan(5);
    // Twice, so that the second new one hears of it through the first.
    await node.request('POST', '/-/reload');
    await node.request('POST', '/-/reload');
    await node.advance(60);
    // Exactly one of them was accepted.
    expect(node.net.deliveries).toHaveLength(5);
  });
});

describe('a restart', () => {
  it('remembers silences and what was sent', async () => {
    const node = start();
    const id = await node.silence(['name=b'], HOUR);
    await node.fire(alert('a'), alert('b'));
    await node.advance(31);
    await node.close();
    const again = start(ROUTE, { clock: node.clock, directory: node.directory });
    await again.fire({ ...alert('a'), startsIn: -31 }, { ...alert('b'), startsIn: -31 });
    await again.advance(60);
    expect(again.sent).toEqual([]);
    const silences = (await again.request('GET', '/api/v2/silences')).json as { id: string }[];
    expect(silences.map((silence) => silence.id)).toEqual([id]);
  });

  it('on a damaged snapshot is refused with the name of the file', async () => {
    const node = start();
    await node.silence(['name=b'], HOUR);
    await node.close();
    const { writeFileSync, readFileSync } = await import('node:fs');
    const path = `${node.directory}/silences`;
    writeFileSync(path, readFileSync(path).subarray(0, 20));
    expect(() => new TestNode({ config: ROUTE, directory: node.directory })).toThrow(
      /silences: the snapshot is damaged/,
    );
  });
});
