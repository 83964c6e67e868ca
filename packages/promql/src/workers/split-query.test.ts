import { InlineWorkers, LimitError, type Workers } from '@pollux/base';
import { NodeWorkers, nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import type { Queryable, SeriesSource } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine, type EngineOptions } from '../engine.ts';
import { QueryError } from '../errors.ts';
import { parseExpr } from '../parser/parser.ts';
import { isStepLocal } from '../range-cache/step-local.ts';
import type { EncodedAnswer } from '../result.ts';
import { MemorySeries } from '../script/memory-series.ts';
import { ALL_FEATURES, arbitraryQuery } from '../testing/arbitrary-query.ts';
import { addOddSeries } from '../testing/odd-series.ts';
import { QUERY } from '../testing/query-worker.ts';
import { QueryWorkers } from './query-workers.ts';
import { SelectMeeting } from './select-meeting.ts';
import { splitRange } from './split-range.ts';

const MINUTE = 60_000;
const times = { startMs: 30_000, endMs: 18 * MINUTE, stepMs: 15_000 };
const env = nodeEnv();
const odd = new MemorySeries();
addOddSeries((labels, sample) => odd.add(labels, sample));

/** Storage that says that it has very many series. */
function crowded(queryable: Pick<Queryable, 'select'>): Queryable {
  return {
    select: (request, context) => queryable.select(request, context),
    likelySeries: () => 1e6,
    labelNames: async () => ({ values: [], warnings: [] }),
    labelValues: async () => ({ values: [], warnings: [] }),
  };
}

function pool(workers: Workers, count: number) {
  const registry = new Registry();
  const common = { clock: env.clock, log: Log.silent(), registry };
  const made = new QueryWorkers({ ...common, workers, entry: QUERY, count });
  const counted = (name: string): number => {
    const family = registry.gather().find((one) => one.name === `pollux_query_workers_${name}`)!;
    return (family.samples[0] as { readonly value: number }).value;
  };
  return { pool: made, counted };
}

const threads = pool(new NodeWorkers(), 2);
const inlineThreads = pool(new InlineWorkers(env), 2);
/** Two queries at once, after which there are two threads. */
async function startBoth(workers: QueryWorkers): Promise<void> {
  const asked = { query: 'sum(g)', queryable: crowded(odd), limit: 0, ...times };
  const there = engine(workers);
  await Promise.all([there.encoded(asked), there.encoded(asked)]);
}

beforeAll(() => Promise.all([startBoth(threads.pool), startBoth(inlineThreads.pool)]), 60_000);
afterAll(() => Promise.all([threads.pool.close(), inlineThreads.pool.close()]));

