import { sleep, VirtualClock } from '@pollux/base';
import { type FloatHistogram, Labels } from '@pollux/model';
import { MemoryBudget, type Queryable } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { Engine, type EngineOptions } from './engine.ts';
import { QueryError } from './errors.ts';
import type { InstantVector, QueryResult } from './result.ts';
import { MemorySeries } from './script/memory-series.ts';

const MINUTE = 60_000;

function newEngine(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({
    clock: new VirtualClock(),
    registry: new Registry(),
    log: Log.silent(),
    ...options,
  });
}

/** One sample a minute from 0 on; undefined leaves a gap, 'stale' ends the series. */
function series(
  all: Readonly<Record<string, readonly (number | 'stale' | undefined)[]>>,
): MemorySeries {
  const storage = new MemorySeries();
  for (const [text, values] of Object.entries(all)) {
    const [name, job = ''] = text.split('|');
    const labels = Labels.from({ __name__: name!, job });
    for (const [index, value] of values.entries()) {
      if (value === undefined) continue;
      const isStale = value === 'stale';
      storage.add(labels, {
        timestampMs: index * MINUTE,
        value: isStale ? Number.NaN : value,
        isStale,
      });
    }
  }
  return storage;
}

function shown(result: QueryResult): string {
  switch (result.kind) {
    case 'vector':
      return result.labels
        .map((labels, i) => `${labels.toMetricString()} ${result.values[i]}`)
        .join('; ');
    case 'matrix':
      return result.series
        .map((item) => {
          const points = Array.from(
            { length: item.count },
            (_, i) => `${item.values[i]}@${item.timestampsMs[i]! / MINUTE}`,
          );
          return `${item.labels.toMetricString()} ${points.join(' ')}`;
        })
        .join('; ');
    default:
      return String(result.value);
  }
}

async function at(storage: Queryable, query: string, minute: number): Promise<string> {
  const { result } = await newEngine().instant({
    query,
    timeMs: minute * MINUTE,
    queryable: storage,
  });
  return shown(result);
}

async function failure(work: Promise<unknown>): Promise<QueryError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof QueryError) return error;
    throw error;
  }
  throw new Error('did not fail');
}

describe('selection', () => {
  it('looks back over a left-open window of five minutes', async () => {
    const storage = series({ up: [1] });
    expect(await at(storage, 'up', 4.99)).toBe('up 1');
    expect(await at(storage, 'up', 5)).toBe('');
  });

  it('ends a series at a stale marker and skips the marker inside ranges', async () => {
    const storage = series({ up: [1, 2, 'stale', 4] });
    expect(await at(storage, 'up', 1)).toBe('up 2');
    expect(await at(storage, 'up', 2)).toBe('');
    expect(await at(storage, 'up', 3)).toBe('up 4');
    expect(await at(storage, 'count_over_time(up[10m])', 3)).toBe('{} 3');
  });

  it('takes n samples of a range of n intervals, whatever the alignment', async () => {
    const storage = series({ up: Array.from({ length: 30 }, (_, i) => i) });
    expect(await at(storage, 'count_over_time(up[5m])', 20)).toBe('{} 5');
    expect(await at(storage, 'count_over_time(up[5m])', 20.5)).toBe('{} 5');
    expect(await at(storage, 'up[2m]', 20)).toBe('up 19@19 20@20');
  });

  it('moves by offset either way and stands still at @', async () => {
    const storage = series({ up: Array.from({ length: 30 }, (_, i) => i) });
    expect(await at(storage, 'up offset 3m', 10)).toBe('up 7');
    expect(await at(storage, 'up offset -3m', 10)).toBe('up 13');
    expect(await at(storage, 'up @ 240', 10)).toBe('up 4');
    expect(await at(storage, 'up @ 240 offset 1m', 10)).toBe('up 3');
    expect(await at(storage, 'sum_over_time(up[2m] @ 240)', 10)).toBe('{} 7');
  });

  it('aligns subqueries to multiples of their step', async () => {
    const storage = series({ up: Array.from({ length: 30 }, (_, i) => i) });
    expect(await at(storage, 'up[10m:4m]', 21)).toBe('up 12@12 16@16 20@20');
    expect(await at(storage, 'up[8m:4m]', 20)).toBe('up 16@16 20@20');
    expect(await at(storage, 'up[8m:4m] offset 1m', 20)).toBe('up 12@12 16@16');
    expect(await at(storage, 'up[3m:]', 20)).toBe('up 18@18 19@19 20@20');
  });

  it('gives a range over many batches the same as step by step', async () => {
    const storage = series({ up: Array.from({ length: 400 }, (_, i) => (i * i) % 17) });
    const engine = newEngine();
    const query = 'sum_over_time(up[7m]) + max_over_time(up[3m:2m]) - up offset 2m';
    const { result } = await engine.range({
      query,
      startMs: 10 * MINUTE,
      endMs: 390 * MINUTE,
      stepMs: MINUTE,
      queryable: storage,
    });
    const [only] = result.series;
    expect(only?.count).toBe(381);
    for (const step of [0, 63, 64, 65, 128, 380]) {
      const single = await engine.instant({
        query,
        timeMs: (10 + step) * MINUTE,
        queryable: storage,
      });
      expect(only!.values[step]).toBe((single.result as InstantVector).values[0]);
    }
  });
});

