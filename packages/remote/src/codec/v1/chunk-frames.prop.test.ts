import { type FloatHistogram, Labels, setStaleAt, wordsOf } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkFrameWriter } from './chunk-frames.ts';
import { ChunkedResponseReader } from './chunked-response.ts';

const START_MS = 1_700_000_000_000;
const ALL_TIME = { minMs: Number.MIN_SAFE_INTEGER, maxMs: Number.MAX_SAFE_INTEGER };

function histogramOf(count: number, isInteger: boolean): FloatHistogram {
  return {
    counterResetHint: 'unknown',
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count,
    sum: count * 1.5,
    positiveSpans: [{ offset: count % 3, length: 2 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(count, 0),
    negativeBuckets: new Float64Array(),
    customValues: null,
    isInteger,
    isStale: false,
  };
}

type Sample = { readonly afterMs: number; readonly kind: number; readonly value: number };

const samples = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.constant(15_000), fc.integer({ min: 1, max: 3e9 })),
    kind: fc.integer({ min: 0, max: 19 }),
    value: fc.double(),
  }),
  { minLength: 0, maxLength: 400 },
);

function columnsOf(name: string, all: readonly Sample[]): SeriesColumns {
  const count = all.length;
  const timestampsMs = new Float64Array(count);
  const values = new Float64Array(count);
  const histograms: (FloatHistogram | null)[] = [];
  let timeMs = START_MS;
  for (const [i, { afterMs, kind, value }] of all.entries()) {
    timeMs += afterMs;
    timestampsMs[i] = timeMs;
    if (kind < 15) values[i] = value;
    else if (kind === 15) setStaleAt(wordsOf(values), i);
    histograms.push(kind > 15 ? histogramOf(i, kind < 19) : null);
  }
  const hasHistograms = histograms.some((one) => one !== null);
  return {
    labels: Labels.from({ __name__: name }),
    count,
    timestampsMs,
    values,
    histograms: hasHistograms ? histograms : null,
    startTimestampsMs: null,
    replica: '',
  };
}

/** What of a series must come through; whether a counter was reset is told by chunk. */
function shown({ labels, count, timestampsMs, values, histograms }: SeriesColumns) {
  const words = wordsOf(values);
  return {
    labels: labels.toString(),
    samples: Array.from({ length: count }, (_, i) => {
      const histogram = histograms?.[i] ?? null;
      if (histogram === null) return [timestampsMs[i], words[i * 2], words[i * 2 + 1]];
      const { count: observed, sum, isInteger } = histogram;
      return [timestampsMs[i], observed, sum, isInteger, bucketsOf(histogram)];
    }),
  };
}

/** Buckets that have counted, by their place. */
function bucketsOf({ positiveSpans, positiveBuckets }: FloatHistogram): (readonly number[])[] {
  const found: (readonly number[])[] = [];
  let index = 0;
  let at = 0;
  for (const { offset, length } of positiveSpans) {
    index += offset;
    for (let i = 0; i < length; i++, index++, at++)
      if (positiveBuckets[at]! > 0) found.push([index, positiveBuckets[at]!]);
  }
  return found;
}

describe('series written as frames', () => {
  it('are read as they were, whatever they hold and however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(samples, { maxLength: 4 }),
        fc.integer({ min: 1, max: 5_000 }),
        (all, pieceBytes) => {
          const series = all.map((own, i) => columnsOf(`m${i}`, own));
          const writer = new ChunkFrameWriter(0);
          for (const one of series) writer.add(one);
          const reader = new ChunkedResponseReader();
          const data = Buffer.concat([...writer.takeFull(), ...writer.finish()]);
          for (let at = 0; at < data.length; at += pieceBytes)
            reader.push(Uint8Array.prototype.slice.call(data, at, at + pieceBytes));
          reader.end();
          const read = reader.take().map((one) => shown(one.columns(ALL_TIME)));
          expect(read).toEqual(series.filter(({ count }) => count > 0).map(shown));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('fill frames of about a megabyte; a long series goes on in the next', () => {
    const writer = new ChunkFrameWriter(3);
    const long = Array.from({ length: 300_000 }, (_, i) => ({
      afterMs: 1 + (i % 7),
      kind: 0,
      value: Math.sin(i),
    }));
    writer.add(columnsOf('a', long));
    writer.add(columnsOf('b', long.slice(0, 3)));
    const frames = [...writer.takeFull(), ...writer.finish()];
    expect(frames.length).toBeGreaterThan(2);
    for (const frame of frames) expect(frame.length).toBeLessThan(1024 * 1024 + 4 * 1024);
    const reader = new ChunkedResponseReader();
    for (const frame of frames) reader.push(frame);
    reader.end();
    expect(reader.take().map((one) => one.columns(ALL_TIME).count)).toEqual([300_000, 3]);
  });
});