function engine(workers: QueryWorkers | null, changed: Partial<EngineOptions> = {}): Engine {
  return new Engine({
    clock: env.clock,
    registry: new Registry(),
    log: Log.silent(),
    maxSamples: 20_000,
    maxMemoryBytes: 64_000_000,
    features: { ...ALL_FEATURES, perStepStats: true },
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

/** All that a caller sees of a query, but its times and how many samples were held at once. */
async function seen(asked: Promise<EncodedAnswer>): Promise<object> {
  try {
    const answer = await asked;
    const { totalQueryableSamples, samplesRead, perStep } = answer.stats;
    const { isTruncated, annotations } = answer;
    const text = await textOf(answer);
    return { text, isTruncated, annotations, totalQueryableSamples, samplesRead, perStep };
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return { kind: error.kind, message: error.message };
  }
}

const USUAL = [
  'sum by (job) (rate(c_total[5m]))',
  'sum(rate(c_total[2m])) / sum(rate(c_total[5m]))',
  'histogram_quantile(0.9, sum by (le) (rate(b_bucket[5m])))',
  'histogram_quantile(0.5, h)',
  'rate(h[4m])',
  'nhcb',
  'mixed',
  'odd',
  'quantile by (job) (0.9, g)',
  'topk(1, g)',
  'g @ 600 + c_total offset 2m',
  'max_over_time(g[3m] @ end())',
  'min(c_total) or max(g)',
  'absent(nothing)',
  'scalar(g{job="a"}) + 1',
  'rate(g[5m])',
  'g / on (job) c_total',
  'g / on () c_total',
];

describe.each([
  ['threads', threads],
  ['workers in this thread', inlineThreads],
])('a heavy range query in %s', (_, { pool: workers, counted }) => {
  it('answers as one thread does, bit for bit, remarks and figures too, or fails with the same words', async () => {
    const limits = { timeoutMs: 1_000 };
    const here = engine(null, limits);
    const there = engine(workers, limits);
    const queryable = crowded(odd);
    const compare = async (query: string, limit: number): Promise<void> => {
      const asked = { query, queryable, limit, perStepStats: true, ...times };
      const [a, b] = [await seen(here.encoded(asked)), await seen(there.encoded(asked))];
      if ([a, b].some((one) => 'kind' in one && one.kind === 'timeout')) return;
      expect(b).toEqual(a);
    };
    const before = counted('split_total');
    for (const query of USUAL) for (const limit of [0, 1]) await compare(query, limit);
    const usual = counted('split_total') - before;
    // All but those that were found to need one thread are split each time.
    expect(usual).toBeGreaterThan(USUAL.length);
    const local = arbitraryQuery.filter((query) => {
      try {
        return isStepLocal(parseExpr(query, ALL_FEATURES));
      } catch {
        return false;
      }
    });
    await fc.assert(
      fc.asyncProperty(local, (query) => compare(query, 0)),
      { numRuns: 60 },
    );
    expect(counted('split_total') - before - usual).toBeGreaterThan(10);
  }, 60_000);

  it('gives columns as one thread does', async () => {
    for (const query of ['rate(h[5m])', 'odd', 'sum(c_total)']) {
      const asked = { query, queryable: crowded(odd), ...times };
      const { result } = await engine(workers).range(asked);
      expect(result).toEqual((await engine(null).range(asked)).result);
    }
  });

  it('begins the selections of all shares in one turn, so that they see the same commits', async () => {
    const turns: number[] = [];
    let turn = 0;
    const tick = setInterval(() => turn++, 1);
    const watched = crowded({
      select: (request, context) => {
        turns.push(turn);
        // Whoever would wait for a later turn shows here.
        setImmediate(() => turn++);
        return odd.select(request, context);
      },
    });
    const asked = { query: 'sum(c_total) / sum(g)', queryable: watched, limit: 0, ...times };
    await engine(workers).encoded(asked);
    clearInterval(tick);
    const shares = turns.length / 2;
    expect(shares).toBeGreaterThan(1);
    expect(new Set(turns.slice(0, shares)).size).toBe(1);
    expect(new Set(turns.slice(shares)).size).toBe(1);
  });

  it('is evaluated whole by one where the remarks of its shares differ, and the next time at once', async () => {
    // What is no counter is told of series that are there: this one is only in the second half.
    const late = new MemorySeries();
    for (let i = 20; i < 40; i++) {
      const labels = Labels.from({ __name__: 'm' });
      late.add(labels, { timestampMs: i * 30_000, value: i });
    }
    const asked = { query: 'rate(m[2m])', queryable: crowded(late), limit: 0, ...times };
    const [splits, vain] = [counted('split_total'), counted('split_in_vain_total')];
    const there = engine(workers);
    const first = await there.encoded(asked);
    expect(first.annotations).toHaveLength(1);
    expect(first.annotations).toEqual((await there.encoded(asked)).annotations);
    expect(counted('split_total') - splits).toBe(1);
    expect(counted('split_in_vain_total') - vain).toBe(1);
  });

  it('fails for too many samples as in one thread, also where each share has few enough', async () => {
    const steps = (times.endMs - times.startMs) / times.stepMs + 1;
    const asked = { query: 'c_total', queryable: crowded(odd), limit: 0, ...times };
    for (const maxSamples of [2 * steps, 4 * steps, 8 * steps]) {
      const here = await seen(engine(null, { maxSamples }).encoded(asked));
      expect(await seen(engine(workers, { maxSamples }).encoded(asked))).toEqual(here);
    }
  });

  it('fails with what its storage says, whichever share hears it', async () => {
    const failing = crowded({
      select: (request, context) => {
        if (request.range.minMs < 2 * MINUTE) return odd.select(request, context);
        return {
          next: () => Promise.reject(new LimitError('T.LIMIT', 'some.limit', 'too much for it')),
          warnings: [],
          close: () => {},
        };
      },
    });
    const asked = { query: 'g', queryable: failing, limit: 0, ...times };
    // One thread reads all of it, so it hears nothing.
    const answer = await engine(workers).encoded(asked);
    expect(await textOf(answer)).toContain('"job":"a"');
    const worse = { ...asked, startMs: 10 * MINUTE };
    await expect(engine(workers).encoded(worse)).rejects.toMatchObject({
      kind: 'execution',
      message: 'too much for it',
      cause: { limit: 'some.limit' },
    });
  });
});

/** Of the later share no batch ever comes. */
function stuckInLater(onWait: () => void): Queryable {
  return crowded({
    select: (request, context): SeriesSource => {
      if (request.range.minMs < 2 * MINUTE) return odd.select(request, context);
      return {
        next: () =>
          new Promise((_resolve, reject) => {
            onWait();
            context.signal.addEventListener('abort', () => reject(context.signal.reason));
          }),
        warnings: [],
        close: () => {},
      };
    },
  });
}

describe('a query of which one share does not come to an end', () => {
  it('ends when its client goes, and leaves its threads idle', async () => {
    const there = engine(threads.pool);
    const abort = new AbortController();
    const queryable = stuckInLater(() => setTimeout(() => abort.abort(), 20));
    const asked = { query: 'sum(g)', queryable, limit: 0, ...times, signal: abort.signal };
    await expect(there.encoded(asked)).rejects.toMatchObject({ kind: 'canceled' });
    await expect.poll(() => threads.pool.idle).toBe(2);
    expect(
      await seen(
        there.encoded({ ...asked, queryable: crowded(odd), signal: new AbortController().signal }),
      ),
    ).toHaveProperty('text');
  });

  it('ends at its time-out', async () => {
    const asked = { query: 'sum(g)', queryable: stuckInLater(() => {}), limit: 0, ...times };
    await expect(engine(threads.pool, { timeoutMs: 150 }).encoded(asked)).rejects.toMatchObject({
      kind: 'timeout',
    });
    await expect.poll(() => threads.pool.idle).toBe(2);
  });

  it('fails when the thread of a share is lost, and the next query has another', async () => {
    const started: { stop(): Promise<void> }[] = [];
    const real = new NodeWorkers();
    const watched: Workers = {
      parallelism: 2,
      start: (entry, options) => {
        const handle = real.start(entry, options);
        started.push(handle);
        return handle;
      },
    };
    const { pool: two, counted } = pool(watched, 2);
    try {
      const there = engine(two);
      await startBoth(two);
      const queryable = stuckInLater(() => void started[1]!.stop());
      const asked = { query: 'sum(g)', queryable, limit: 0, ...times };
      await expect(there.encoded(asked)).rejects.toBeInstanceOf(QueryError);
      expect(counted('lost_total')).toBe(1);
      await expect.poll(() => two.idle).toBe(1);
      expect(await seen(there.encoded({ ...asked, queryable: crowded(odd) }))).toHaveProperty(
        'text',
      );
    } finally {
      await two.close();
    }
  }, 60_000);
});

it('a heavy query starts no thread for shares of it', async () => {
  const { pool: workers, counted } = pool(new InlineWorkers(env), 2);
  const asked = { query: 'sum(g)', queryable: crowded(odd), limit: 0, ...times };
  const there = engine(workers);
  for (let i = 0; i < 2; i++) await there.encoded(asked);
  expect([workers.idle, counted('split_total')]).toEqual([1, 0]);
  await startBoth(workers);
  await there.encoded(asked);
  expect([workers.idle, counted('split_total')]).toEqual([2, 1]);
  await workers.close();
});

describe('the shares of a range query', () => {
  const lookbackMs = 5 * MINUTE;
  const day = { startMs: 0, endMs: 1_440 * MINUTE, stepMs: MINUTE };
  const known = (series: number): Queryable => ({ ...crowded(odd), likelySeries: () => series });
  const shares = (
    query: string,
    changed: { series?: number; most?: number; steps?: number } = {},
  ) => {
    const { series = 1_000, most = 2, steps = 1_441 } = changed;
    const asked = { ...day, endMs: (steps - 1) * MINUTE };
    return splitRange(
      parseExpr(query, ALL_FEATURES),
      { times: asked, lookbackMs },
      known(series),
      most,
    );
  };

  it('follow one another and make up all steps', () => {
    for (const most of [2, 3, 4]) {
      const made = shares('sum(rate(m[5m]))', { most })!;
      expect(made).toHaveLength(most);
      expect(made[0]!.startMs).toBe(day.startMs);
      expect(made.at(-1)!.endMs).toBe(day.endMs);
      for (let i = 1; i < most; i++) expect(made[i]!.startMs).toBe(made[i - 1]!.endMs + MINUTE);
    }
  });

  it('are none where one thread does as well or must do it', () => {
    expect(shares('sum(rate(m[5m]))', { most: 1 })).toBeNull();
    expect(shares('sum(rate(m[5m]))', { series: 10 })).toBeNull();
    expect(shares('sum(rate(m[5m]))', { steps: 31, series: 1e6 })).toBeNull();
    // Each share would read nearly all of it.
    expect(shares('sum(rate(m[2d]))')).toBeNull();
    expect(shares('sum(m @ 600)')).toBeNull();
    // Two share what three would read too much for.
    expect(shares('sum(rate(m[5h]))', { most: 4 })).toHaveLength(2);
    // Not step-local, or counted for the whole only.
    expect(shares('avg_over_time(m[5m])')).toBeNull();
    expect(shares('label_replace(m, "a", "b", "c", "d")')).toBeNull();
    expect(shares('max_over_time(m[5m:1m])')).toBeNull();
    const instant = { startMs: 0, endMs: 0, stepMs: 0 };
    const expr = parseExpr('sum(m)', ALL_FEATURES);
    expect(splitRange(expr, { times: instant, lookbackMs }, known(1e9), 2)).toBeNull();
  });
});

it('a selection of a share waits for those of the others, and for none that has ended', async () => {
  const meeting = new SelectMeeting(2);
  const begun: string[] = [];
  const reach = (share: number, name: string): void => {
    void meeting.reach(share).then(() => begun.push(name));
  };
  reach(0, 'a1');
  await Promise.resolve();
  expect(begun).toEqual([]);
  reach(1, 'b1');
  await new Promise(setImmediate);
  expect(begun).toEqual(['a1', 'b1']);
  reach(0, 'a2');
  reach(0, 'a3');
  await new Promise(setImmediate);
  expect(begun).toHaveLength(2);
  meeting.leave(1);
  await new Promise(setImmediate);
  expect(begun).toEqual(['a1', 'b1', 'a2', 'a3']);
});
