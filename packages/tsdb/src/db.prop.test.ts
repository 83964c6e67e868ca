import { Matcher } from '@pollux/model';
import type { Appender } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import {
  HastyClock,
  openTsdb,
  type Point,
  pointWith,
  query,
  removeDirectory,
  series,
  stage,
  startOf,
  T0,
  temporaryDirectory,
  type Write,
} from './testing/fixtures.ts';

const OPTIONS = { minBlockDurationMs: 60_000, retentionMs: 0, samplesPerChunk: 12 };
const SERIES = 6;

type Step =
  | { readonly kind: 'begin' }
  | {
      readonly kind: 'stage';
      readonly index: number;
      readonly offsetMs: number;
      readonly bits: bigint;
    }
  | { readonly kind: 'commit'; readonly which: number }
  | { readonly kind: 'rollback'; readonly which: number }
  | { readonly kind: 'advance'; readonly byMs: number }
  | { readonly kind: 'tick' }
  | { readonly kind: 'restart' }
  | {
      readonly kind: 'delete';
      readonly index: number;
      readonly fromMs: number;
      readonly lengthMs: number;
    }
  | { readonly kind: 'check'; readonly fromMs: number; readonly lengthMs: number };

const bits = fc.oneof(
  fc.constantFrom(0n, 0x7ff0000000000002n, 0x3ff0000000000000n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('begin' as const) }) },
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('stage' as const),
      index: fc.nat(SERIES - 1),
      // Mostly forward, sometimes equal to or before what is there.
      offsetMs: fc.oneof(
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: -40_000, max: 5000 }),
      ),
      bits,
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('commit' as const), which: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const), which: fc.nat(3) }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), byMs: fc.nat(20_000) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tick' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      index: fc.nat(SERIES - 1),
      fromMs: fc.nat(400_000),
      lengthMs: fc.nat(50_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('check' as const),
      fromMs: fc.nat(400_000),
      lengthMs: fc.nat(200_000),
    }),
  },
);

/** The database as a map from series to samples: what it must answer. */
class Model {
  readonly #samples = new Map<string, Map<number, bigint>>();
  readonly #newest = new Map<string, number>();
  readonly #hasStarts: boolean;

  constructor(hasStarts: boolean) {
    this.#hasStarts = hasStarts;
  }

  commit(writes: readonly Write[]): void {
    for (const { labels, timestampMs, value } of writes) {
      const key = labels.toString();
      // Of several batches the first to commit wins; what is not newer than the series is dropped.
      if (timestampMs <= (this.#newest.get(key) ?? Number.NEGATIVE_INFINITY)) continue;
      this.#newest.set(key, timestampMs);
      const points = this.#samples.get(key) ?? new Map<number, bigint>();
      points.set(timestampMs, value as bigint);
      this.#samples.set(key, points);
    }
  }

  delete(index: number, minMs: number, maxMs: number): void {
    const points = this.#samples.get(series(index).toString());
    for (const at of points?.keys() ?? []) if (at >= minMs && at <= maxMs) points?.delete(at);
  }

  answer(minMs: number, maxMs: number): Map<string, Point[]> {
    const answer = new Map<string, Point[]>();
    for (const key of [...this.#samples.keys()].sort()) {
      const points = [...this.#samples.get(key)!]
        .filter(([at]) => at >= minMs && at <= maxMs)
        .map(([timestampMs, value]) => pointWith(this.#hasStarts, timestampMs, value));
      if (points.length > 0) answer.set(key, points);
    }
    return answer;
  }
}

type Batch = { readonly appender: Appender; readonly accepted: Write[] };

describe('the database', () => {
  it('answers like a plain map through any history of batches, blocks, deletions and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 400, size: 'max' }),
        fc.boolean(),
        async (steps, startTimestamps) => {
          const directory = temporaryDirectory();
          const open = (): Promise<Tsdb> =>
            openTsdb(directory, {
              options: { ...OPTIONS, startTimestamps },
              clock: new HastyClock(),
            });
          let db = await open();
          const model = new Model(startTimestamps);
          let batches: Batch[] = [];
          let nowMs = T0;
          const commit = async (batch: Batch | undefined): Promise<void> => {
            if (batch === undefined) return;
            batches = batches.filter((other) => other !== batch);
            await batch.appender.commit();
            model.commit(batch.accepted);
          };
          const commitAll = async (): Promise<void> => {
            while (batches.length > 0) await commit(batches[0]);
          };
          for (const current of steps) {
            switch (current.kind) {
              case 'begin':
                if (batches.length < 3) batches.push({ appender: db.appender(), accepted: [] });
                break;
              case 'stage': {
                if (batches.length === 0) batches.push({ appender: db.appender(), accepted: [] });
                const batch = batches[current.index % batches.length]!;
                const write: Write = {
                  labels: series(current.index),
                  timestampMs: nowMs + current.offsetMs,
                  value: current.bits,
                  startMs: startOf(nowMs + current.offsetMs),
                };
                if (stage(batch.appender, [write])[0] === 0) batch.accepted.push(write);
                break;
              }
              case 'commit':
                await commit(batches[current.which]);
                break;
              case 'rollback':
                batches[current.which]?.appender.rollback();
                batches = batches.filter((_, i) => i !== current.which);
                break;
              case 'advance':
                nowMs += current.byMs;
                break;
              case 'tick':
                // A block waits for open batches.
                await commitAll();
                await db.tick();
                break;
              case 'restart':
                await commitAll();
                await db.close();
                db = await open();
                break;
              case 'delete': {
                await commitAll();
                const range = {
                  minMs: T0 + current.fromMs,
                  maxMs: T0 + current.fromMs + current.lengthMs,
                };
                await db.deleteSamples(range, [new Matcher('i', '=', String(current.index))]);
                model.delete(current.index, range.minMs, range.maxMs);
                break;
              }
              case 'check': {
                const range = {
                  minMs: T0 + current.fromMs,
                  maxMs: T0 + current.fromMs + current.lengthMs,
                };
                expect(await query(db, undefined, range)).toEqual(
                  model.answer(range.minMs, range.maxMs),
                );
                break;
              }
            }
          }
          await commitAll();
          expect(await query(db)).toEqual(model.answer(-(2 ** 50), 2 ** 50));
          await db.close();
          db = await open();
          expect(await query(db)).toEqual(model.answer(-(2 ** 50), 2 ** 50));
          await db.close();
          removeDirectory(directory);
        },
      ),
      { numRuns: Number(process.env.TSDB_RUNS ?? 10), endOnFailure: true },
    );
  }, 60_000);
});
