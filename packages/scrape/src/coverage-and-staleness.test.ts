import { OperatingError } from '@pollux/base';
import { afterEach, describe, expect, it } from 'vitest';
import { ONE_JOB, T, URL_1, World, type WorldOptions } from './testing/scrape-world.ts';

let world: World;
afterEach(async () => {
  await world.manager.close();
});

function begin(yaml: string, options?: WorldOptions): World {
  world = World.begin(yaml, options);
  return world;
}

describe('coverage', () => {
  it('opens, records each scrape after its commit, and closes when the target goes', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\n', { status: 500 }, 'm 3\n');
    const first = world.firstMs;
    await world.clock.advance(first + 10_000);
    world.load('[]');
    await world.clock.advance(0);
    const key = world.events[0]?.split(' ')[1];
    expect(key).toMatch(`target/j/${URL_1}#`);
    expect(world.events).toEqual([
      `open ${key} {instance="t:1", job="j"} ${first} 10000`,
      `done ${key} ${first} commits=1`,
      `failed ${key} ${first + 10_000} commits=2`,
      `close ${key} ${first + 10_000}`,
    ]);
  });

  it('closes before it opens anew when a reload changes the job', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\n');
    await world.clock.advance(10_000);
    world.load(ONE_JOB.replace('10s', '5s'));
    await world.clock.advance(10_000);
    expect(world.events.map((event) => event.split(' ')[0])).toEqual([
      'open',
      'done',
      'close',
      'open',
      'done',
      'done',
    ]);
  });

  it('tells targets of one address apart by their labels', async () => {
    begin(`
- job_name: j
  scrape_interval: 10s
  static_configs:
    - {targets: ["t:1"], labels: {as: a}}
    - {targets: ["t:1"], labels: {as: b}}
`);
    await world.clock.advance(0);
    const keys = world.events.map((event) => event.split(' ')[1]);
    expect(new Set(keys).size).toBe(2);
  });

  it.each([
    ['honor_labels: true', '{}'],
    ['metric_relabel_configs: [{target_label: job, replacement: x}]', '{}'],
    [
      'metric_relabel_configs: [{action: drop, source_labels: [a], regex: x}]',
      '{instance="t:1", job="j"}',
    ],
  ])('speaks with %s of series that carry %s', async (setting, labels) => {
    begin(`${ONE_JOB}  ${setting}\n`);
    await world.clock.advance(0);
    expect(world.events[0]).toContain(` ${labels} `);
  });

  it('claims nothing when the commit failed', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\n');
    world.database.commitError = new OperatingError('TEST.DISK', 'disk is full');
    await world.clock.advance(10_000);
    world.database.commitError = null;
    await world.clock.advance(10_000);
    expect(world.events.filter((event) => !event.startsWith('open')).length).toBe(1);
    expect(world.events.at(-1)).toMatch(/^done /);
  });
});

describe('stale markers', () => {
  it('of a commit that failed are written by the next one', async () => {
    begin(ONE_JOB);
    world.answer(
      URL_1,
      'm 1\nn 1\n',
      'n 2\n',
      'n 3\n',
      { status: 500 },
      { status: 500 },
      { status: 500 },
    );
    const first = world.firstMs;
    await world.clock.advance(first);
    world.database.commitError = new OperatingError('TEST.DISK', 'disk is full');
    await world.clock.advance(10_000);
    world.database.commitError = null;
    await world.clock.advance(10_000);
    expect(world.database.of(`m{${T}}`)).toEqual([
      [first, 1],
      [first + 20_000, 'stale'],
    ]);
    world.database.commitError = new OperatingError('TEST.DISK', 'disk is full');
    await world.clock.advance(10_000);
    world.database.commitError = null;
    await world.clock.advance(20_000);
    expect(world.database.of(`n{${T}}`)).toEqual([
      [first, 1],
      [first + 20_000, 3],
      [first + 40_000, 'stale'],
    ]);
  });
});

describe('a target that goes', () => {
  it('gets stale markers after its end, one interval on', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\n');
    const first = world.firstMs;
    await world.clock.advance(first);
    world.load('[]');
    await world.clock.advance(10_000);
    expect(world.database.of(`m{${T}}`).length).toBe(1);
    await world.clock.advance(20_000);
    expect(world.database.of(`m{${T}}`)).toEqual([
      [first, 1],
      [first + 10_000, 'stale'],
    ]);
    expect(world.database.of(`up{${T}}`).at(-1)).toEqual([first + 10_000, 'stale']);
    expect(world.requests.length).toBe(1);
  });

  it('gets none when the process ends', async () => {
    begin(ONE_JOB);
    world.answer(URL_1, 'm 1\n');
    await world.clock.advance(10_000);
    await world.manager.close();
    await world.clock.advance(60_000);
    expect(world.database.of(`m{${T}}`).map(([, value]) => value)).toEqual([1]);
    await world.manager.close();
  });
});
