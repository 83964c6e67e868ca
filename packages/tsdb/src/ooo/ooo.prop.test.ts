import * as fs from 'node:fs';
import { Matcher } from '@pollux/model';
import { APPEND_OUTCOME } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import {
  append,
  HastyClock,
  openTsdb,
  type Point,
  pointWith,
  query,
  removeDirectory,
  series,
  startOf,
  T0,
  temporaryDirectory,
  type Write,
} from '../testing/fixtures.ts';

const WINDOW_MS = 300_000;
const OPTIONS = {
  minBlockDurationMs: 60_000,
  outOfOrderWindowMs: WINDOW_MS,
  retentionMs: 0,
  samplesPerChunk: 12,
  walSegmentBytes: 4 * 32 * 1024,
  snapshotIntervalMs: 1000,
  snapshotLogBytes: 1,
};
const SERIES = 4;
/** Always has the newest sample, so that the newest time of the head is known. */
const LEADER = series(99);
/** Random histories; more by hand: TSDB_RUNS=500. */
const RUNS = Number(process.env.TSDB_RUNS ?? 5);
const TIMEOUT_MS = Math.max(180_000, RUNS * 10_000);

const COPIES = ['', '', 'head_snapshot', 'chunks_head'] as const;

type Step =
  | { readonly kind: 'append'; readonly writes: readonly (readonly [number, number, bigint])[] }
  | { readonly kind: 'lead'; readonly byMs: number }
  | { readonly kind: 'tick'; readonly isKilled: boolean }
  | { readonly kind: 'restart' }
  /** `lost`: a file that is a copy of what others hold. */
  | { readonly kind: 'kill'; readonly lost: (typeof COPIES)[number] }
  | { readonly kind: 'delete'; readonly index: number; readonly agoMs: number }
  | { readonly kind: 'check'; readonly agoMs: number; readonly lengthMs: number };

