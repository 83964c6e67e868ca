import * as fs from 'node:fs';
import * as path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { type FloatHistogram, Labels, Matcher } from '@pollux/model';
import { APPEND_OUTCOME, NO_HINTS, staleHistogram } from '@pollux/storage';
import { Registry, renderText } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import type { TsdbOptions } from '../options.ts';
import {
  ALL_TIME,
  append,
  context,
  EVERY,
  HastyClock,
  openTsdb,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { HistogramSource, histogramText } from '../testing/histograms.ts';
import { LogFile } from '../wal/log-sources.ts';
import { Zstd } from '../wal/zstd.ts';

const { ok, duplicate, outOfOrder, tooOld } = APPEND_OUTCOME;
const HOUR = 3_600_000;
const OPEN: Partial<TsdbOptions> = { outOfOrderWindowMs: 3 * HOUR, retentionMs: 0 };
const STALE = 0x7ff0000000000002n;

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

type Sample = { readonly labels: Labels; readonly atMs: number } & (
  | { readonly histogram: FloatHistogram; readonly startMs?: number }
  | { readonly value: number | bigint }
);

/** Stages one sample after the other, as they are given, in one batch. */
async function write(db: Tsdb, samples: readonly Sample[]): Promise<number[]> {
  const appender = db.appender();
  const outcomes = samples.map((sample) => {
    const ref = appender.series(sample.labels);
    if ('histogram' in sample) {
      return appender.appendHistogram(ref, sample.atMs, sample.histogram, sample.startMs ?? 0);
    }
    const values = new Float64Array(1);
    const { value } = sample;
    if (typeof value === 'number') values[0] = value;
    else new BigUint64Array(values.buffer)[0] = value;
    const outcome = new Uint8Array(1);
    const times = Float64Array.of(sample.atMs);
    appender.appendFloats(Uint32Array.of(ref), times, values, null, 1, outcome);
    return outcome[0]!;
  });
  await appender.commit();
  return outcomes;
}

function textOf(sample: Sample): string {
  if ('histogram' in sample) return histogramText(sample.histogram);
  return String(sample.value);
}

/** Offsets to T0 and texts, with the start timestamps that are known. */
async function read(db: Tsdb): Promise<Record<string, string[]>> {
  const request = { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true };
  const source = db.select(request, context());
  const answer: Record<string, string[]> = {};
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const columns of batch) {
      const { labels, count, timestampsMs, values, histograms, startTimestampsMs } = columns;
      answer[labels.toString()] = Array.from({ length: count }, (_, i) => {
        const histogram = histograms?.[i] ?? null;
        const text = histogram === null ? String(values[i]) : histogramText(histogram);
        const startMs = startTimestampsMs?.[i] ?? 0;
        return `${timestampsMs[i]! - T0} ${text}${startMs === 0 ? '' : ` from ${startMs - T0}`}`;
      });
    }
  }
  return answer;
}

function metric(registry: Registry, name: string): number {
  const line = renderText(registry.gather())
    .split('\n')
    .find((text) => text.startsWith(`prometheus_tsdb_${name}`));
  return Number(line?.split(' ').at(-1));
}

/** The first bytes of the records of a segment. */
function recordTypes(segment: string): number[] {
  const types: number[] = [];
  const file = new LogFile(new NodeFiles(), segment, new Zstd(), ({ reason }) => {
    throw new Error(reason);
  });
  const { size } = fs.statSync(segment);
  for (let bytes = file.next(size); bytes instanceof Uint8Array; bytes = file.next(size)) {
    types.push(bytes[0]!);
  }
  file.close();
  return types;
}

const KINDS = [
  { isInteger: true },
  { isInteger: false },
  { isInteger: true, isCustom: true },
  { isInteger: false, isCustom: true },
  { isInteger: true, isGauge: true },
];

const blocksIn = (data: string): string[] =>
  fs.readdirSync(data).filter((name) => name.length === 26);

/** What a kill leaves: a copy of the files as they are now. */
function copyOf(data: string): string {
  const copy = temporaryDirectory();
  fs.cpSync(data, copy, { recursive: true });
  return copy;
}

