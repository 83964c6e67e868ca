import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { SeededRandom, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher, setStaleAt, wordsOf } from '@pollux/model';
import {
  type CachedRangeRequest,
  Engine,
  type QueryAnswer,
  RangeCache,
  type RangeMatrix,
  type RangeTimes,
} from '@pollux/promql';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** `POLLUX_CACHE_RUNS=200` for longer. */
const RUNS = Number(process.env.POLLUX_CACHE_RUNS ?? 3);

const START_MS = 1_700_006_400_000;
const BLOCK_MS = 5 * 60_000;
const WINDOW_MS = 10 * 60_000;
const LOOKBACK_MS = 120_000;

/** Of each kind that is kept, and two that are not. */
const QUERIES = [
  'g',
  'rate(c_total[2m])',
  'sum(rate(c_total[1m]))',
  'sum by (job) (rate(c_total[90s])) / sum by (job) (g)',
  'avg(g) + avg(g offset 3m)',
  'max by (job) (g offset -2m)',
  'topk(2, g)',
  'sum(predict_linear(g[2m], 60))',
  'avg by (job) (quantile_over_time(0.3, c_total[2m]))',
  'max_over_time(sum(g)[3m:30s])',
  'min_over_time(rate(c_total[1m])[2m:20s] offset -40s)',
  'sum(g) - scalar(sum(g @ 1700007000))',
  'absent(g{job="a"})',
  'g > bool 20 unless c_total',
  'sum(g{job="none"}) or vector(0)',
  'stddev(increase(c_total[3m] @ 1700007300)) * time()',
  'quantile_over_time(0.3, g[2m])',
  'count(timestamp(g) > 1700007000)',
  'sum_over_time(g[2m])',
  'sum({job="a"})',
];

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-result-cache-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

type Row = readonly [labels: Labels, atMs: number, value: number | 'stale'];

/** A database, an engine and a cache in front of it. */
class World {
  readonly db: Tsdb;
  readonly cache: RangeCache;
  readonly registry = new Registry();
  /** Steps that were evaluated for the cache. */
  evaluatedSteps = 0;
  readonly #engine: Engine;

  constructor(db: Tsdb, maxBytes = 1 << 20, maxSamples = 1_000_000) {
    this.db = db;
    const log = Log.silent();
    this.#engine = new Engine({
      clock: new VirtualClock(),
      registry: new Registry(),
      log,
      maxSamples,
    });
    const { registry } = this;
    this.cache = new RangeCache({ changes: db.changes, registry, maxBytes, maxSamples });
  }

  static async open(directory: string, seed: number): Promise<World> {
    const env = { ...nodeEnv(), clock: new VirtualClock(START_MS), random: new SeededRandom(seed) };
    const db = await Tsdb.open({
      directory,
      env,
      log: Log.silent(),
      registry: new Registry(),
      options: { minBlockDurationMs: BLOCK_MS, fsync: 'none', outOfOrderWindowMs: WINDOW_MS },
    });
    return new World(db);
  }

  request(query: string, times: RangeTimes): CachedRangeRequest {
    return { query, expr: this.#engine.parse(query), lookbackMs: LOOKBACK_MS, ...times };
  }

  plain(query: string, times: RangeTimes): Promise<QueryAnswer<RangeMatrix>> {
    return this.#engine.range({ query, queryable: this.db, lookbackMs: LOOKBACK_MS, ...times });
  }

  cached(query: string, times: RangeTimes): Promise<QueryAnswer<RangeMatrix>> {
    return this.cache.range(this.request(query, times), (part) => {
      this.evaluatedSteps += (part.endMs - part.startMs) / part.stepMs + 1;
      return this.plain(query, part);
    });
  }

  async append(
    rows: readonly (readonly [labels: Labels, atMs: number, value: number | 'stale'])[],
  ) {
    const appender = this.db.appender();
    for (const [labels, atMs, value] of rows) {
      const values = Float64Array.of(value === 'stale' ? 0 : value);
      if (value === 'stale') setStaleAt(wordsOf(values), 0);
      const ref = Uint32Array.of(appender.series(labels));
      appender.appendFloats(ref, Float64Array.of(atMs), values, null, 1, new Uint8Array(1));
    }
    await appender.commit();
  }
}

/** Everything of an answer, values by their bits. */
function told({ result, annotations }: QueryAnswer<RangeMatrix>): unknown {
  return {
    annotations,
    series: result.series.map(({ labels, count, timestampsMs, values }) => ({
      labels: labels.toString(),
      times: [...timestampsMs.subarray(0, count)],
      bits: [...new BigUint64Array(values.slice(0, count).buffer)],
    })),
  };
}

const SERIES = ['a', 'b', 'c'].flatMap((job) =>
  ['1', '2', '3'].flatMap((instance) => [
    Labels.from({ __name__: 'g', job, instance }),
    Labels.from({ __name__: 'c_total', job, instance }),
  ]),
);

