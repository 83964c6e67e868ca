import {
  InlineWorkers,
  LimitError,
  VirtualClock,
  type WorkerEntry,
  type WorkerHandle,
  type WorkerOptions,
  type Workers,
} from '@pollux/base';
import { NodeWorkers, nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import type { Queryable, SeriesSource } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Engine, type EngineOptions } from '../engine.ts';
import { QueryError } from '../errors.ts';
import type { EncodedAnswer } from '../result.ts';
import { MemorySeries } from '../script/memory-series.ts';
import { ALL_FEATURES, arbitraryQuery } from '../testing/arbitrary-query.ts';
import { addOddSeries } from '../testing/odd-series.ts';
import { QUERY } from '../testing/query-worker.ts';
import { QueryWorkers } from './query-workers.ts';

const MINUTE = 60_000;
const env = nodeEnv();
const odd = new MemorySeries();
addOddSeries((labels, sample) => odd.add(labels, sample));

function pool(workers: Workers, changed: { readonly maxHeapMegabytes?: number } = {}) {
  const registry = new Registry();
  const common = { clock: env.clock, log: Log.silent(), registry };
  const made = new QueryWorkers({ ...common, workers, entry: QUERY, count: 2, ...changed });
  return { pool: made, registry };
}

const threads = pool(new NodeWorkers()).pool;
const inlineThreads = pool(new InlineWorkers(env)).pool;
afterAll(() => Promise.all([threads.close(), inlineThreads.close()]));

function engine(workers: QueryWorkers | null, changed: Partial<EngineOptions> = {}): Engine {
  return new Engine({
    clock: env.clock,
    registry: new Registry(),
    log: Log.silent(),
    maxSamples: 20_000,
    maxMemoryBytes: 64_000_000,
    features: ALL_FEATURES,
    ...(workers === null ? {} : { workers }),
    ...changed,
  });
}

async function textOf({ body }: EncodedAnswer): Promise<string> {
  if (body.kind === 'whole') return Buffer.concat(body.pieces).toString();
  const chunks: Uint8Array[] = [];
  for await (const part of body.parts) chunks.push(part);
  return `${Buffer.concat(chunks).toString()}}`;
}

/** All that a caller sees of a query, but its times. */
async function seen(asked: Promise<EncodedAnswer>): Promise<object> {
  try {
    const answer = await asked;
    const { totalQueryableSamples, peakSamples } = answer.stats;
    const { isTruncated, annotations } = answer;
    const text = await textOf(answer);
    return { text, isTruncated, annotations, totalQueryableSamples, peakSamples };
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return { kind: error.kind, message: error.message };
  }
}

describe.each([
  ['threads', threads],
  ['workers in this thread', inlineThreads],
])('queries in %s', (_, workers) => {
  it('answer as in this thread, bit for bit, or fail with the same words', async () => {
    const limits = { timeoutMs: 500 };
    const here = engine(null, limits);
    const there = engine(workers, limits);
    let compared = 0;
    const compare = async (asked: Parameters<Engine['encoded']>[0]): Promise<void> => {
      const [a, b] = [await seen(here.encoded(asked)), await seen(there.encoded(asked))];
      if ([a, b].some((one) => 'kind' in one && one.kind === 'timeout')) return;
      expect(b).toEqual(a);
      compared++;
    };
    await fc.assert(
      fc.asyncProperty(arbitraryQuery, fc.constantFrom(0, 2), async (query, limit) => {
        await compare({ query, queryable: odd, limit, timeMs: 10 * MINUTE });
        const times = { startMs: 5 * MINUTE, endMs: 15 * MINUTE, stepMs: MINUTE };
        await compare({ query, queryable: odd, limit, ...times });
      }),
      { numRuns: 120 },
    );
    // Queries that run out of time tell nothing.
    expect(compared).toBeGreaterThan(120);
  }, 60_000);

  it('give columns as in this thread', async () => {
    for (const query of ['mixed', 'h', 'odd', 'mixed[20m]', '1', '"a"', 'rate(h[5m])']) {
      const asked = { query, queryable: odd, timeMs: 10 * MINUTE };
      const { result } = await engine(workers).instant(asked);
      expect(result).toEqual((await engine(null).instant(asked)).result);
    }
  });

  it('give a large answer in parts, as they are taken', async () => {
    const large = new MemorySeries();
    for (let s = 0; s < 300; s++) {
      const labels = Labels.from({ __name__: 'm', s: `ä${s}` });
      for (let i = 0; i < 40; i++)
        large.add(labels, { timestampMs: i * 15_000, value: Math.sqrt(s + i) });
    }
    const times = { startMs: 0, endMs: 600_000, stepMs: 1_000 };
    const asked = { query: 'm', queryable: large, limit: 0, ...times };
    const limits = { maxSamples: 1_000_000 };
    const answer = await engine(workers, limits).encoded(asked);
    expect(answer.body.kind).toBe('parts');
    expect(await textOf(answer)).toBe(await textOf(await engine(null, limits).encoded(asked)));
  });
});

