import { SeededRandom } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeHistograms, histogramRecordsOf } from '../format/wal-histograms.ts';
import {
  createSampleColumns,
  encodeSamples,
  encodeTombstones,
  growSampleColumns,
  recordBytes,
} from '../format/wal-record.ts';
import { HistogramSource } from '../testing/histograms.ts';
import { newestTimeOf } from './newest-time.ts';

const sample = fc.record({
  ref: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  timestampMs: fc.oneof(
    fc.constantFrom(1_700_000_000_000, 1_700_000_000_001),
    fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
  ),
  startMs: fc.nat(2 ** 41),
});

describe('the newest time of a log record', () => {
  it('is that of its samples, whatever their order and the kind of the record', () => {
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1 }), fc.boolean(), (samples, hasStarts) => {
        const newest = Math.max(...samples.map(({ timestampMs }) => timestampMs));
        const columns = createSampleColumns(samples.length);
        growSampleColumns(columns, samples.length);
        if (hasStarts) columns.startTimestampsMs = new Float64Array(columns.refs.length);
        for (const [i, { ref, timestampMs, startMs }] of samples.entries()) {
          columns.refs[i] = ref;
          columns.timestampsMs[i] = timestampMs;
          columns.valueWords.fill(0xffffffff, i * 2, i * 2 + 2);
          if (columns.startTimestampsMs !== null) columns.startTimestampsMs[i] = startMs;
        }
        columns.count = samples.length;
        const floats = recordBytes((target) => encodeSamples(target, columns, 0, samples.length));
        expect(newestTimeOf(floats)).toBe(newest);

        const source = new HistogramSource(new SeededRandom(samples.length), { isInteger: true });
        const histograms = samples.map(({ ref, timestampMs, startMs }) => ({
          ref,
          timestampMs,
          startTimestampMs: hasStarts ? Math.max(1, startMs) : 0,
          histogram: source.next(),
        }));
        const [record] = histogramRecordsOf(histograms);
        const bytes = recordBytes((target) =>
          encodeHistograms(target, record!.type, record!.histograms),
        );
        expect(newestTimeOf(bytes)).toBe(newest);
      }),
    );
  });

  it('is none for records of other kinds, empty ones and ones that are cut short', () => {
    const stones = [{ ref: 1, minMs: 5, maxMs: 9 }];
    const none = Number.NEGATIVE_INFINITY;
    expect(newestTimeOf(recordBytes((target) => encodeTombstones(target, stones)))).toBe(none);
    for (const type of [2, 7, 11, 12]) {
      expect(newestTimeOf(Uint8Array.of(type))).toBe(none);
      expect(newestTimeOf(Uint8Array.of(type, ...Array(19).fill(0x80)))).toBe(none);
    }
  });
});