async function live(world: World, random: SeededRandom, turns: number): Promise<number> {
  let nowMs = START_MS;
  let compared = 0;
  const value = (): number => random.below(1_000_000) / 7_919;
  const totals = SERIES.map(value);
  // Few, so that they are asked again before all has changed.
  const pool = Array.from({ length: 6 }, () => QUERIES[random.below(QUERIES.length)]!);
  const scrape = async (): Promise<void> => {
    nowMs += 15_000;
    await world.append(
      SERIES.flatMap((labels, i): Row[] => {
        if (random.below(10) === 0) return [];
        const atMs = nowMs - 4_000 + i * 300;
        if (random.below(25) === 0) return [[labels, atMs, 'stale']];
        totals[i] = random.below(20) === 0 ? 0 : totals[i]! + value();
        return [[labels, atMs, totals[i]!]];
      }),
    );
  };
  const ask = async (): Promise<void> => {
    const query = pool[random.below(pool.length)]!;
    const stepMs = [15_000, 60_000][random.below(2)]!;
    const phaseMs = random.below(8) === 0 ? 7_000 : 0;
    const newestMs = Math.floor((nowMs + random.below(3) * 60_000 - 60_000) / stepMs) * stepMs;
    const endMs = newestMs + phaseMs;
    const times = { startMs: endMs - stepMs * (10 + random.below(60)), endMs, stepMs };
    if (!world.cache.takes(world.request(query, times))) return;
    compared++;
    const cached = await world.cached(query, times);
    expect(told(cached), query).toEqual(told(await world.plain(query, times)));
  };
  for (let i = 0; i < 60; i++) await scrape();
  for (let turn = 0; turn < turns; turn++) {
    const dice = random.below(100);
    const series = SERIES[random.below(SERIES.length)]!;
    const pastMs = nowMs - random.below(WINDOW_MS + 60_000);
    if (dice < 30) await scrape();
    else if (dice < 38) await world.append([[series, pastMs, value()]]);
    else if (dice < 42) {
      const range = { minMs: pastMs, maxMs: pastMs + random.below(120_000) };
      const matchers = [Matcher.metric('g'), new Matcher('job', '=', ['a', 'b'][random.below(2)]!)];
      await world.db.deleteSamples(range, matchers);
    } else if (dice < 45) await world.db.tick();
    else if (dice < 46) await world.db.cleanTombstones();
    else await ask();
  }
  return compared;
}

const REQUESTS = /^pollux_query_result_cache_requests_total\{result="(\w+)"\} (\d+)$/gm;

describe('answers of the result cache', () => {
  it('are those of evaluation, bit for bit, after any appends, late samples, deletions and compactions', async () => {
    let compared = 0;
    const requests = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1 << 30 }), async (seed) => {
        const world = await World.open(fs.mkdtempSync(path.join(directory, 'run-')), seed);
        try {
          compared += await live(world, new SeededRandom(seed), 150);
          for (const [, result, count] of renderText(world.registry.gather()).matchAll(REQUESTS))
            requests.set(result!, (requests.get(result!) ?? 0) + Number(count));
        } finally {
          await world.db.close();
        }
      }),
      // The first life has every kind of outcome; not each of a few others has.
      { numRuns: RUNS, endOnFailure: true, examples: [[1_073_741_822]] },
    );
    expect(compared).toBeGreaterThan(RUNS * 30);
    // The comparison is worth something only while the cache answers.
    for (const result of ['hit', 'partial', 'miss', 'refused'])
      expect(requests.get(result), result).toBeGreaterThan(0);
  });

  it('of a dashboard that comes each 15 s for 6 h have only their new steps evaluated', async () => {
    const world = await World.open(directory, 1);
    try {
      const stepMs = 15_000;
      const labels = Labels.from({ __name__: 'c_total', job: 'a' });
      const sixHoursMs = 6 * 3_600_000;
      for (let atMs = START_MS; atMs <= START_MS + sixHoursMs; atMs += stepMs)
        await world.append([[labels, atMs - 2_000, atMs / 1_000]]);
      const refreshes = 40;
      for (let i = 0; i < refreshes; i++) {
        const endMs = START_MS + sixHoursMs + i * stepMs;
        if (i > 0) await world.append([[labels, endMs - 2_000, endMs / 1_000]]);
        const times = { startMs: endMs - sixHoursMs, endMs, stepMs };
        const answer = await world.cached('sum(rate(c_total[5m]))', times);
        if (i === 0) expect(world.evaluatedSteps).toBe(1_441);
        if (i % 13 === 0)
          expect(told(answer)).toEqual(told(await world.plain('sum(rate(c_total[5m]))', times)));
      }
      expect(world.evaluatedSteps).toBeLessThanOrEqual(1_441 + (refreshes - 1) * 2);
    } finally {
      await world.db.close();
    }
  });

  it('keep to their bytes, and to the limit of samples', async () => {
    const first = await World.open(directory, 1);
    try {
      for (let i = 1; i <= 40; i++)
        await first.append(SERIES.map((labels) => [labels, START_MS + i * 15_000, i]));
      const small = new World(first.db, 40_000, 270);
      const times = { startMs: START_MS, endMs: START_MS + 300_000, stepMs: 15_000 };
      for (let i = 0; i < 100; i++) await small.cached(`g{job="a"} + ${i}`, times);
      const text = renderText(small.registry.gather());
      const bytes = Number(/pollux_query_result_cache_bytes (\d+)/.exec(text)![1]);
      expect(bytes).toBeGreaterThan(5_000);
      expect(bytes).toBeLessThanOrEqual(40_000);
      // Each half passes the limit, the whole does not, whatever is kept of it.
      await small.cached('g', times);
      await expect(small.plain('g', { ...times, endMs: START_MS + 600_000 })).rejects.toThrow(
        'too many samples',
      );
      await expect(small.cached('g', { ...times, endMs: START_MS + 600_000 })).rejects.toThrow(
        'too many samples',
      );
    } finally {
      await first.db.close();
    }
  });
});
