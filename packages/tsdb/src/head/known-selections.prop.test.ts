import { VirtualClock } from '@pollux/base';
import { Matcher, STALE_NAN_HIGH, STALE_NAN_LOW } from '@pollux/model';
import { NO_HINTS, type SeriesSource } from '@pollux/storage';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import {
  append,
  context,
  openTsdb,
  type Point,
  pointsOf,
  query,
  type Range,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';

const STALE = (BigInt(STALE_NAN_HIGH) << 32n) | BigInt(STALE_NAN_LOW);
const OPTIONS = {
  minBlockDurationMs: 60_000,
  maxBlockDurationMs: 60_000,
  outOfOrderWindowMs: 90_000,
  retentionMs: 0,
};

/** Few, so that each is asked again and again; made anew each time, as plans make them. */
const ASKED: readonly (() => Matcher[])[] = [
  () => [new Matcher('__name__', '=', 'm')],
  () => [new Matcher('__name__', '=', 'm'), new Matcher('i', '=~', '[0-4]')],
  () => [new Matcher('__name__', '=~', 'm|n'), new Matcher('i', '!=', '3')],
  () => [new Matcher('i', '=', '2')],
];

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** Two matchers' texts must not run into each other. */
it('is not found under the text of other matchers', async () => {
  const db = await openTsdb(directory);
  await append(db, [{ labels: series(1), timestampMs: T0, value: 1 }]);
  const name = new Matcher('__name__', '=', 'm');
  expect(await query(db, [name, new Matcher('i', '=', '1')])).toHaveProperty('size', 1);
  for (const other of [new Matcher('i', '!=', '1'), new Matcher('i=', '=', '1')]) {
    expect(await query(db, [name, other])).toHaveProperty('size', 0);
  }
  await db.close();
});

type Step =
  | {
      readonly kind: 'append';
      readonly series: number;
      readonly ageMs: number;
      readonly isStale: boolean;
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'delete'; readonly series: number; readonly ageMs: number }
  | { readonly kind: 'tick' };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        series: fc.nat(9),
        ageMs: fc.constantFrom(0, 0, 0, 500, 20_000),
        isStale: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        ms: fc.constantFrom(1, 1_000, 70_000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('delete' as const),
        series: fc.nat(9),
        ageMs: fc.constantFrom(0, 1_000),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'tick' as const }) },
  ),
  { minLength: 10, maxLength: 60 },
);

const labelsOf = (index: number) => series(index % 5, index < 5 ? 'm' : 'n');

/** The newest sample of each series, as who wants no other is given it. */
function newestOnly(db: Tsdb, matchers: readonly Matcher[], range: Range): SeriesSource {
  const request = { range, matchers, hints: NO_HINTS, sorted: true, isNewestOnly: true };
  return db.select(request, context());
}

async function read(source: SeriesSource): Promise<[string, Point][]> {
  const found: [string, Point][] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const columns of batch) {
      expect(columns.count).toBeLessThan(2);
      if (columns.count > 0) found.push([columns.labels.toString(), pointsOf(columns)[0]!]);
    }
  }
  return found;
}

/** No series has these, so that each finds what the others do and is looked for anew. */
let asked = 0;
const anew = (): Matcher => new Matcher(`absent_${asked++}`, '=', '');

/** The same by all samples, which come from chunks, of series that are looked for. */
async function lastOfAll(db: Tsdb, matchers: readonly Matcher[], range: Range) {
  const all = await query(db, [...matchers, anew()], range);
  return [...all].map(([labels, points]): [string, Point] => [labels, points.at(-1)!]);
}

it('gives the last of all samples where only the newest is wanted, through late ones, stale markers, deletions, blocks and a restart', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(3), async (list, first) => {
      const folder = temporaryDirectory();
      const clock = new VirtualClock(T0);
      let db = await openTsdb(folder, { options: OPTIONS, clock });
      let nowMs = T0;
      const same = async (opened: SeriesSource, before: [string, Point][], matchers: Matcher[]) => {
        // What comes after a read was begun is not shown.
        expect(await read(opened)).toEqual(before);
        for (const maxMs of [nowMs, nowMs - 600, nowMs - 30_000]) {
          const range = { minMs: maxMs - 300_000, maxMs };
          const expected = await lastOfAll(db, matchers, range);
          expect(await read(newestOnly(db, matchers, range))).toEqual(expected);
        }
      };
      for (const [at, step] of list.entries()) {
        const matchers = ASKED[(first + at) % ASKED.length]!();
        const range = { minMs: nowMs - 300_000, maxMs: nowMs + 1 };
        const before = await lastOfAll(db, matchers, range);
        const opened = newestOnly(db, matchers, range);
        if (step.kind === 'append') {
          const value = step.isStale ? STALE : at;
          const timestampMs = nowMs - step.ageMs;
          await append(db, [{ labels: labelsOf(step.series), timestampMs, value }]);
          nowMs++;
        } else if (step.kind === 'pass') nowMs += step.ms;
        else if (step.kind === 'delete') {
          opened.close();
          const { i = '' } = { i: labelsOf(step.series).get('i') };
          const gone = { minMs: nowMs - step.ageMs - 5, maxMs: nowMs - step.ageMs };
          await db.deleteSamples(gone, [new Matcher('i', '=', i)]);
          continue;
        } else {
          opened.close();
          await db.tick();
          continue;
        }
        await same(opened, before, matchers);
      }
      await db.close();
      db = await openTsdb(folder, { options: OPTIONS, clock });
      await db.recovered();
      const range = { minMs: nowMs - 300_000, maxMs: nowMs };
      for (const matchers of ASKED) {
        const expected = await lastOfAll(db, matchers(), range);
        expect(await read(newestOnly(db, matchers(), range))).toEqual(expected);
      }
      await db.close();
      removeDirectory(folder);
    }),
    { numRuns: 25 },
  );
}, 60_000);
