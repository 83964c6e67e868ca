import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { OperatingError, SeededRandom, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { MemorySeries } from '@pollux/promql/script';
import { type Queryable, withRemotes } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BLOCK_MS,
  clockSamples,
  expectEqual,
  fill,
  MINUTE_MS,
  matrixOf,
  QUERIES,
  rare,
  type Sample,
  SPAN_MS,
  START_MS,
  samplesOf,
  steps,
} from './testing/downsampled-history.ts';

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-downsampling-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** What needs the samples themselves. */
const SAMPLE_QUERIES = [
  { query: 's_total', stepMs: 3 * MINUTE_MS },
  { query: 'rate(s_total[130s])', stepMs: 70_000 },
  { query: 'stddev_over_time(s_total[5m])', stepMs: MINUTE_MS },
];

/** The local storage began so long after the history did. */
const EARLY_MS = 9 * MINUTE_MS + 7_000;
/** The server was down from here, for a while. */
const GAP = { startMs: START_MS + 16 * MINUTE_MS + 4_000, endMs: START_MS + 19 * MINUTE_MS + 1 };

type Keep = (atMs: number) => boolean;

function held(all: ReadonlyMap<Labels, readonly Sample[]>, keep: Keep): Map<Labels, Sample[]> {
  return new Map(
    [...all].map(([labels, samples]) => [
      labels,
      samples.filter(({ timestampMs }) => keep(timestampMs)),
    ]),
  );
}

function inMemory(all: ReadonlyMap<Labels, readonly Sample[]>): MemorySeries {
  const memory = new MemorySeries();
  for (const [labels, samples] of all) for (const sample of samples) memory.add(labels, sample);
  return memory;
}

/** A database that has dropped all but its newest samples and has buckets of a minute of the others. */
async function leaving(
  all: ReadonlyMap<Labels, readonly Sample[]>,
  seed: number,
  allowApproximate: boolean,
): Promise<Tsdb> {
  const db = await Tsdb.open({
    directory: fs.mkdtempSync(path.join(directory, 'db-')),
    env: { ...nodeEnv(), clock: new VirtualClock(), random: new SeededRandom(seed) },
    log: Log.silent(),
    registry: new Registry(),
    options: {
      minBlockDurationMs: BLOCK_MS,
      fsync: 'none',
      retentionMs: BLOCK_MS,
      bucketsPerSlice: 8,
      allowApproximate,
      downsampling: [{ resolutionMs: MINUTE_MS, afterMs: 0, retentionMs: 0 }],
    },
  });
  await fill(db, all);
  return db;
}

class Gone extends OperatingError {
  constructor() {
    super('TEST.GONE', 'the remote is away');
  }
}

const away: Queryable = {
  select: () => ({ next: () => Promise.reject(new Gone()), warnings: [], close: () => {} }),
  labelNames: () => Promise.reject(new Gone()),
  labelValues: () => Promise.reject(new Gone()),
};

async function refused(queryable: Queryable, query: string, stepMs: number): Promise<boolean> {
  try {
    await matrixOf(queryable, query, stepMs);
    return false;
  } catch (error) {
    expect(String(error)).toMatch(/dropped, down-sampled data of 1m are left, and remote storage/);
    return true;
  }
}

