import { describe, expect, it } from 'vitest';
import { START_MS, World } from './testing/world.ts';

const ALERT = `
groups:
  - name: g
    rules:
      - alert: Down
        expr: up == 0
        for: 30s
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} is {{ $value }}"}
`;

const DOWN = { alertname: 'Down', instance: 'a', severity: 'page' };

/** The state of the only alert after each evaluation, as the API shows it. */
async function states(world: World, evaluations: number): Promise<string[]> {
  const seen: string[] = [];
  await world.clock.advance(firstDelay(world));
  for (let i = 0; i < evaluations; i++) {
    const [alert] = world.manager.alerts();
    seen.push(alert?.state ?? '-');
    await world.clock.advance(10_000);
  }
  return seen;
}

/** Time until just after the next evaluation of the 10 s grid. */
function firstDelay(world: World): number {
  return world.clock.nextTimerMs()! - world.clock.now() + 1;
}

describe('an alerting rule', () => {
  it('is pending until `for` has passed, then fires, then resolves', async () => {
    const world = new World();
    world.answers.set('up == 0', (atMs) =>
      atMs < START_MS + 75_000 ? [[{ __name__: 'up', instance: 'a' }, 0]] : [],
    );
    await world.load(ALERT);
    world.manager.start();
    expect(await states(world, 9)).toEqual([
      'pending',
      'pending',
      'pending',
      'firing',
      'firing',
      'firing',
      'firing',
      '-',
      '-',
    ]);
    const [rule] = world.manager.groups()[0]!.rules;
    expect(rule).toMatchObject({ kind: 'alerting', state: 'inactive', health: 'ok' });
  });

  it('forgets a pending alert that goes away, without telling anyone', async () => {
    const world = new World();
    world.answers.set('up == 0', (atMs) =>
      atMs < START_MS + 25_000 ? [[{ instance: 'a' }, 0]] : [],
    );
    await world.load(ALERT);
    world.manager.start();
    await states(world, 12);
    expect(world.sent).toEqual([]);
  });

  it('sends when it fires, again after the resend delay, and the end at once and for 15 minutes', async () => {
    const world = new World({ manager: { resendDelayMs: 60_000 } });
    const goneMs = START_MS + 200_000;
    world.answers.set('up == 0', (atMs) => (atMs < goneMs ? [[{ instance: 'a' }, 0]] : []));
    await world.load(ALERT);
    world.manager.start();
    await world.clock.advance(1_400_000);
    const firstMs = world.evaluations[0]!.atMs;
    const sent = world.sent.map(({ atMs, alert }) => [
      (atMs - firstMs) / 1000,
      alert.endsAtMs <= atMs ? 'resolved' : 'firing',
    ]);
    const fireTimes = sent.filter(([, state]) => state === 'firing').map(([at]) => at);
    // 60 s after the last send is not yet "more than the delay"; the next evaluation is.
    expect(fireTimes).toEqual([30, 100, 170]);
    const resolved = sent.filter(([, state]) => state === 'resolved').map(([at]) => Number(at));
    expect(resolved[0]).toBe(200);
    expect(resolved[1]).toBe(270);
    expect(resolved.at(-1)! - resolved[0]!).toBeLessThanOrEqual(900);
    expect(resolved.at(-1)! - resolved[0]!).toBeGreaterThan(900 - 70);
    const { alert, atMs } = world.sent[0]!;
    expect(alert.labels.toObject()).toEqual(DOWN);
    expect(alert.annotations.toObject()).toEqual({ summary: 'a is 0' });
    expect(alert.startsAtMs).toBe(firstMs + 30_000);
    expect(alert.endsAtMs).toBe(atMs + 4 * 60_000);
    expect(alert.generatorUrl).toBe('http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1');
  });

  it('keeps firing for keep_firing_for after its element is gone', async () => {
    const world = new World();
    world.answers.set('up == 0', (atMs) =>
      atMs < START_MS + 15_000 ? [[{ instance: 'a' }, 0]] : [],
    );
    await world.load(ALERT.replace('for: 30s', 'keep_firing_for: 20s'));
    world.manager.start();
    expect(await states(world, 6)).toEqual(['firing', 'firing', 'firing', '-', '-', '-']);
  });

  it('writes ALERTS and ALERTS_FOR_STATE, and ends them by stale markers on change of state and at the end', async () => {
    const world = new World();
    world.answers.set('up == 0', (atMs) =>
      atMs < START_MS + 55_000 ? [[{ instance: 'a' }, 0]] : [],
    );
    await world.load(ALERT);
    world.manager.start();
    await world.clock.advance(100_000);
    const t0 = world.evaluations[0]!.atMs;
    const pending = { __name__: 'ALERTS', ...DOWN, alertstate: 'pending' };
    const firing = { __name__: 'ALERTS', ...DOWN, alertstate: 'firing' };
    // From the first evaluation on: a `for` of 30 s is not restored.
    expect(world.storage.samples(pending)).toEqual([
      `${t0}: 1`,
      `${t0 + 10_000}: 1`,
      `${t0 + 20_000}: 1`,
      `${t0 + 30_000}: stale`,
    ]);
    expect(world.storage.samples(firing)).toEqual([
      `${t0 + 30_000}: 1`,
      `${t0 + 40_000}: 1`,
      `${t0 + 50_000}: stale`,
    ]);
    const since = Math.floor(t0 / 1000);
    expect(world.storage.samples({ __name__: 'ALERTS_FOR_STATE', ...DOWN })).toEqual([
      `${t0}: ${since}`,
      `${t0 + 10_000}: ${since}`,
      `${t0 + 20_000}: ${since}`,
      `${t0 + 30_000}: ${since}`,
      `${t0 + 40_000}: ${since}`,
      `${t0 + 50_000}: stale`,
    ]);
  });

  it('gives up all its alerts when they pass the limit, and says so', async () => {
    const world = new World();
    world.answers.set('up == 0', () => [
      [{ instance: 'a' }, 0],
      [{ instance: 'b' }, 0],
    ]);
    await world.load(ALERT.replace('- name: g', '- name: g\n    limit: 1'));
    world.manager.start();
    await world.clock.advance(60_000);
    expect(world.manager.alerts()).toEqual([]);
    expect(world.sent).toEqual([]);
    expect(world.manager.groups()[0]!.rules[0]).toMatchObject({
      health: 'err',
      lastError: 'exceeded limit of 1 with 2 alerts',
    });
  });

  it('refuses elements that become equal by its labels', async () => {
    const world = new World();
    world.answers.set('up == 0', () => [
      [{ severity: 'page' }, 0],
      [{ severity: 'info' }, 0],
    ]);
    await world.load(ALERT);
    world.manager.start();
    await world.clock.advance(20_000);
    expect(world.manager.groups()[0]!.rules[0]).toMatchObject({
      lastError: 'vector contains metrics with the same labelset after applying alert labels',
    });
  });

  it('goes on notifying while the disk is full', async () => {
    const world = new World();
    world.answers.set('up == 0', () => [[{ instance: 'a' }, 0]]);
    world.storage.failure = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    await world.load(ALERT);
    world.manager.start();
    await world.clock.advance(60_000);
    expect(world.sent.length).toBeGreaterThan(0);
    expect(world.manager.groups()[0]!.rules[0]).toMatchObject({ health: 'err' });
    expect(world.coverage.some((line) => line.startsWith('done'))).toBe(false);
    world.storage.failure = null;
    await world.clock.advance(10_000);
    expect(world.coverage.at(-1)).toMatch(/^done/);
  });
});