/** Storage whose every read waits until its query is over. */
const STUCK: Queryable = {
  select: (_, { signal }): SeriesSource => ({
    next: () =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    warnings: [],
    close: () => {},
  }),
  labelNames: async () => ({ values: [], warnings: [] }),
  labelValues: async () => ({ values: [], warnings: [] }),
};

/** Very many series of one sample. */
const CROWD: Queryable = {
  ...STUCK,
  select: (): SeriesSource => {
    let next = 0;
    return {
      next: async () => {
        if (next === 200_000) return null;
        return Array.from({ length: 1_000 }, () => ({
          labels: Labels.from({ __name__: 'm', s: `${String(next++).padStart(6, '0')}` }),
          count: 1,
          timestampsMs: Float64Array.of(0),
          values: Float64Array.of(next),
          histograms: null,
          startTimestampsMs: null,
          replica: '',
        }));
      },
      warnings: [],
      close: () => {},
    };
  },
};

const LONG = { startMs: 0, endMs: 11_000 * 1000, stepMs: 1000 };
/** Holds a worker for minutes. */
const ENDLESS = 'sum(count_over_time((vector(1) + vector(2))[11000s:1ms]))';

describe('a query in a thread', () => {
  it('ends when its client goes, in the middle of its work, and the worker goes on', async () => {
    const there = engine(threads, { maxSamples: 1e12 });
    const abort = new AbortController();
    const asked = there.encoded({
      query: ENDLESS,
      queryable: odd,
      limit: 0,
      ...LONG,
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(), 100);
    await expect(asked).rejects.toMatchObject({
      kind: 'canceled',
      message: 'query was canceled in query execution',
    });
    const next = await there.encoded({ query: '1', queryable: odd, limit: 0, timeMs: 0 });
    expect(await textOf(next)).toContain('"1"');
  });

  it('ends at its time-out, computing or waiting for storage', async () => {
    const there = engine(threads, { maxSamples: 1e12, timeoutMs: 150 });
    const times = { limit: 0, ...LONG };
    const message = 'query timed out in query execution';
    for (const [query, queryable] of [
      [ENDLESS, odd],
      ['m', STUCK],
    ] as const) {
      const asked = there.encoded({ query, queryable, ...times });
      await expect(asked).rejects.toMatchObject({ kind: 'timeout', message });
    }
  });

  it('fails with what its storage says', async () => {
    const failing: Queryable = {
      ...STUCK,
      select: () => ({
        next: () => Promise.reject(new LimitError('T.LIMIT', 'some.limit', 'too much for it')),
        warnings: [],
        close: () => {},
      }),
    };
    const asked = engine(threads).instant({ query: 'm', queryable: failing, timeMs: 0 });
    await expect(asked).rejects.toMatchObject({
      kind: 'execution',
      message: 'too much for it',
      cause: { limit: 'some.limit' },
    });
  });

  it('fails clearly when its worker needs too much memory, and the next has another', async () => {
    const { pool: small, registry } = pool(new NodeWorkers(), { maxHeapMegabytes: 24 });
    try {
      const there = engine(small, { maxSamples: 1e12, maxMemoryBytes: 1e12 });
      const asked = there.encoded({ query: '-(-m)', queryable: CROWD, limit: 0, timeMs: 0 });
      await expect(asked).rejects.toMatchObject({
        kind: 'execution',
        message: expect.stringContaining('needed more memory than it may have'),
      });
      const next = there.encoded({ query: '1', queryable: odd, limit: 0, timeMs: 0 });
      expect(await textOf(await next)).toContain('"1"');
      const lost = registry.gather().find(({ name }) => name === 'pollux_query_workers_lost_total');
      expect(lost?.samples).toMatchObject([{ value: 1 }]);
    } finally {
      await small.close();
    }
  }, 30_000);
});

/** Workers that say nothing to queries. */
class DeafWorkers implements Workers {
  readonly parallelism = 1;
  stopped = 0;
  posted = 0;
  /** As if the worker had said something. */
  say: () => void = () => {};

  start<Data, In, Out>(
    _entry: WorkerEntry<Data, In, Out>,
    { signal, onMessage }: WorkerOptions<Data, Out>,
  ): WorkerHandle<In> {
    this.say = () => onMessage({ kind: 'next', id: -1, select: 0 } as Out);
    let end: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    signal.addEventListener('abort', end);
    const stop = async (): Promise<void> => {
      this.stopped++;
      end();
    };
    const post = (): void => {
      this.posted++;
    };
    return { post, ended, stop };
  }
}

it('a query that is known to be small runs in this thread; one that is not, or that may be large, does not', async () => {
  const deaf = new DeafWorkers();
  const common = { clock: new VirtualClock(), log: Log.silent(), registry: new Registry() };
  const idle = new QueryWorkers({ ...common, workers: deaf, entry: QUERY, count: 1 });
  const there = engine(idle, { clock: common.clock, maxPointsHere: 1_000 });
  const known = (series: number | null): Queryable => ({
    select: (request, context) => odd.select(request, context),
    labelNames: STUCK.labelNames,
    labelValues: STUCK.labelValues,
    sizeAtMost: ({ minMs, maxMs }) =>
      series === null ? null : { series, samples: (series * (maxMs - minMs)) / 5_000 },
  });
  const isHere = async (query: string, queryable: Queryable, steps = 1): Promise<boolean> => {
    const startMs = 10 * MINUTE;
    const times = { startMs, endMs: startMs + (steps - 1) * 1_000, stepMs: 1_000 };
    const asked = there.encoded({ query, queryable, limit: 0, ...times });
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 20))]);
    const isAnswered = deaf.posted === 0;
    deaf.posted = 0;
    asked.catch(() => {});
    return isAnswered;
  };
  // Five minutes of a series have 60 samples, three a point, and finding it costs 50.
  expect(await isHere('g', known(13))).toBe(true);
  expect(await isHere('g', known(14))).toBe(false);
  expect(await isHere('rate(g[50m])', known(4))).toBe(false);
  expect(await isHere('rate(g[15m])', known(3))).toBe(true);
  expect(await isHere('g', known(5), 100)).toBe(false);
  expect(await isHere('1', known(0), 900)).toBe(true);
  expect(await isHere('1', known(0), 11_000)).toBe(false);
  expect(await isHere('g', known(null))).toBe(false);
  expect(await isHere('g', odd)).toBe(false);
  expect(await isHere('info(g)', known(0))).toBe(false);
  // Windows that overlap are gone through again at each step, and sorted by some functions.
  expect(await isHere('max_over_time(g[5m])', known(1), 30)).toBe(true);
  expect(await isHere('quantile_over_time(0.5, g[5m])', known(1), 30)).toBe(false);
  // A subquery has steps of its own.
  expect(await isHere('max_over_time(g[1m:1s])', known(1))).toBe(true);
  expect(await isHere('max_over_time(g[1m:1s])', known(4))).toBe(false);
  expect(await isHere('max_over_time(max_over_time(g[1m:1s])[1m:1s])', known(1))).toBe(true);
  expect(await isHere('max_over_time(max_over_time(g[5m:1s])[5m:1s])', known(1))).toBe(false);
  await idle.close();
});

