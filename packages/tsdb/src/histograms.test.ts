import { SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { type FloatHistogram, Labels, Matcher } from '@pollux/model';
import { APPEND_OUTCOME, NO_HINTS, type SeriesColumns } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import {
  ALL_TIME,
  append,
  context,
  EVERY,
  openTsdb,
  removeDirectory,
  T0,
  temporaryDirectory,
} from './testing/fixtures.ts';
import { HistogramSource, sameHistogram } from './testing/histograms.ts';
import { segmentName } from './wal/segment.ts';
import { WalReader } from './wal/wal-reader.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const OPTIONS = { minBlockDurationMs: 120_000, retentionMs: 0, walSegmentBytes: 32 * 1024 };
const NAME = Labels.from({ __name__: 'h', job: 'a' });

type Sample = { readonly timestampMs: number; readonly value: FloatHistogram | number };

async function put(
  db: Tsdb,
  labels: Labels,
  timestampMs: number,
  histogram: FloatHistogram,
): Promise<number> {
  const appender = db.appender();
  const outcome = appender.appendHistogram(appender.series(labels), timestampMs, histogram, 0);
  await appender.commit();
  return outcome;
}

async function read(db: Tsdb, range = ALL_TIME): Promise<Map<string, SeriesColumns>> {
  const source = db.select({ range, matchers: EVERY, hints: NO_HINTS, sorted: true }, context());
  const answer = new Map<string, SeriesColumns>();
  for (;;) {
    const batch = await source.next();
    if (batch === null) return answer;
    for (const columns of batch) answer.set(columns.labels.toString(), columns);
  }
}

function expectSame(columns: SeriesColumns | undefined, samples: readonly Sample[]): void {
  expect(columns?.count).toBe(samples.length);
  for (const [i, { timestampMs, value }] of samples.entries()) {
    expect(columns?.timestampsMs[i]).toBe(timestampMs);
    const histogram = columns?.histograms?.[i] ?? null;
    if (typeof value === 'number') {
      expect(histogram).toBeNull();
      expect(columns?.values[i]).toBe(value);
    } else expect(sameHistogram(histogram, value)).toBe(true);
  }
}

describe('native histograms', () => {
  it('of all kinds, between floats, are answered as appended: from the head, blocks, and after restarts', async () => {
    const random = new SeededRandom(5);
    const ledger = new Map<string, Sample[]>();
    const sources = Array.from({ length: 6 }, (_, i) => ({
      labels: Labels.from({ __name__: 'h', i: String(i) }),
      source: new HistogramSource(random, {
        isInteger: i % 2 === 0,
        isCustom: i === 4,
        isGauge: i === 5,
      }),
    }));
    let db = await openTsdb(directory, { options: OPTIONS });
    for (let step = 0; step < 500; step++) {
      const timestampMs = T0 + step * 1000;
      const appender = db.appender();
      for (const { labels, source } of sources) {
        if (random.below(12) === 0) continue;
        const samples = ledger.get(labels.toString()) ?? [];
        ledger.set(labels.toString(), samples);
        const ref = appender.series(labels);
        if (random.below(25) === 0) {
          const outcomes = new Uint8Array(1);
          const times = Float64Array.of(timestampMs);
          const refs = Uint32Array.of(ref);
          appender.appendFloats(refs, times, Float64Array.of(step), null, 1, outcomes);
          samples.push({ timestampMs, value: step });
          continue;
        }
        const value = source.next();
        expect(appender.appendHistogram(ref, timestampMs, value, 0)).toBe(APPEND_OUTCOME.ok);
        samples.push({ timestampMs, value });
      }
      await appender.commit();
      if (step % 40 === 0) await db.tick();
      if (step % 150 === 149) {
        await db.close();
        db = await openTsdb(directory, { options: OPTIONS });
      }
    }
    const answer = await read(db);
    for (const [labels, samples] of ledger) expectSame(answer.get(labels), samples);
    await db.close();
  });

  it('that go back say so by their hint, those that go on do too', async () => {
    const db = await openTsdb(directory, { options: OPTIONS });
    const source = new HistogramSource(new SeededRandom(1), { isInteger: true });
    for (let i = 0; i < 6; i++) {
      if (i === 3) source.reset();
      await put(db, NAME, T0 + i, source.next(true));
    }
    const columns = (await read(db)).get(NAME.toString());
    expect(columns?.histograms?.map((histogram) => histogram?.counterResetHint)).toEqual([
      'unknown',
      'not-reset',
      'not-reset',
      'unknown',
      'not-reset',
      'not-reset',
    ]);
    // A part of a chunk goes on from what is not shown of it, as in Prometheus.
    const part = await read(db, { minMs: T0 + 1, maxMs: T0 + 2 });
    expect(
      part.get(NAME.toString())?.histograms?.map((histogram) => histogram?.counterResetHint),
    ).toEqual(['not-reset', 'not-reset']);
    await db.close();
  });

  it('end with a stale marker among histograms, also after a restart', async () => {
    let db = await openTsdb(directory, { options: OPTIONS });
    const source = new HistogramSource(new SeededRandom(2), { isInteger: true });
    await put(db, NAME, T0, source.next());
    await append(db, [{ labels: NAME, timestampMs: T0 + 1, value: 0x7ff0000000000002n }]);
    for (let round = 0; round < 2; round++) {
      const columns = (await read(db)).get(NAME.toString());
      expect(columns?.histograms?.map((histogram) => histogram?.isStale)).toEqual([false, true]);
      await db.close();
      db = await openTsdb(directory, { options: OPTIONS });
    }
    await put(db, NAME, T0 + 2, source.next());
    expect((await read(db)).get(NAME.toString())?.histograms?.[2]?.isStale).toBe(false);
    await db.close();
  });

  it('are refused when older, or when another sample has their time; the same again is a no-op', async () => {
    const db = await openTsdb(directory, { options: OPTIONS });
    const source = new HistogramSource(new SeededRandom(3), { isInteger: false });
    const first = source.next(true);
    const second = source.next(true);
    expect(await put(db, NAME, T0, first)).toBe(APPEND_OUTCOME.ok);
    expect(await put(db, NAME, T0, { ...first })).toBe(APPEND_OUTCOME.ok);
    expect(await put(db, NAME, T0, second)).toBe(APPEND_OUTCOME.duplicate);
    expect(await put(db, NAME, T0 - 1, second)).toBe(APPEND_OUTCOME.outOfOrder);
    expect(await put(db, NAME, T0 - 10 * 60_000, second)).toBe(APPEND_OUTCOME.outOfBounds);
    expect(await append(db, [{ labels: NAME, timestampMs: T0, value: 1 }])).toEqual([
      APPEND_OUTCOME.duplicate,
    ]);
    expect(await append(db, [{ labels: NAME, timestampMs: T0 + 1, value: 1 }])).toEqual([
      APPEND_OUTCOME.ok,
    ]);
    expect(await put(db, NAME, T0 + 1, second)).toBe(APPEND_OUTCOME.duplicate);
    const appender = db.appender();
    expect(appender.appendHistogram(77, T0, first, 0)).toBe(APPEND_OUTCOME.unknownRef);
    appender.rollback();
    expectSame((await read(db)).get(NAME.toString()), [
      { timestampMs: T0, value: first },
      { timestampMs: T0 + 1, value: 1 },
    ]);
    await db.close();
  });

  it('and floats of one series in one batch: a stale marker follows, another float is refused and nothing is lost', async () => {
    let db = await openTsdb(directory, { options: OPTIONS });
    const histogram = new HistogramSource(new SeededRandom(9), { isInteger: true }).next(true);
    const appender = db.appender();
    const ref = appender.series(NAME);
    expect(appender.appendHistogram(ref, T0, histogram, 0)).toBe(APPEND_OUTCOME.ok);
    const values = new Float64Array(new BigUint64Array([0n, 0x7ff0000000000002n]).buffer);
    const times = Float64Array.of(T0 + 1, T0 + 2);
    const outcomes = new Uint8Array(2);
    expect(appender.appendFloats(Uint32Array.of(ref, ref), times, values, null, 2, outcomes)).toBe(
      1,
    );
    expect([...outcomes]).toEqual([APPEND_OUTCOME.outOfOrder, APPEND_OUTCOME.ok]);
    await appender.commit();
    for (let round = 0; round < 2; round++) {
      const columns = (await read(db)).get(NAME.toString());
      expect([...(columns?.timestampsMs ?? [])]).toEqual([T0, T0 + 2]);
      expect(columns?.histograms?.map((entry) => entry?.isStale)).toEqual([false, true]);
      await db.close();
      db = await openTsdb(directory, { options: OPTIONS });
    }
    await db.close();
  });

  it('that contradict themselves are refused in words, and the batch goes on', async () => {
    const db = await openTsdb(directory, { options: OPTIONS });
    const histogram = new HistogramSource(new SeededRandom(4), { isInteger: true }).next(true);
    const appender = db.appender();
    const ref = appender.series(NAME);
    const wrong = { ...histogram, count: histogram.count + 1 };
    expect(() => appender.appendHistogram(ref, T0, wrong, 0)).toThrow(
      'observations found in buckets, but the Count field is',
    );
    appender.appendHistogram(ref, T0, histogram, 0);
    await appender.commit();
    expectSame((await read(db)).get(NAME.toString()), [{ timestampMs: T0, value: histogram }]);
    await db.close();
  });

  it('are deleted by time in the head and in the block cut from it', async () => {
    const clock = new VirtualClock();
    const db = await openTsdb(directory, { options: OPTIONS, clock });
    const source = new HistogramSource(new SeededRandom(6), { isInteger: true });
    const samples: Sample[] = [];
    for (let i = 0; i < 60; i++) {
      const value = source.next(true);
      await put(db, NAME, T0 + i * 1000, value);
      samples.push({ timestampMs: T0 + i * 1000, value });
    }
    const range = { minMs: T0 + 10_000, maxMs: T0 + 19_500 };
    await db.deleteSamples(range, [new Matcher('job', '=', 'a')]);
    const left = samples.filter(
      ({ timestampMs }) => timestampMs < range.minMs || timestampMs > range.maxMs,
    );
    expectSame((await read(db)).get(NAME.toString()), left);
    const later = source.next(true);
    await put(db, NAME, T0 + 400_000, later);
    await db.tick();
    expect(db.extent.oldestMs).toBe(T0);
    expectSame((await read(db)).get(NAME.toString()), [
      ...left,
      { timestampMs: T0 + 400_000, value: later },
    ]);
    await db.close();
  });

  it('leave no memory behind when their series goes', async () => {
    const db = await openTsdb(directory, { options: OPTIONS });
    const source = new HistogramSource(new SeededRandom(7), { isInteger: true });
    await put(db, NAME, T0, source.next());
    await append(db, [{ labels: Labels.from({ a: 'b' }), timestampMs: T0 + 400_000, value: 1 }]);
    await db.tick();
    expect(db.extent.headSeries).toBe(1);
    await put(db, NAME, T0 + 400_001, source.next());
    expect((await read(db)).get(NAME.toString())?.count).toBe(2);
    await db.close();
  });
});

describe('start timestamps', () => {
  const FLOATS = Labels.from({ __name__: 'f' });

  async function fill(db: Tsdb): Promise<void> {
    const source = new HistogramSource(new SeededRandom(8), { isInteger: true });
    for (let i = 0; i < 3; i++) {
      const appender = db.appender();
      const startMs = T0 - 1000 + (i >> 1);
      appender.appendHistogram(appender.series(NAME), T0 + i, source.next(true), startMs);
      const refs = Uint32Array.of(appender.series(FLOATS));
      const times = Float64Array.of(T0 + i);
      const starts = Float64Array.of(startMs);
      appender.appendFloats(refs, times, Float64Array.of(i), starts, 1, new Uint8Array(1));
      await appender.commit();
    }
  }

  /** Start timestamps by the log's records. */
  function logged(): number[] {
    const pathOf = (segment: number): string => `${directory}/wal/${segmentName(segment)}`;
    const reader = new WalReader({
      files: new NodeFiles(),
      from: { segment: 0, offset: 0 },
      pathOf,
      watermark: () => ({ segment: 0, offset: Number.POSITIVE_INFINITY }),
    });
    const starts: number[] = [];
    for (;;) {
      const record = reader.next();
      if (record === null) break;
      if (record.kind === 'samples') starts.push(record.samples.startTimestampsMs?.[0] ?? 0);
      if (record.kind === 'histograms') starts.push(record.histograms[0]?.startTimestampMs ?? 0);
    }
    reader.close();
    return starts.map((startMs) => (startMs === 0 ? 0 : startMs - T0));
  }

  it('are kept in the log, and of histograms for queries too, when asked for', async () => {
    const options = { ...OPTIONS, startTimestamps: true };
    let db = await openTsdb(directory, { options });
    await fill(db);
    for (let round = 0; round < 2; round++) {
      const columns = (await read(db)).get(NAME.toString());
      expect([...(columns?.startTimestampsMs ?? [])].map((startMs) => startMs - T0)).toEqual([
        -1000, -1000, -999,
      ]);
      await db.close();
      db = await openTsdb(directory, { options });
    }
    await db.close();
    expect(logged()).toEqual([-1000, -1000, -1000, -1000, -999, -999]);
  });

  it('are forgotten otherwise', async () => {
    const db = await openTsdb(directory, { options: OPTIONS });
    await fill(db);
    expect((await read(db)).get(NAME.toString())?.startTimestampsMs).toBeNull();
    await db.close();
    expect(logged()).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
