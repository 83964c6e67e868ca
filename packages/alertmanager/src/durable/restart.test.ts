import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { VirtualClock } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeCluster } from '../testing/fake-cluster.ts';
import { Lives } from '../testing/lives.ts';
import { START_MS, TestNode, type TestNodeOptions } from '../testing/world.ts';

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'http://hook.example/'}]}]
`;
const HOUR = 3600;

const running: Lives[] = [];

function begin(options: Partial<TestNodeOptions> = {}): Lives {
  const lives = new Lives({ config: CONFIG, ...options });
  running.push(lives);
  return lives;
}

afterEach(async () => {
  for (const lives of running.splice(0)) await lives.end();
});

const alert = (name: string, endsIn = 10 * HOUR) => ({
  labels: { alertname: 'Down', name },
  annotations: { summary: `${name} – 不通`, empty: '' },
  endsIn,
});
const ended = (name: string) => alert(name, 0);

describe('an alert that was accepted', () => {
  it('is there after kill -9 as it was, to the last field of its view', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'), { labels: { alertname: 'Down', name: 'guessed' } });
    await lives.advance(5);
    await lives.node.fire(alert('a', 20_000));
    const before = await lives.alerts();
    await lives.restart();
    expect(await lives.alerts()).toEqual(before);
    expect(before).toHaveLength(2);
  });

  it('is notified at the end of its group_wait when the process dies before', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'));
    await lives.advance(20);
    await lives.restart(2);
    await lives.advance(7);
    expect(lives.sent).toEqual([]);
    await lives.advance(2);
    expect(lives.sent).toEqual(['30s firing:a']);
  });

  it('is notified at once when its time passed while the process was down, and once', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'));
    await lives.restart(90);
    await lives.advance(HOUR / 2);
    expect(lives.sent).toEqual(['90s firing:a']);
  });

  it('whose end is a guess ends when the guess says so', async () => {
    const lives = begin({ config: `global: {resolve_timeout: 10m}\n${CONFIG}` });
    await lives.node.fire({ labels: { alertname: 'Down', name: 'a' } });
    await lives.advance(60);
    await lives.restart(1);
    await lives.advance(HOUR);
    expect(lives.sent).toEqual(['30s firing:a', '630s resolved:a']);
  });

  it('and ended is forgotten by the file too', async () => {
    const lives = begin({ settings: { alertGcIntervalMs: 60_000 } });
    await lives.node.fire(alert('a'));
    await lives.advance(60);
    await lives.node.fire(ended('a'));
    await lives.advance(600);
    await lives.restart();
    await lives.advance(600);
    expect(lives.sent).toEqual(['30s firing:a', '330s resolved:a']);
    expect(lives.node.metric('alertmanager_dispatcher_aggregation_groups')).toBe(0);
    expect(lives.node.logged.find((line) => line.includes('Restored alerts'))).toContain(
      'alerts=0',
    );
  });
});

describe('a group', () => {
  it('is looked at when it would have been, not at once and not after group_wait anew', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'));
    await lives.advance(100);
    await lives.node.fire(alert('b'));
    await lives.restart(10);
    await lives.advance(219);
    expect(lives.sent).toEqual(['30s firing:a']);
    await lives.advance(2);
    expect(lives.sent).toEqual(['30s firing:a', '330s firing:a,b']);
  });

  it('repeats when it would have: the log of kill -9 is whole', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'));
    await lives.advance(100);
    await lives.restart(1);
    await lives.advance(500);
    await lives.restart(1);
    await lives.advance(2 * HOUR - 700);
    expect(lives.sent).toEqual(['30s firing:a', '3930s firing:a']);
  });

  it('whose flush was cut short by the end is flushed at once, and nothing twice', async () => {
    const lives = begin();
    lives.node.net.endpoint = () => 'silent';
    await lives.node.fire(alert('a'));
    await lives.advance(40);
    expect(lives.sent).toEqual(['30s firing:a']);
    await lives.restart(10);
    await lives.advance(600);
    expect(lives.sent.slice(1)).toEqual(['50s firing:a']);
  });

  it('tells an end that it had heard of before the process died, and tells it once', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'), alert('b'));
    await lives.advance(60);
    await lives.node.fire(ended('a'));
    await lives.restart(5);
    await lives.advance(300);
    expect(lives.sent).toEqual(['30s firing:a,b', '330s firing:b resolved:a']);
    await lives.node.fire(alert('c'));
    await lives.advance(30);
    await lives.restart(5);
    await lives.advance(900);
    // The restored group does not bring the end of `a` up again.
    expect(lives.sent.slice(2)).toEqual(['630s firing:b,c']);
  });

  it('tells an end that the provider forgot before it could be told', async () => {
    const lives = begin({ settings: { alertGcIntervalMs: 60_000 } });
    await lives.node.fire(alert('a'));
    await lives.advance(60);
    await lives.node.fire(ended('a'));
    await lives.advance(120);
    expect(await lives.alerts()).toEqual([]);
    await lives.restart(5);
    await lives.advance(600);
    expect(lives.sent).toEqual(['30s firing:a', '330s resolved:a']);
  });

  it('goes on at its time through a reload', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'));
    await lives.advance(100);
    await lives.node.fire(alert('b'));
    lives.node.applyConfig(`${CONFIG}\n# changed`);
    await lives.advance(HOUR / 2);
    expect(lives.sent).toEqual(['30s firing:a', '330s firing:a,b']);
  });
});

