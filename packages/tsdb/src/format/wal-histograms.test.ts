import { ByteReader, DecodeError } from '@pollux/base';
import type { CounterResetHint, FloatHistogram, Span } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRecord } from '../wal/records.ts';
import {
  encodeHistograms,
  HISTOGRAM_RECORD,
  type HistogramRecord,
  histogramRecordType,
} from './wal-histograms.ts';
import { createSampleColumns, encodeSamples, recordBytes } from './wal-record.ts';

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not-reset', 'gauge'];

/** Histograms that a record of `type` holds; −0 and NaN alike keep their bits. */
function histogramOf(type: number): fc.Arbitrary<FloatHistogram> {
  const isInteger = type === 7 || type === 9 || type === 12;
  const number = isInteger
    ? fc.oneof(fc.nat(5), fc.nat(2 ** 30), fc.constant(2 ** 50))
    : fc.double({ noNaN: true });
  return fc
    .record({
      schema: type === 9 || type === 10 ? fc.constant(-53) : fc.integer({ min: -4, max: 8 }),
      sides: fc.tuple(side(number), side(number)),
      zeroThreshold: fc.double({ noNaN: true }),
      counts: fc.tuple(number, number),
      sum: fc.double(),
      hint: fc.constantFrom(...HINTS),
      bounds: fc.array(fc.double({ noNaN: true })),
      isStale: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
    })
    .map(({ schema, sides, zeroThreshold, counts, sum, hint, bounds, isStale }) =>
      isStale && schema !== -53
        ? { ...NOTHING, counterResetHint: hint, isInteger, isStale }
        : {
            counterResetHint: hint,
            schema,
            zeroThreshold,
            zeroCount: counts[0],
            count: counts[1],
            sum,
            positiveSpans: sides[0].spans,
            negativeSpans: sides[1].spans,
            positiveBuckets: sides[0].buckets,
            negativeBuckets: sides[1].buckets,
            customValues: schema === -53 ? Float64Array.from(bounds) : null,
            isInteger,
            isStale: false,
          },
    );
}

const NOTHING: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: Number.NaN,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(0),
  negativeBuckets: new Float64Array(0),
  customValues: null,
  isInteger: true,
  isStale: false,
};

type Side = { readonly spans: Span[]; readonly buckets: Float64Array };

function side(number: fc.Arbitrary<number>): fc.Arbitrary<Side> {
  return fc
    .array(fc.record({ offset: fc.nat(50), length: fc.nat(4) }), { maxLength: 3 })
    .chain((spans) => {
      const count = spans.reduce((sum, { length }) => sum + length, 0);
      return fc
        .array(number, { minLength: count, maxLength: count })
        .map((buckets) => ({ spans, buckets: Float64Array.from(buckets) }));
    });
}

const records = fc.constantFrom(...Object.values(HISTOGRAM_RECORD)).chain((type) =>
  fc.record({
    type: fc.constant(type),
    histograms: fc.array(
      fc.record({
        ref: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        timestampMs: fc.integer({ min: -(2 ** 42), max: 2 ** 42 }),
        startTimestampMs:
          type >= 12
            ? fc.oneof(fc.constant(0), fc.constant(5000), fc.nat(2 ** 42))
            : fc.constant(0),
        histogram: histogramOf(type),
      }),
      { maxLength: 12 },
    ),
  }),
);

describe('log records of histograms', () => {
  it('of every type give back what was written', () => {
    fc.assert(
      fc.property(records, ({ type, histograms }) => {
        const bytes = recordBytes((target) => encodeHistograms(target, type, histograms));
        expect(decoded(bytes)).toEqual(histograms);
        for (const { histogram } of histograms) {
          const isCustomStale = histogram.isStale && (type === 9 || type === 10);
          if (!isCustomStale) expect(histogramRecordType(histogram, type >= 12)).toBe(type);
        }
      }),
    );
  });

  it('that are cut short are refused, or end between two histograms', () => {
    fc.assert(
      fc.property(records, fc.nat(), ({ type, histograms }, cut) => {
        const bytes = recordBytes((target) => encodeHistograms(target, type, histograms));
        const short = bytes.slice(0, 1 + (cut % bytes.length));
        try {
          const whole = decoded(short);
          expect(whole).toEqual(histograms.slice(0, whole.length));
        } catch (error) {
          expect((error as Error).cause).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });

  it('as Prometheus writes them are read', () => {
    // Two histograms of schema 1 by the page of the format: refs 5 and 7, times 1,000 and 1,010.
    const bytes = Uint8Array.of(
      ...[7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 3, 0xe8],
      ...[0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 0x40, 0, 0, 0, 0, 0, 0, 0],
      ...[1, 3, 2, 0, 2, 2, 3, 0],
      ...[4, 20, 3, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    const [first, second] = decoded(bytes);
    expect(first).toMatchObject({ ref: 5, timestampMs: 1000 });
    expect(first?.histogram).toMatchObject({ schema: 1, zeroCount: 1, count: 4, sum: 2 });
    expect(first?.histogram.positiveSpans).toEqual([{ offset: -2, length: 2 }]);
    expect(first?.histogram.positiveBuckets).toEqual(Float64Array.of(1, -1));
    expect(second).toMatchObject({ ref: 7, timestampMs: 1010 });
    expect(second?.histogram).toMatchObject({ counterResetHint: 'gauge', count: 0 });
  });
});

describe('log records of samples with start timestamps', () => {
  it('give back what was written', () => {
    const entry = fc.record({
      ref: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      atMs: fc.integer({ min: -(2 ** 42), max: 2 ** 42 }),
      startMs: fc.oneof(fc.constant(0), fc.constant(77), fc.nat(2 ** 42)),
      low: fc.nat(2 ** 31),
    });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1 }), (entries) => {
        const columns = createSampleColumns(entries.length);
        columns.startTimestampsMs = new Float64Array(entries.length);
        for (const [i, { ref, atMs, startMs, low }] of entries.entries()) {
          columns.refs[i] = ref;
          columns.timestampsMs[i] = atMs;
          columns.startTimestampsMs[i] = startMs;
          columns.valueWords.set([low, 0x7ff00000], i * 2);
        }
        const bytes = recordBytes((target) => encodeSamples(target, columns, 0, entries.length));
        expect(bytes[0]).toBe(11);
        const record = decodeRecord(bytes, createSampleColumns(4), 'test');
        if (record.kind !== 'samples') throw new Error('not samples');
        const { samples } = record;
        const read = entries.map((_, i) => ({
          ref: samples.refs[i],
          atMs: samples.timestampsMs[i],
          startMs: samples.startTimestampsMs?.[i],
          low: samples.valueWords[i * 2],
        }));
        expect(read).toEqual(entries);
        expect(samples.count).toBe(entries.length);
      }),
    );
  });
});

function decoded(bytes: Uint8Array): readonly HistogramRecord[] {
  expect(new ByteReader(bytes).u8()).toBe(bytes[0]);
  const record = decodeRecord(bytes, createSampleColumns(1), 'test');
  return record.kind === 'histograms' ? record.histograms : [];
}
