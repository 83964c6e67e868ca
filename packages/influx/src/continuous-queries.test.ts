import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestStore } from '../test/harness.ts';

const NOON = Date.UTC(2026, 0, 5, 12);
const MINUTE = 60_000;

let clock: VirtualClock;
let store: TestStore;
const settings = { INFLUXDB_CONTINUOUS_QUERIES_RUN_INTERVAL: '1s' };

beforeEach(async () => {
  clock = new VirtualClock(NOON + 30_000);
  store = await new TestStore().open(settings, { ...nodeEnv(), clock });
  await store.query('CREATE DATABASE d');
});
afterEach(() => store.close());

async function rowsOf(select: string): Promise<unknown> {
  const text = await store.query(select, { db: 'd', epoch: 'ms' });
  const answer = JSON.parse(text) as {
    results: { error?: string; series?: { values: unknown[][] }[] }[];
  };
  return answer.results[0]?.error ?? answer.results[0]?.series?.[0]?.values ?? [];
}

const send = (ms: number, value: number) =>
  store.write('d', `m,a=b x=${value} ${ms}`, { precision: 'ms' });

it('writes each window once it has ended', async () => {
  await store.query(
    'CREATE CONTINUOUS QUERY q ON d BEGIN SELECT sum(x) INTO s FROM m GROUP BY time(1m) END',
  );
  await send(NOON + 10_000, 1);
  await send(NOON + 50_000, 2);
  await send(NOON + 70_000, 4);
  store.service.start();
  await clock.advance(20_000);
  expect(await rowsOf('SELECT sum FROM s'), 'no window has ended').toEqual([]);
  await clock.advance(15_000);
  await store.service.runContinuousQueries();
  expect(await rowsOf('SELECT sum FROM s')).toEqual([[NOON, 3]]);
  await clock.advance(MINUTE);
  await store.service.runContinuousQueries();
  expect(await rowsOf('SELECT sum FROM s')).toEqual([
    [NOON, 3],
    [NOON + MINUTE, 4],
  ]);
  await store.query('DROP CONTINUOUS QUERY q ON d');
  await send(NOON + 130_000, 8);
  await clock.advance(2 * MINUTE);
  await store.service.runContinuousQueries();
  expect(await rowsOf('SELECT count(sum) FROM s')).toEqual([[0, 2]]);
});

it('counts windows again and as often as RESAMPLE says', async () => {
  await store.query(
    'CREATE CONTINUOUS QUERY q ON d RESAMPLE EVERY 10s FOR 2m BEGIN SELECT sum(x) INTO s FROM m GROUP BY time(1m), a END',
  );
  await send(NOON - 10_000, 1);
  expect(await store.service.runContinuousQueries()).toBe(1);
  expect(await rowsOf('SELECT sum, a FROM s')).toEqual([[NOON - MINUTE, 1, 'b']]);
  await send(NOON - 5_000, 2);
  await send(NOON + 5_000, 4);
  expect(await store.service.runContinuousQueries(), 'not yet').toBe(0);
  await clock.advance(10_000);
  expect(await store.service.runContinuousQueries()).toBe(1);
  expect(await rowsOf('SELECT sum FROM s')).toEqual([
    [NOON - MINUTE, 3],
    [NOON, 4],
  ]);
});

it('shows what it stored, in full, and keeps it over a restart', async () => {
  const create =
    "CREATE CONTINUOUS QUERY q ON d RESAMPLE FOR 2h BEGIN SELECT mean(x) * 1.23456 INTO :MEASUREMENT FROM (SELECT x FROM m) WHERE a = 'b' GROUP BY time(1h, 5m), a fill(0) END";
  expect(await store.query(create)).not.toContain('error');
  expect(await store.query(create), 'the same again').not.toContain('error');
  expect(await store.query(create.replace('mean', 'max'))).toContain(
    'continuous query already exists',
  );
  const again = await new TestStore(store.directory).open();
  expect(JSON.parse(await again.query('SHOW CONTINUOUS QUERIES'))).toMatchObject({
    results: [
      {
        series: [
          {
            name: 'd',
            values: [
              [
                'q',
                "CREATE CONTINUOUS QUERY q ON d RESAMPLE FOR 2h BEGIN SELECT mean(x) * 1.23456 INTO d.autogen.:MEASUREMENT FROM (SELECT x FROM d.autogen.m) WHERE a = 'b' GROUP BY time(1h, 5m), a fill(0) END",
              ],
            ],
          },
        ],
      },
    ],
  });
  await again.close();
});

it('refuses names that are not there, in the words of influxd', async () => {
  const on = (into: string, from: string, home = 'd') =>
    store.query(
      `CREATE CONTINUOUS QUERY q ON ${home} BEGIN SELECT mean(x) INTO ${into} FROM ${from} GROUP BY time(1m) END`,
    );
  expect(await on('s', 'm', 'no')).toContain('database not found: no');
  expect(await on('s', 'no..m')).toContain('database not found: no');
  expect(await on('no.s', 'm')).toContain('retention policy not found: d.no');
});

it('goes on with the others, and counts, when one fails', async () => {
  await store.query('CREATE RETENTION POLICY r ON d DURATION 1h REPLICATION 1');
  await store.query(
    'CREATE CONTINUOUS QUERY q1 ON d BEGIN SELECT sum(x) INTO r.s FROM m GROUP BY time(1m) END; CREATE CONTINUOUS QUERY q2 ON d BEGIN SELECT sum(x) INTO t FROM m GROUP BY time(1m) END',
  );
  await store.query('DROP RETENTION POLICY r ON d');
  await send(NOON + 10_000, 1);
  expect(await store.service.runContinuousQueries(), 'no window has ended').toBe(0);
  await clock.advance(MINUTE);
  expect(await store.service.runContinuousQueries()).toBe(1);
  expect(await rowsOf('SELECT sum FROM t')).toEqual([[NOON, 1]]);
});