describe('vector matching', () => {
  const storage = series({
    'a|x': [1],
    'a|y': [2],
    'b|x': [10],
    'b|y': [20],
    'c|x': [5],
    'd|x': [7],
  });

  it.each([
    ['a + on(job) b', '{job="x"} 11; {job="y"} 22'],
    ['a > bool on(job) b', '{job="x"} 0; {job="y"} 0'],
    ['b > on(job) a', '{job="x"} 10; {job="y"} 20'],
    ['b > 15', 'b{job="y"} 20'],
    ['15 < b', 'b{job="y"} 20'],
    ['a and ignoring(nothing) c', 'a{job="x"} 1'],
    ['a unless c', 'a{job="y"} 2'],
    ['c or a', 'c{job="x"} 5; a{job="y"} 2'],
    ['b * on(job) group_left() a', '{job="x"} 10; {job="y"} 40'],
  ])('%s gives %s', async (query, expected) => {
    expect(await at(storage, query, 0)).toBe(expected);
  });

  it.each([
    [
      'a + on() b',
      'found duplicate series for the match group {} on the right hand-side of the operation: [{__name__="b", job="x"}, {__name__="b", job="y"}];many-to-many matching not allowed: matching labels must be unique on one side',
    ],
    [
      'a + on() c',
      'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
    ],
    [
      '{__name__=~"c|d"} * on(job) group_left c',
      'multiple matches for labels: grouping labels must ensure unique matches',
    ],
    ['abs({__name__=~"c|d"})', 'vector cannot contain metrics with the same labelset'],
    [
      'label_replace(a, "job", "z", "", "")',
      'vector cannot contain metrics with the same labelset',
    ],
  ])('%s fails as in Prometheus', async (query, message) => {
    const error = await failure(at(storage, query, 0));
    expect(error.kind).toBe('execution');
    expect(error.message).toBe(message);
  });
});

