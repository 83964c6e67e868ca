import { MAX_TIME_MS, NO_HINTS, type SampleWindows, type SeriesColumns } from '@pollux/storage';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import {
  append,
  context,
  EVERY,
  openTsdb,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { touches } from './sparse-range.ts';

const SECOND = 1_000;

describe('what windows look at', () => {
  it('is what lies in one of them, by trying each millisecond', () => {
    const number = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(
        fc.tuple(number(40), number(40), number(20), number(20), number(12), number(12)),
        ([minMs, length, firstEndMs, more, widthMs, gapMs]) => {
          const windows = { firstEndMs, stepMs: widthMs + gapMs + 1, widthMs: widthMs + 1 };
          fc.pre(windows.widthMs < windows.stepMs);
          const range = { minMs: firstEndMs - widthMs, maxMs: firstEndMs + more, windows };
          const maxMs = minMs + length;
          let isAny = false;
          for (let t = Math.max(minMs, range.minMs); t <= Math.min(maxMs, range.maxMs); t++) {
            const phase = (((t - firstEndMs) % windows.stepMs) + windows.stepMs) % windows.stepMs;
            isAny ||= phase === 0 || phase > windows.stepMs - windows.widthMs;
          }
          // Windows go on beyond the range, so it may say too much at its end.
          if (isAny) expect(touches(range, minMs, maxMs)).toBe(true);
          else if (maxMs <= range.maxMs) expect(touches(range, minMs, maxMs)).toBe(false);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('a database asked for windows', () => {
  let directory: string;
  let db: Tsdb;
  beforeEach(async () => {
    directory = temporaryDirectory();
    db = await openTsdb(directory, {
      options: {
        minBlockDurationMs: 600 * SECOND,
        retentionMs: 0,
        outOfOrderWindowMs: 300 * SECOND,
      },
    });
    for (let i = 0; i < 4_000; i++) {
      const late = i % 50 === 49 ? 100 * SECOND + 500 : 0;
      await append(db, [
        { labels: series(0), timestampMs: T0 + i * SECOND - late, value: i },
        { labels: series(1), timestampMs: T0 + i * SECOND, value: -i },
      ]);
      if (i % 1_000 === 0) await db.tick();
    }
  }, 30_000);
  afterEach(async () => {
    await db.close();
    removeDirectory(directory);
  });

  it('gives all samples in them, of head, blocks and late samples, and leaves out whole chunks between', async () => {
    const range = { minMs: T0, maxMs: T0 + 4_000 * SECOND };
    const read = async (windows: SampleWindows | null): Promise<SeriesColumns[]> => {
      const request = { range, matchers: EVERY, hints: NO_HINTS, sorted: true, windows };
      const source = db.select(request, context());
      const found: SeriesColumns[] = [];
      for (;;) {
        const batch = await source.next();
        if (batch === null) return found;
        found.push(...batch);
      }
    };
    const all = await read(null);
    expect(range.maxMs).toBeLessThan(MAX_TIME_MS);
    for (const windows of [
      { firstEndMs: T0 + 77 * SECOND, stepMs: 900 * SECOND, widthMs: 60 * SECOND },
      { firstEndMs: T0, stepMs: 401 * SECOND, widthMs: 1 },
    ]) {
      const sparse = await read(windows);
      for (const [s, { labels, count, timestampsMs, values }] of all.entries()) {
        const mine = sparse[s]!;
        expect(mine.labels.toString()).toBe(labels.toString());
        const inside = (columns: SeriesColumns): [number, number][] =>
          [...columns.timestampsMs.subarray(0, columns.count)]
            .map((timeMs, i): [number, number] => [timeMs, columns.values[i]!])
            .filter(([timeMs]) => {
              const { firstEndMs, stepMs, widthMs } = windows;
              const end = firstEndMs + Math.ceil((timeMs - firstEndMs) / stepMs) * stepMs;
              return timeMs > end - widthMs;
            });
        const wanted = inside({ ...mine, count, timestampsMs, values });
        expect(wanted.length).toBeGreaterThan(4);
        expect(inside(mine)).toEqual(wanted);
        expect(mine.count).toBeLessThan(count * 0.75);
      }
    }
  });
});