describe('native histograms out of order', () => {
  it('are decided about as floats, by the series, the head and the window, and counted by type', async () => {
    const registry = new Registry();
    const db = await openTsdb(directory, { options: OPEN, registry });
    const source = new HistogramSource(new SeededRandom(1), { isInteger: true });
    const at = (offsetMs: number, histogram = source.next()): Sample => ({
      labels: series(0),
      atMs: T0 + offsetMs,
      histogram,
    });
    const newest = at(10 * HOUR);
    expect(await write(db, [newest])).toEqual([ok]);
    expect(await write(db, [at(10 * HOUR - 1), at(7 * HOUR), at(7 * HOUR - 1)])).toEqual([
      ok,
      ok,
      tooOld,
    ]);
    expect(await write(db, [newest])).toEqual([ok]);
    expect(await write(db, [at(10 * HOUR)])).toEqual([duplicate]);
    const refusing = db.appender();
    refusing.refusesOutOfOrder = true;
    const ref = refusing.series(series(0));
    expect(refusing.appendHistogram(ref, T0 + 9 * HOUR, source.next(), 0)).toBe(outOfOrder);
    refusing.rollback();
    const typed = (name: string): number => metric(registry, `${name}{type="histogram"}`);
    expect(typed('head_out_of_order_samples_appended_total')).toBe(2);
    expect(typed('head_samples_appended_total')).toBe(3);
    expect(typed('too_old_samples_total')).toBe(1);
    expect(typed('out_of_order_samples_total')).toBe(1);
    expect(metric(registry, 'head_out_of_order_samples_appended_total{type="float"}')).toBe(0);
    expect(metric(registry, 'sample_ooo_delta_count')).toBe(4);
    expect(Object.values(await read(db))[0]!.length).toBe(3);
    await db.close();
  });

  it('go back and forth in one batch, among floats, and lose to what came before at their time', async () => {
    const db = await openTsdb(directory, { options: OPEN });
    const source = new HistogramSource(new SeededRandom(2), { isInteger: false });
    const labels = series(0);
    const [a, b, c, d] = [0, 1, 2, 3].map(() => source.next(true));
    await write(db, [{ labels, atMs: T0 + 10, value: 1 }]);
    await write(db, [{ labels, atMs: T0 + 50, histogram: a! }]);
    // Late ones, then one in order; a float in order may follow late histograms.
    expect(
      await write(db, [
        { labels, atMs: T0 + 10, histogram: b! },
        { labels, atMs: T0 + 30, histogram: c! },
        { labels, atMs: T0 + 20, histogram: b! },
        { labels, atMs: T0 + 60, value: 6 },
        { labels, atMs: T0 + 55, histogram: d! },
      ]),
    ).toEqual([ok, ok, ok, ok, ok]);
    // At the time of an out-of-order one, and of an in-order one, which were there before.
    await write(db, [
      { labels, atMs: T0 + 30, value: 3 },
      { labels, atMs: T0 + 50, value: 5 },
    ]);
    const expected = [
      '10 1',
      `20 ${histogramText(b!)}`,
      `30 ${histogramText(c!)}`,
      `50 ${histogramText(a!)}`,
      `55 ${histogramText(d!)}`,
      '60 6',
    ];
    expect(await read(db)).toEqual({ [labels.toString()]: expected });
    const killed = copyOf(directory);
    await db.close();
    for (const data of [directory, killed]) {
      const again = await openTsdb(data, { options: OPEN });
      expect(await read(again)).toEqual({ [labels.toString()]: expected });
      await again.close();
    }
    removeDirectory(killed);
  });

  it('stand in the out-of-order log in the records that Prometheus has for them', async () => {
    const options = { ...OPEN, startTimestamps: true };
    const db = await openTsdb(directory, { options });
    const random = new SeededRandom(3);
    const labels = series(0);
    await write(db, [{ labels, atMs: T0 + HOUR, value: 1 }]);
    const samples: Sample[] = KINDS.slice(0, 4).map((kind, i) => ({
      labels,
      atMs: T0 + 100 - i,
      histogram: new HistogramSource(random, kind).next(),
    }));
    await write(db, samples);
    await write(db, [
      { labels, atMs: T0 + 50, histogram: staleHistogram(true) },
      { labels, atMs: T0 + 40, value: STALE },
    ]);
    const first = samples[0] as Sample & { histogram: FloatHistogram };
    await write(db, [{ ...first, atMs: T0 + 30, startMs: T0 + 7 }]);
    await db.close();
    const wbl = path.join(directory, 'wbl/00000000');
    expect(recordTypes(wbl)).toEqual([7, 8, 9, 10, 2, 7, 12]);
    const again = await openTsdb(directory, { options });
    const lines = (await read(again))[labels.toString()]!;
    expect(lines[0]).toBe(`30 ${textOf(first)} from 7`);
    expect(lines.slice(1, 3)).toEqual(['40 NaN', '50 stale']);
    await again.close();
  });

  it('answer in any order of arrival, among floats, through blocks, deletions, kills and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = new SeededRandom(seed);
        const options: Partial<TsdbOptions> = {
          minBlockDurationMs: 60_000,
          outOfOrderWindowMs: 300_000,
          retentionMs: 0,
          samplesPerChunk: 12,
          walSegmentBytes: 4 * 32 * 1024,
          startTimestamps: random.below(2) === 0,
        };
        const clock = new HastyClock();
        let data = temporaryDirectory();
        let db = await openTsdb(data, { options, clock });
        const newestMs = T0 + 300_000;
        const leader = Labels.from({ __name__: 'leader' });
        await append(db, [{ labels: leader, timestampMs: newestMs, value: 1 }]);
        const model = new Map<string, Map<number, string>>();
        const sources = KINDS.map((kind) => new HistogramSource(random, kind));
        const check = async (): Promise<void> => {
          const expected = [...model].map(([key, samples]): [string, string[]] => [
            key,
            [...samples].sort(([x], [y]) => x - y).map(([at, text]) => `${at - T0} ${text}`),
          ]);
          const { [leader.toString()]: _, ...answer } = await read(db);
          expect(answer).toEqual(
            Object.fromEntries(expected.filter(([, list]) => list.length > 0)),
          );
        };
        const kill = async (): Promise<void> => {
          const copy = copyOf(data);
          await db.close();
          removeDirectory(data);
          data = copy;
          db = await openTsdb(data, { options, clock });
        };
        for (let round = 0; round < 30; round++) {
          const batch: Sample[] = [];
          for (let i = random.below(30); i > 0; i--) {
            const labels = series(random.below(3));
            const atMs = newestMs - random.below(295_000);
            const source = sources[random.below(sources.length)]!;
            const startMs = options.startTimestamps && random.below(2) === 0 ? atMs - 5 : 0;
            batch.push(
              random.below(2) === 0
                ? { labels, atMs, value: random.below(1000) }
                : { labels, atMs, histogram: source.next(), startMs },
            );
          }
          // Within a batch floats come before histograms, as in the log.
          const inOrder = [
            ...batch.filter((sample) => 'value' in sample),
            ...batch.filter((sample) => 'histogram' in sample),
          ];
          const taken = new Set(
            (await write(db, batch)).flatMap((outcome, i) => (outcome === ok ? [batch[i]!] : [])),
          );
          for (const sample of inOrder) {
            if (!taken.has(sample)) continue;
            const samples = model.get(sample.labels.toString()) ?? new Map<number, string>();
            model.set(sample.labels.toString(), samples);
            const from =
              'startMs' in sample && sample.startMs ? ` from ${sample.startMs - T0}` : '';
            if (!samples.has(sample.atMs)) samples.set(sample.atMs, textOf(sample) + from);
          }
          await check();
          const what = random.below(8);
          if (what === 0) await kill();
          if (what === 1) {
            const labels = series(random.below(3));
            const minMs = newestMs - random.below(295_000);
            const maxMs = minMs + random.below(60_000);
            await db.deleteSamples({ minMs, maxMs }, [new Matcher('i', '=', labels.get('i'))]);
            const samples = model.get(labels.toString());
            for (const at of samples?.keys() ?? []) {
              if (at >= minMs && at <= maxMs) samples?.delete(at);
            }
          }
          if (what === 2) await db.tick();
          await check();
        }
        await append(db, [{ labels: leader, timestampMs: newestMs + 120_000, value: 1 }]);
        await db.tick();
        expect(blocksIn(data).length).toBeGreaterThan(0);
        await check();
        await kill();
        await check();
        await db.cleanTombstones();
        await check();
        await db.close();
        removeDirectory(data);
      }),
      { numRuns: Number(process.env.TSDB_RUNS ?? 2) },
    );
  });
});