describe('limits', () => {
  const storage = series({ up: Array.from({ length: 500 }, (_, i) => i) });

  it('refuses to hold more samples than allowed', async () => {
    const engine = newEngine({ maxSamples: 100 });
    const error = await failure(
      engine.range({
        query: 'up',
        startMs: 0,
        endMs: 400 * MINUTE,
        stepMs: MINUTE,
        queryable: storage,
      }),
    );
    expect(error.kind).toBe('too_many_samples');
    expect(error.message).toBe(
      'query processing would load too many samples into memory in query execution',
    );
  });

  it('gives its memory back to the budget, also after a failure', async () => {
    const budget = new MemoryBudget(1_000_000);
    const engine = newEngine();
    await engine.instant({
      query: 'sum_over_time(up[4h])',
      timeMs: 400 * MINUTE,
      queryable: storage,
      budget,
    });
    // The samples while they are read, and the value that is made of them.
    expect(budget.peakBytes).toBe(240 * 16 + 9);
    expect(budget.usedBytes).toBe(0);
    const small = new MemoryBudget(1_000);
    const error = await failure(
      engine.instant({
        query: 'sum_over_time(up[4h])',
        timeMs: 400 * MINUTE,
        queryable: storage,
        budget: small,
      }),
    );
    expect(error.message).toContain('query needs more than the 1000 bytes');
    expect(small.usedBytes).toBe(0);
  });

  it('counts the series that count_values makes of values as memory, and says which limit they pass', async () => {
    const ask = (query: string, budget: MemoryBudget) =>
      newEngine().range({
        query,
        startMs: 0,
        endMs: 400 * MINUTE,
        stepMs: MINUTE,
        queryable: storage,
        budget,
      });
    const budget = new MemoryBudget(100_000);
    // As many samples, one series.
    expect(shown((await ask('count(up)', budget)).result).split(' ')).toHaveLength(402);
    const error = await failure(ask('count_values("v", up)', budget));
    expect([error.kind, error.message]).toEqual([
      'execution',
      'query needs more than the 100000 bytes that --query.max-memory allows; narrow the selector or the time range, or raise the limit',
    ]);
    expect(budget.usedBytes).toBe(0);
    const { result } = await ask('count_values("v", up)', new MemoryBudget(400_000));
    expect(result.series).toHaveLength(401);
  });

  it('counts samples once, also where an aggregation begins anew because of histograms', async () => {
    const mixed = new MemorySeries();
    const histogram: FloatHistogram = {
      counterResetHint: 'unknown',
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 1,
      sum: 1,
      positiveSpans: [{ offset: 0, length: 1 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(1),
      negativeBuckets: new Float64Array(0),
      customValues: null,
      isInteger: false,
      isStale: false,
    };
    for (let job = 0; job < 5; job++) {
      const labels = Labels.from({ __name__: 'm', job: String(job) });
      for (let i = 0; i < 10; i++) {
        const sample = { timestampMs: i * MINUTE, value: i };
        mixed.add(labels, job === 4 ? { ...sample, histogram } : sample);
      }
    }
    const times = { startMs: 0, endMs: 9 * MINUTE, stepMs: MINUTE };
    const samplesOf = async (query: string): Promise<number> => {
      const { stats } = await newEngine().range({ query, queryable: mixed, ...times });
      return stats.totalQueryableSamples;
    };
    expect(await samplesOf('m')).toBeGreaterThan(0);
    expect(await samplesOf('sum(m)')).toBe(await samplesOf('m'));
    expect(await samplesOf('sum(rate(m[5m]))')).toBe(await samplesOf('rate(m[5m])'));
  });

  it('tells bad queries from bad ranges and from failures', async () => {
    const engine = newEngine();
    const bad = await failure(engine.instant({ query: 'sum(', timeMs: 0, queryable: storage }));
    expect([bad.kind, bad.message]).toEqual([
      'bad_data',
      '1:5: parse error: unclosed left parenthesis',
    ]);
    const range = { startMs: 0, endMs: MINUTE, stepMs: MINUTE, queryable: storage };
    expect((await failure(engine.range({ ...range, query: 'up[5m]' }))).message).toBe(
      'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    );
    expect((await failure(engine.range({ ...range, query: 'up', stepMs: 0 }))).kind).toBe(
      'bad_data',
    );
    expect((await failure(engine.range({ ...range, query: 'up', endMs: -1 }))).kind).toBe(
      'bad_data',
    );
  });

  it('stops at its time-out and when its signal aborts', async () => {
    const clock = new VirtualClock();
    const engine = newEngine({ clock, timeoutMs: 1_000 });
    const slow = slowQueryable(clock, 5_000, storage);
    const late = failure(engine.instant({ query: 'up', timeMs: 0, queryable: slow }));
    await clock.advance(10_000);
    expect([(await late).kind, (await late).message]).toEqual([
      'timeout',
      'query timed out in query execution',
    ]);
    const controller = new AbortController();
    const aborted = failure(
      engine.instant({ query: 'up', timeMs: 0, queryable: slow, signal: controller.signal }),
    );
    controller.abort();
    await clock.advance(10_000);
    expect((await aborted).kind).toBe('canceled');
  });

  it('lets queries wait for a slot, and refuses them when the queue is full', async () => {
    const clock = new VirtualClock();
    const registry = new Registry();
    const engine = newEngine({
      clock,
      registry,
      maxConcurrency: 1,
      maxQueued: 1,
      timeoutMs: 60_000,
    });
    const slow = slowQueryable(clock, 1_000, storage);
    const first = engine.instant({ query: 'up', timeMs: 0, queryable: slow });
    const second = engine.instant({ query: 'up', timeMs: 0, queryable: slow });
    const third = await failure(engine.instant({ query: 'up', timeMs: 0, queryable: slow }));
    expect(third.message).toContain('too many queries are waiting');
    await clock.advance(5_000);
    expect(shown((await first).result)).toBe('up 0');
    expect((await second).stats.queueMs).toBeGreaterThanOrEqual(1_000);
    const running = registry.gather().find(({ name }) => name === 'prometheus_engine_queries');
    expect(running?.samples[0]?.value).toBe(0);
  });
});

/** Answers each batch only after a while of virtual time. */
function slowQueryable(clock: VirtualClock, delayMs: number, inner: Queryable): Queryable {
  return {
    labelNames: inner.labelNames.bind(inner),
    labelValues: inner.labelValues.bind(inner),
    select: (request, context) => {
      const source = inner.select(request, context);
      return {
        warnings: source.warnings,
        close: () => source.close(),
        next: async () => {
          await sleep(clock, delayMs, context.signal);
          return source.next();
        },
      };
    },
  };
}

describe('delayed name removal', () => {
  it('is off by default: names go at once and equal series may meet later', async () => {
    const storage = series({ 'a_total|x': [1, 2, 3], 'b_total|x': [1, 2, 3] });
    const engine = newEngine();
    const query = 'sum by (__name__) (rate({job="x"}[5m]))';
    const error = await failure(engine.instant({ query, timeMs: 2 * MINUTE, queryable: storage }));
    expect(error.message).toBe('vector cannot contain metrics with the same labelset');
    const delayed = newEngine({ features: { delayedNameRemoval: true } });
    const { result } = await delayed.instant({
      query: 'label_replace(rate({job="x"}[5m]), "__name__", "r_$1", "__name__", "(.*)_total")',
      timeMs: 2 * MINUTE,
      queryable: storage,
    });
    expect(shown(result)).toMatch(/^r_a\{job="x"\} [\d.]+; r_b\{job="x"\} [\d.]+$/);
  });
});