it.each([
  ['does not end a query', 10_000],
  ['has not begun', 61_000],
])('a worker that %s is replaced', async (what, mostMs) => {
  const deaf = new DeafWorkers();
  const clock = new VirtualClock();
  const common = { clock, log: Log.silent(), registry: new Registry() };
  const hung = new QueryWorkers({ ...common, workers: deaf, entry: QUERY, count: 1 });
  const there = engine(hung, { clock, timeoutMs: 10 });
  const asked = there.instant({ query: '1', queryable: odd, timeMs: 0 });
  const failed = expect(asked).rejects.toMatchObject({ kind: 'timeout' });
  await clock.advance(2_000);
  await failed;
  if (what !== 'has not begun') deaf.say();
  expect(deaf.stopped).toBe(0);
  await clock.advance(mostMs - 8_000);
  expect(deaf.stopped).toBe(0);
  await clock.advance(8_000);
  expect(deaf.stopped).toBe(1);
  await hung.close();
});

it('a worker that nobody asks for long ends, and the next query has another', async () => {
  const clock = new VirtualClock();
  const registry = new Registry();
  const common = { clock, log: Log.silent(), registry };
  const idle = new QueryWorkers({
    ...common,
    workers: new InlineWorkers(env),
    entry: QUERY,
    count: 2,
  });
  const figure = (name: string): number => {
    const family = registry.gather().find((one) => one.name === `pollux_query_workers${name}`)!;
    return (family.samples[0] as { readonly value: number }).value;
  };
  const there = engine(idle, { clock });
  const asked = { query: '1', queryable: odd, limit: 0, timeMs: 0 };
  await there.encoded(asked);
  await clock.advance(599_000);
  await there.encoded(asked);
  await clock.advance(599_000);
  expect(figure('')).toBe(1);
  await clock.advance(2_000);
  expect(figure('')).toBe(0);
  await there.encoded(asked);
  expect(figure('')).toBe(1);
  // Of two, one ends sooner.
  await Promise.all([there.encoded(asked), there.encoded(asked)]);
  expect(figure('')).toBe(2);
  await clock.advance(149_000);
  expect(figure('')).toBe(2);
  await clock.advance(2_000);
  expect(figure('')).toBe(1);
  await clock.advance(448_000);
  expect(figure('')).toBe(1);
  await clock.advance(2_000);
  expect(figure('')).toBe(0);
  expect(figure('_lost_total')).toBe(0);
  await idle.close();
});