describe('a recording rule', () => {
  const RECORD = `
groups:
  - name: g
    interval: 10s
    rules:
      - record: job:up:sum
        expr: sum(up)
        labels: {team: x}
`;

  it('writes its result under its name and ends series that vanish', async () => {
    const world = new World();
    world.answers.set('sum(up)', (atMs) =>
      atMs < START_MS + 25_000
        ? [
            [{ __name__: 'up', job: 'a' }, 1],
            [{ job: 'b' }, 2],
          ]
        : [[{ job: 'b' }, 3]],
    );
    await world.load(RECORD);
    world.manager.start();
    await world.clock.advance(40_000);
    const t0 = world.evaluations[0]!.atMs;
    const name = { __name__: 'job:up:sum', team: 'x' };
    expect(world.storage.samples({ ...name, job: 'a' })).toEqual([
      `${t0}: 1`,
      `${t0 + 10_000}: 1`,
      `${t0 + 20_000}: stale`,
    ]);
    expect(world.storage.samples({ ...name, job: 'b' }).slice(0, 3)).toEqual([
      `${t0}: 2`,
      `${t0 + 10_000}: 2`,
      `${t0 + 20_000}: 3`,
    ]);
  });

  it('asks and writes at the query offset', async () => {
    const world = new World();
    world.answers.set('sum(up)', () => [[{}, 1]]);
    await world.load(RECORD.replace('interval: 10s', 'interval: 10s\n    query_offset: 3s'));
    world.manager.start();
    await world.clock.advance(20_000);
    const lastMs = world.manager.groups()[0]!.rules[0]!.lastEvaluationMs!;
    expect(world.evaluations.at(-1)!.atMs).toBe(lastMs - 3_000);
    const sample = world.storage.samples({ __name__: 'job:up:sum', team: 'x' }).at(-1);
    expect(sample).toBe(`${lastMs - 3_000}: 1`);
    expect(world.coverage.at(-1)).toContain(` ${lastMs - 3_000} `);
  });

  it('keeps NaN payloads', async () => {
    const world = new World();
    world.answers.set('sum(up)', () => [[{}, Number.NaN]]);
    await world.load(RECORD);
    world.manager.start();
    await world.clock.advance(20_000);
    const bits = world.storage.lastBits({ __name__: 'job:up:sum', team: 'x' });
    expect(bits.slice(0, 4)).toMatch(/^[7f]ff8$/);
  });

  it('fails over the limit and on equal label sets, and then writes nothing', async () => {
    const world = new World();
    world.answers.set('sum(up)', () => [
      [{ __name__: 'a', job: 'x' }, 1],
      [{ __name__: 'b', job: 'x' }, 1],
    ]);
    await world.load(RECORD);
    world.manager.start();
    await world.clock.advance(20_000);
    expect(world.manager.groups()[0]!.rules[0]).toMatchObject({
      health: 'err',
      lastError: 'vector contains metrics with the same labelset after applying rule labels',
    });
    world.answers.set('sum(up)', () => [
      [{ job: 'x' }, 1],
      [{ job: 'y' }, 1],
    ]);
    await world.load(RECORD.replace('interval: 10s', 'limit: 1'));
    await world.clock.advance(20_000);
    expect(world.manager.groups()[0]!.rules[0]).toMatchObject({
      lastError: 'exceeded limit of 1 with 2 series',
    });
    expect(world.storage.names()).toEqual([]);
  });
});