describe('a server with down-sampled data and remote storage', () => {
  const history = fc.tuple(
    fc.array(fc.tuple(steps, rare), { minLength: 6, maxLength: 6 }),
    fc.integer({ min: 1, max: 1 << 30 }),
  );
  const always: Keep = () => true;

  /** Gives the test a database, and all that ever was, of which it has lost the beginning and a gap. */
  async function withHistory(
    { hasGap = false, allowApproximate = false },
    check: (parts: {
      readonly all: ReadonlyMap<Labels, readonly Sample[]>;
      readonly local: ReadonlyMap<Labels, readonly Sample[]>;
      readonly scale: number;
      readonly served: (remote: Queryable, readRecent?: boolean) => Queryable;
    }) => Promise<void>,
  ): Promise<void> {
    await fc.assert(
      fc.asyncProperty(history, async ([shapes, seed]) => {
        const all = new Map<Labels, readonly Sample[]>([
          [Labels.from({ __name__: 'clock' }), clockSamples()],
          // In each minute there is one, whatever the shapes are.
          [Labels.from({ __name__: 's_total', i: 'steady' }), clockSamples()],
          ...shapes.map(([shape, odd], i): [Labels, readonly Sample[]] => [
            Labels.from({ __name__: 's_total', i: String(i) }),
            samplesOf(shape, odd),
          ]),
        ]);
        const values = [...all].flatMap(([, samples]) => samples.map(({ value }) => value));
        const scale = values.reduce((sum, v) => sum + (Number.isFinite(v) ? Math.abs(v) : 0), 1);
        const inGap: Keep = (atMs) => hasGap && atMs >= GAP.startMs && atMs < GAP.endMs;
        const local = held(all, (atMs) => atMs >= START_MS + EARLY_MS && !inGap(atMs));
        const db = await leaving(local, seed, allowApproximate);
        try {
          const sinceMs = db.extent.oldestMs;
          expect(sinceMs).toBeGreaterThan(START_MS + SPAN_MS / 2);
          const gaps = hasGap ? [GAP] : [];
          await check({
            all,
            local,
            scale,
            served: (queryable, readRecent = false) =>
              withRemotes(db, [{ queryable, readRecent }], () => ({
                sinceMs,
                bucketsSinceMs: START_MS + EARLY_MS,
                gaps,
              })),
          });
        } finally {
          await db.close();
        }
      }),
      { numRuns: 3, endOnFailure: true },
    );
  }

  it('answers as if nothing had been dropped when the remote has all, and what it missed itself too', async () => {
    await withHistory({ hasGap: true }, async ({ all, scale, served }) => {
      const truth = inMemory(all);
      for (const readRecent of [false, true]) {
        const queryable = served(inMemory(held(all, always)), readRecent);
        for (const { query, stepMs } of [...QUERIES, ...SAMPLE_QUERIES]) {
          const expected = await matrixOf(truth, query, stepMs);
          expectEqual(await matrixOf(queryable, query, stepMs), expected, scale, query);
        }
      }
    });
  }, 60_000);

  it('answers from buckets what they can tell, and refuses the rest, when the remote is away', async () => {
    await withHistory({}, async ({ local, scale, served }) => {
      const truth = inMemory(local);
      const queryable = served(away);
      for (const { query, stepMs } of QUERIES) {
        const expected = await matrixOf(truth, query, stepMs);
        expectEqual(await matrixOf(queryable, query, stepMs), expected, scale, query);
      }
      for (const { query, stepMs } of SAMPLE_QUERIES) {
        expect(await refused(queryable, query, stepMs), query).toBe(true);
      }
    });
  }, 60_000);

  it('answers from buckets and remote together, and refuses the rest, when the remote lacks a part', async () => {
    await withHistory({}, async ({ all, local, scale, served }) => {
      const lacks: Keep = (atMs) =>
        atMs < START_MS + 15 * MINUTE_MS || atMs > START_MS + 30 * MINUTE_MS;
      const remote = held(all, lacks);
      const truth = inMemory(local);
      for (const [labels, samples] of remote) for (const one of samples) truth.add(labels, one);
      const queryable = served(inMemory(remote));
      for (const { query, stepMs } of QUERIES) {
        const expected = await matrixOf(truth, query, stepMs);
        expectEqual(await matrixOf(queryable, query, stepMs), expected, scale, query);
      }
      for (const { query, stepMs } of SAMPLE_QUERIES) {
        expect(await refused(queryable, query, stepMs), query).toBe(true);
        expect(await refused(served(inMemory(remote), true), query, stepMs), query).toBe(true);
      }
    });
  }, 60_000);

  it('fills in the last sample of each interval that nobody has, where approximate answers are allowed', async () => {
    await withHistory({ allowApproximate: true }, async ({ local, served }) => {
      const query = 's_total{i="steady"}';
      const exact = await matrixOf(inMemory(local), query, MINUTE_MS);
      const near = await matrixOf(served(away), query, MINUTE_MS);
      // A sample each 15 s of which that at the full minute is the last.
      expect(near).toEqual(exact);
      const all = await matrixOf(served(inMemory(local)), 'count_over_time(s_total[90s])', 70_000);
      const truth = await matrixOf(inMemory(local), 'count_over_time(s_total[90s])', 70_000);
      expect(all).toEqual(truth);
    });
  }, 60_000);

  it('asks the remote for nothing that buckets answer', async () => {
    await withHistory({}, async ({ local, served }) => {
      const asked: number[] = [];
      const inner = inMemory(local);
      const watched: Queryable = {
        select: (request, context) => {
          asked.push(request.range.maxMs);
          return inner.select(request, context);
        },
        labelNames: inner.labelNames.bind(inner),
        labelValues: inner.labelValues.bind(inner),
      };
      await matrixOf(served(watched), 'sum_over_time(s_total[5m])', MINUTE_MS);
      expect(asked.length).toBeGreaterThan(0);
      // With the margin.
      for (const maxMs of asked) {
        expect(maxMs).toBeLessThanOrEqual(START_MS + EARLY_MS + 6 * MINUTE_MS);
      }
    });
  }, 60_000);
});