describe('after an hour in which nobody could repeat alerts', () => {
  /** As Prometheus: an end four minutes ahead, prolonged every minute. */
  const term = (name: string) => alert(name, 240);

  it('no end is told before the sender had a chance to repeat the alert', async () => {
    const lives = begin();
    await lives.node.fire(term('a'));
    await lives.advance(60);
    await lives.restart(HOUR);
    await lives.advance(50);
    await lives.node.fire(term('a'));
    await lives.advance(200);
    // Only the repetition that fell due meanwhile.
    expect(lives.sent).toEqual(['30s firing:a', '3660s firing:a']);
  });

  it('an alert that nobody repeats ends half a term after the start', async () => {
    const lives = begin();
    await lives.node.fire(term('a'));
    await lives.advance(60);
    await lives.restart(HOUR / 2);
    await lives.advance(119);
    expect(await lives.alerts()).toHaveLength(1);
    await lives.advance(2);
    expect(await lives.alerts()).toHaveLength(0);
    await lives.advance(600);
    expect(lives.sent).toEqual(['30s firing:a', '2160s resolved:a']);
  });

  it('nothing is said of an alert that was never told and is not repeated; repeated, it is told at once', async () => {
    const lives = begin();
    await lives.node.fire(term('gone'), term('still'));
    await lives.advance(10);
    await lives.restart(HOUR);
    await lives.advance(45);
    expect(lives.sent).toEqual([]);
    await lives.node.fire(term('still'));
    await lives.advance(1);
    expect(lives.sent).toEqual(['3655s firing:still']);
  });

  it('sources still inhibit', async () => {
    const lives = begin({
      config: `${CONFIG}\ninhibit_rules: [{source_matchers: [name="s"], target_matchers: [name="t"]}]`,
    });
    await lives.node.fire(term('s'), term('t'));
    await lives.advance(60);
    await lives.restart(HOUR / 2);
    await lives.advance(60);
    await lives.node.fire(term('s'), term('t'));
    await lives.advance(200);
    expect(lives.sent).toEqual(['30s firing:s']);
  });
});

describe('silences and the notification log', () => {
  it('are there after kill -9, not only after an orderly end', async () => {
    const lives = begin();
    const id = await lives.node.silence(['name=a'], HOUR);
    await lives.advance(1);
    await lives.restart();
    await lives.node.fire(alert('a'), alert('b'));
    await lives.advance(60);
    expect(lives.sent).toEqual(['31s firing:b']);
    await lives.node.request('DELETE', `/api/v2/silence/${id}`);
    await lives.restart();
    await lives.advance(300);
    expect(lives.sent.slice(1)).toEqual(['331s firing:a,b']);
  });
});

describe('a file that cannot be used', () => {
  it('costs what it held; the alertmanager starts and works', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'));
    await lives.advance(10);
    const path = `${lives.node.directory}/alerts`;
    const data = readFileSync(path);
    lives.node.kill();
    writeFileSync(path, data.fill(0x55));
    const node = lives.start();
    expect(await lives.alerts()).toEqual([]);
    expect(node.metric('pollux_alertmanager_durable_damaged_bytes_total')).toBeGreaterThan(0);
    await node.fire(alert('b'));
    await lives.restart(1);
    await lives.advance(60);
    expect(lives.sent).toEqual(['40s firing:b']);
  });

  it('may vanish while it is open', async () => {
    const lives = begin();
    await lives.node.fire(alert('a'));
    rmSync(`${lives.node.directory}/alerts`);
    await lives.node.fire(alert('b'));
    await lives.advance(40);
    expect(lives.sent).toEqual(['30s firing:a,b']);
  });
});

describe('in a cluster', () => {
  type Pair = { readonly clock: VirtualClock; readonly cluster: FakeCluster };
  const pair = (): Pair => {
    const clock = new VirtualClock(START_MS);
    return { clock, cluster: new FakeCluster(clock, { delayMs: 100 }) };
  };

  it('what another member told as ended is not told as firing by the one that slept through it', async () => {
    const { clock, cluster } = pair();
    const nodes: TestNode[] = [];
    const add = (name: string, options: Partial<TestNodeOptions> = {}): TestNode => {
      const member = cluster.join(name, 1_000);
      const node = new TestNode({ config: CONFIG, clock, cluster: member, ...options });
      nodes.push(node);
      return node;
    };
    const a = add('a');
    const b = add('b');
    for (const node of nodes) await node.fire(alert('x', 240));
    await clock.advance(60_000);
    b.kill();
    cluster.members[1]!.kill();
    await clock.advance(30_000);
    await a.fire(ended('x'));
    await clock.advance(260_000);
    expect(nodes.flatMap(({ sent }) => sent)).toEqual(['30s firing:x', '330s resolved:x']);
    const again = add('b2', { directory: b.directory });
    await clock.advance(900_000);
    expect(again.sent).toEqual([]);
    expect(a.sent).toHaveLength(2);
    for (const node of [a, again]) {
      await node.close();
      node.removeDirectory();
    }
  });
});