describe('a group', () => {
  const TWO = `
groups:
  - name: g
    rules:
      - {record: a, expr: first}
      - {record: b, expr: second}
`;

  it('evaluates its rules in order on a fixed grid, and later rules see what earlier ones wrote', async () => {
    const world = new World();
    const seen: string[][] = [];
    world.answers.set('first', () => [[{}, 1]]);
    world.answers.set('second', () => {
      seen.push(world.storage.samples({ __name__: 'a' }));
      return [];
    });
    await world.load(TWO);
    world.manager.start();
    await world.clock.advance(25_000);
    expect(world.timesOf('first')).toEqual([0, 10_000]);
    expect(seen.map((samples) => samples.length)).toEqual([1, 2]);
  });

  it('runs on the same grid whenever it was started', async () => {
    const phases: number[] = [];
    for (const delayMs of [0, 1_234, 98_765]) {
      const world = new World();
      await world.clock.advance(delayMs);
      await world.load(TWO);
      world.manager.start();
      await world.clock.advance(20_001);
      phases.push(world.evaluations[0]!.atMs % 10_000);
    }
    expect(new Set(phases).size).toBe(1);
  });

  it('does nothing before start', async () => {
    const world = new World();
    await world.load(TWO);
    await world.clock.advance(100_000);
    expect(world.evaluations).toEqual([]);
  });

  it('counts the iterations that a slow evaluation made it miss, and keeps to the grid', async () => {
    const world = new World();
    world.queryMs = 12_500;
    await world.load(TWO.replace('      - {record: b, expr: second}\n', ''));
    world.manager.start();
    await world.clock.advance(60_000);
    // Each takes 12.5 s, so the next starts late, and once it is two intervals behind, one is left out.
    const times = world.timesOf('first');
    expect(times.slice(0, 4)).toEqual([0, 10_000, 20_000, 30_000]);
    expect(times.every((at) => at % 10_000 === 0)).toBe(true);
    world.queryMs = 25_000;
    await world.clock.advance(100_000);
    expect(world.metrics('prometheus_rule_group_iterations_missed_total')[0]).toMatch(/ [1-9]/);
    const all = world.timesOf('first');
    expect(new Set(all).size).toBe(all.length);
  });

  it('covers nothing while the state of alerts is not restored, since no ALERTS are written then', async () => {
    const world = new World();
    world.answers.set('up == 0', () => [[{ instance: 'a' }, 0]]);
    await world.load(
      'groups: [{name: g, interval: 10s, rules: [{alert: Down, expr: up == 0, for: 10m}]}]',
    );
    world.manager.start();
    await world.clock.advance(45_000);
    const evaluated = world.evaluations.map(({ atMs }) => atMs);
    const covered = world.coverage.filter((line) => line.startsWith('done'));
    expect(evaluated.length).toBeGreaterThanOrEqual(4);
    expect(covered).toHaveLength(evaluated.length - 2);
    expect(covered[0]).toContain(` ${evaluated[2]} `);
  });

  it('writes alerts from its first evaluation on, and covers from the second, when none waits for so long that it is restored', async () => {
    const world = new World();
    world.answers.set('up == 0', () => [[{ instance: 'a' }, 0]]);
    await world.load(
      'groups: [{name: g, interval: 10s, rules: [{alert: Down, expr: up == 0, for: 599s}, {record: r, expr: up == 0}]}]',
    );
    world.manager.start();
    await world.clock.advance(22_000);
    const firstMs = world.evaluations[0]!.atMs;
    expect(firstMs).toBeLessThanOrEqual(START_MS + 10_000);
    expect(world.coverage[1]).toContain(`done group//rules.yml;g ${firstMs + 10_000} `);
    const alerts = { __name__: 'ALERTS', alertname: 'Down', instance: 'a', alertstate: 'pending' };
    expect(world.storage.samples(alerts)).toContain(`${firstMs}: 1`);
  });

  it('reports what it covers after the samples are visible', async () => {
    const world = new World();
    world.answers.set('first', () => [[{}, 1]]);
    world.answers.set('second', () => [[{}, 1]]);
    await world.load(TWO);
    world.manager.start();
    await world.clock.advance(15_000);
    const [opened, first] = world.coverage;
    const firstMs = world.evaluations[0]!.atMs;
    expect(opened).toBe(`open group//rules.yml;g a,b ${firstMs} 10000`);
    expect(first).toBe(`done group//rules.yml;g ${firstMs} commits=2`);
    world.answers.set('second', () => {
      throw new Error('storage is away');
    });
    await world.clock.advance(10_000);
    expect(world.coverage.at(-1)).toMatch(/^failed /);
    expect(world.manager.groups()[0]!.rules.map(({ health }) => health)).toEqual(['ok', 'err']);
  });

  it('stops within a rule and gives up its query when the manager closes', async () => {
    const world = new World();
    world.queryMs = 1_000_000;
    await world.load(TWO);
    world.manager.start();
    await world.clock.advance(20_000);
    await world.manager.close();
    await world.manager.close();
    const count = world.evaluations.length;
    await world.clock.advance(100_000);
    expect(world.evaluations.length).toBe(count);
    expect(world.coverage.filter((line) => line.startsWith('close'))).toEqual([]);
  });
});