const bits = fc.oneof(
  fc.constantFrom(0n, 0x7ff0000000000002n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const ago = fc.integer({ min: 0, max: WINDOW_MS + 20_000 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      writes: fc.array(fc.tuple(fc.nat(SERIES - 1), ago, bits), { minLength: 1, maxLength: 40 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('lead' as const), byMs: fc.nat(25_000) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('tick' as const), isKilled: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('kill' as const), lost: fc.constantFrom(...COPIES) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      index: fc.nat(SERIES - 1),
      agoMs: ago,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('check' as const),
      agoMs: ago,
      lengthMs: fc.nat(WINDOW_MS),
    }),
  },
);

/** What the database must hold: of each series the first sample of each time. */
class Model {
  readonly #samples = new Map<string, Map<number, bigint>>();
  readonly #newest = new Map<string, number>();
  readonly #hasStarts: boolean;
  newestMs = Number.NEGATIVE_INFINITY;

  constructor(hasStarts: boolean) {
    this.#hasStarts = hasStarts;
  }

  take({ labels, timestampMs, value }: Write): void {
    const key = labels.toString();
    const points = this.#samples.get(key) ?? new Map<number, bigint>();
    if (!points.has(timestampMs)) points.set(timestampMs, value as bigint);
    this.#samples.set(key, points);
    this.#newest.set(key, Math.max(this.#newest.get(key) ?? timestampMs, timestampMs));
    this.newestMs = Math.max(this.newestMs, timestampMs);
  }

  delete(index: number, minMs: number, maxMs: number): void {
    const points = this.#samples.get(series(index).toString());
    for (const at of points?.keys() ?? []) if (at >= minMs && at <= maxMs) points?.delete(at);
  }

  /** Also when it was deleted: as in Prometheus it still decides about others of its time. */
  newestOf({ labels }: Write): number {
    return this.#newest.get(labels.toString()) ?? Number.NEGATIVE_INFINITY;
  }

  isDeleted({ labels, timestampMs }: Write): boolean {
    return this.#samples.get(labels.toString())?.has(timestampMs) !== true;
  }

  answer(minMs: number, maxMs: number): Map<string, Point[]> {
    const answer = new Map<string, Point[]>();
    for (const key of [...this.#samples.keys()].sort()) {
      const points = [...this.#samples.get(key)!]
        .filter(([at]) => at >= minMs && at <= maxMs)
        .map(([timestampMs, value]) => pointWith(this.#hasStarts, timestampMs, value))
        .sort((a, b) => a.timestampMs - b.timestampMs);
      if (points.length > 0) answer.set(key, points);
    }
    return answer;
  }
}

/** A database that can be killed: what lies on the disk at that moment is what the next one finds. */
class World {
  directory = temporaryDirectory();
  db!: Tsdb;
  readonly #startTimestamps: boolean;

  constructor(startTimestamps: boolean) {
    this.#startTimestamps = startTimestamps;
  }

  async open(): Promise<void> {
    const options = { ...OPTIONS, startTimestamps: this.#startTimestamps };
    this.db = await openTsdb(this.directory, { options, clock: new HastyClock() });
  }

  async restart(): Promise<void> {
    await this.db.close();
    await this.open();
  }

  async kill(lost = ''): Promise<void> {
    const copy = temporaryDirectory();
    fs.cpSync(this.directory, copy, { recursive: true });
    if (lost !== '') fs.rmSync(`${copy}/${lost}`, { recursive: true, force: true });
    await this.end();
    this.directory = copy;
    await this.open();
  }

  async end(): Promise<void> {
    await this.db.close();
    removeDirectory(this.directory);
  }
}

async function appendChecked(world: World, model: Model, writes: readonly Write[]): Promise<void> {
  const { ok, duplicate, tooOld } = APPEND_OUTCOME;
  const expected = writes.map((write) => {
    if (write.timestampMs < model.newestMs - WINDOW_MS) return [tooOld];
    // The newest of a series cannot be had with another value, unless it has gone to a block by now.
    return write.timestampMs === model.newestOf(write) ? [ok, duplicate] : [ok];
  });
  const outcomes = await append(world.db, writes);
  for (const [i, outcome] of outcomes.entries()) {
    expect(expected[i]).toContain(outcome);
    if (outcome === ok) model.take(writes[i]!);
  }
}

async function perform(world: World, model: Model, current: Step): Promise<void> {
  switch (current.kind) {
    case 'append': {
      const writes = current.writes.map(([index, agoMs, value]) => ({
        labels: series(index),
        timestampMs: model.newestMs - agoMs,
        value,
        startMs: startOf(model.newestMs - agoMs),
      }));
      // Of a deleted newest sample another of its time may be refused, or taken as known; an older one is a late one.
      const isClear = (write: Write): boolean =>
        write.timestampMs !== model.newestOf(write) || !model.isDeleted(write);
      await appendChecked(world, model, writes.filter(isClear));
      return;
    }
    case 'lead': {
      const timestampMs = model.newestMs + current.byMs + 1;
      const startMs = startOf(timestampMs);
      await appendChecked(world, model, [{ labels: LEADER, timestampMs, value: 1n, startMs }]);
      return;
    }
    case 'tick': {
      const tick = world.db.tick();
      // Each step of the work is a place to be killed at.
      for (let i = current.isKilled ? 40 : 0; i > 0; i--) await new Promise(setImmediate);
      if (current.isKilled) await world.kill();
      await tick.catch(() => {});
      return;
    }
    case 'restart':
      await world.restart();
      return;
    case 'kill':
      await world.kill(current.lost);
      return;
    case 'delete': {
      const minMs = model.newestMs - current.agoMs;
      const range = { minMs, maxMs: minMs + 40_000 };
      await world.db.deleteSamples(range, [new Matcher('i', '=', String(current.index))]);
      model.delete(current.index, range.minMs, range.maxMs);
      return;
    }
    case 'check': {
      const minMs = model.newestMs - current.agoMs;
      const range = { minMs, maxMs: minMs + current.lengthMs };
      expect(await query(world.db, undefined, range)).toEqual(
        model.answer(range.minMs, range.maxMs),
      );
    }
  }
}

describe('samples in any order', () => {
  it(
    'answer like samples in order, through blocks, deletions, restarts and kills at any moment',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 20, maxLength: 100, size: 'max' }),
          fc.boolean(),
          async (steps, hasStarts) => {
            const world = new World(hasStarts);
            await world.open();
            const model = new Model(hasStarts);
            model.newestMs = T0 + WINDOW_MS;
            await appendChecked(world, model, [
              {
                labels: LEADER,
                timestampMs: model.newestMs + 1,
                value: 1n,
                startMs: startOf(model.newestMs + 1),
              },
            ]);
            for (const current of steps) await perform(world, model, current);
            const everything = model.answer(-(2 ** 50), 2 ** 50);
            expect(await query(world.db)).toEqual(everything);
            await world.kill();
            expect(await query(world.db)).toEqual(everything);
            await world.db.tick();
            expect(await query(world.db)).toEqual(everything);
            await world.end();
          },
        ),
        {
          numRuns: RUNS,
          // A history that hangs, or one that is still being shortened, is shown before the test's own time is over.
          timeout: TIMEOUT_MS / 3,
          interruptAfterTimeLimit: TIMEOUT_MS - 30_000,
          markInterruptAsFailure: true,
        },
      );
    },
    TIMEOUT_MS,
  );

  it(
    'come out sorted from any permutation, before and after they move to blocks and after a restart',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.shuffledSubarray(
            Array.from({ length: 400 }, (_, i) => i),
            { minLength: 400 },
          ),
          async (order) => {
            const world = new World(false);
            await world.open();
            const newestMs = T0 + WINDOW_MS;
            await append(world.db, [{ labels: LEADER, timestampMs: newestMs, value: 1n }]);
            for (let i = 0; i < order.length; i += 7) {
              const part = order.slice(i, i + 7);
              const writes = part.map((number) => ({
                labels: series(0),
                timestampMs: T0 + number * 700,
                value: BigInt(number),
              }));
              expect(await append(world.db, writes)).toEqual(part.map(() => APPEND_OUTCOME.ok));
            }
            const sorted = order.map((_, i) => ({ timestampMs: T0 + i * 700, bits: BigInt(i) }));
            const answer = async (): Promise<unknown> =>
              (await query(world.db)).get(series(0).toString());
            expect(await answer()).toEqual(sorted);
            await append(world.db, [
              { labels: LEADER, timestampMs: newestMs + 120_000, value: 1n },
            ]);
            await world.db.tick();
            const blocks = fs.readdirSync(world.directory).filter((name) => name.length === 26);
            expect(blocks.length).toBeGreaterThan(0);
            expect(await answer()).toEqual(sorted);
            await world.restart();
            expect(await answer()).toEqual(sorted);
            await world.end();
          },
        ),
        { numRuns: 3 },
      );
    },
    TIMEOUT_MS,
  );
});
