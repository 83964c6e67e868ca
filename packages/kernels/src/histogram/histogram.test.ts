import { readFileSync } from 'node:fs';
import { DecodeError } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketIndexes, spansOfIndexes } from './bucket-layout.ts';
import {
  type CounterResetHeader,
  decodeHistograms,
  HISTOGRAM_ENCODING,
  type HistogramColumns,
  histogramCount,
  isStaleSum,
} from './histogram-decode.ts';
import { HistogramChunk } from './histogram-encode.ts';
import type { BucketSpan, HistogramLayout } from './histogram-layout.ts';
import { type HistogramSample, HistogramWriter } from './histogram-writer.ts';

const STALE = 0x7ff0000000000002n;

/** Doubles by their bits: NaN payloads, infinities, −0, subnormals, and repeated ones. */
const bits = fc.oneof(
  fc.constantFrom(0n, 1n << 63n, 0x7ff8000000000001n, 0x7ff0000000000000n, 0x3ff0000000000000n, 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).filter((value) => value !== STALE),
);
const count = fc.oneof(
  fc.nat(3),
  fc.nat(3000),
  fc.constantFrom(131_072, 131_073, 33_554_431, 33_554_432, 2 ** 32, 2 ** 50),
);
const spans: fc.Arbitrary<BucketSpan[]> = fc.array(
  fc.record({
    offset: fc.oneof(fc.nat(5), fc.nat(100_000)),
    length: fc.oneof(fc.nat(4), fc.constant(20)),
  }),
  { maxLength: 4 },
);
const layout: fc.Arbitrary<HistogramLayout> = fc.oneof(
  fc.record({
    schema: fc.integer({ min: -4, max: 8 }),
    zeroThreshold: fc.oneof(fc.constantFrom(0, 2 ** -128, 1024, 2048, 2 ** -243, 2 ** -244, 0.1)),
    positiveSpans: fc.tuple(fc.integer({ min: -50, max: 0 }), spans).map(shiftFirst),
    negativeSpans: spans,
    customValues: fc.constant(null),
  }),
  fc.record({
    schema: fc.constant(-53),
    zeroThreshold: fc.constant(0),
    positiveSpans: spans,
    negativeSpans: fc.constant([]),
    customValues: fc
      .array(fc.oneof(fc.double(), fc.constantFrom(0.005, 33_554.43, 33_554.431, -1, 2.5)))
      // The short form has no sign, so that −0 becomes 0, as with Prometheus.
      .map((bounds) => Float64Array.from(bounds, (bound) => bound + 0)),
  }),
);

function shiftFirst([offset, [first, ...rest]]: [number, BucketSpan[]]): BucketSpan[] {
  return first === undefined ? [] : [{ ...first, offset }, ...rest];
}

type Row = { readonly gapMs: number; readonly startGapMs: number; readonly words: bigint[] };

function rowOf(isInteger: boolean, buckets: number): fc.Arbitrary<Row> {
  const value = isInteger ? count.map(bitsOf) : bits;
  return fc.record({
    gapMs: fc.oneof(fc.constant(15_000), fc.integer({ min: 1, max: 2 ** 40 })),
    startGapMs: fc.oneof(fc.constant(0), fc.constant(60_000), fc.nat(2 ** 40)),
    words: fc
      .tuple(fc.array(value, { minLength: buckets + 2, maxLength: buckets + 2 }), bits)
      .map(([values, sum]) => [...values.slice(0, 2), sum, ...values.slice(2)]),
  });
}

const chunks = fc
  .record({ isInteger: fc.boolean(), hasStartTimes: fc.boolean(), layout, stale: fc.nat(2) })
  .chain(({ isInteger, hasStartTimes, layout: shape, stale }) => {
    const { positiveSpans, negativeSpans } = shape;
    const buckets = bucketIndexes(positiveSpans).length + bucketIndexes(negativeSpans).length;
    return fc.record({
      isInteger: fc.constant(isInteger),
      hasStartTimes: fc.constant(hasStartTimes),
      layout: fc.constant(shape),
      firstMs: fc.integer({ min: -(2 ** 42), max: 2 ** 42 }),
      rows: fc.array(rowOf(isInteger, buckets), { minLength: 1, maxLength: 40 }),
      stale: fc.constant(stale),
    });
  });

describe('histogram chunks', () => {
  it('give back every histogram bit for bit, with start timestamps and stale markers', () => {
    fc.assert(
      fc.property(chunks, ({ isInteger, hasStartTimes, layout: shape, firstMs, rows, stale }) => {
        const chunk = new HistogramChunk({
          isInteger,
          hasStartTimes,
          counterReset: 'reset',
          layout: shape,
        });
        const expected: { atMs: number; startMs: number; words: bigint[] }[] = [];
        let atMs = firstMs;
        for (const { gapMs, startGapMs, words } of rows) {
          atMs += gapMs;
          const startMs = startGapMs === 0 ? 0 : atMs - startGapMs;
          chunk.append(atMs, doublesOf(words), 0, startMs);
          expected.push({ atMs, startMs: hasStartTimes ? startMs : 0, words });
        }
        for (let i = 0; i < stale; i++) {
          atMs += 1;
          chunk.append(atMs, doublesOf([0n, 0n, STALE]), 0, 0);
          expected.push({ atMs, startMs: 0, words: [STALE] });
        }
        const decoded = decode(chunk);
        expect(decoded.counterReset).toBe('reset');
        expect(decoded.isInteger).toBe(isInteger);
        expect(decoded.layout).toEqual(shape);
        expect(rowsOf(decoded)).toEqual(expected);
      }),
    );
  });

  it('written by Prometheus 2.42 decode, and encode again to the same bytes', () => {
    const file = new URL('../../testdata/histogram-chunks.json', import.meta.url);
    const recorded = JSON.parse(readFileSync(file, 'utf8')) as { encoding: number; hex: string }[];
    expect(new Set(recorded.map(({ encoding }) => encoding))).toEqual(new Set([2, 3]));
    for (const { encoding, hex } of recorded) {
      const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
      const columns = decodeHistograms(bytes, 0, bytes.length, encoding);
      const { isInteger, counterReset, timestampsMs, values, starts } = columns;
      const again = new HistogramChunk({
        isInteger,
        hasStartTimes: false,
        counterReset,
        layout: columns.layout,
      });
      for (let i = 0; i < columns.count; i++) again.append(timestampsMs[i]!, values, starts[i]!, 0);
      expect(again.encoding).toBe(encoding);
      expect(again.bytes.slice(0, again.byteLength)).toEqual(bytes);
    }
  });

  it('keep start timestamps that first change anywhere, also behind what the header can say', () => {
    for (const changeAt of [0, 1, 2, 126, 127, 128, 199]) {
      const chunk = new HistogramChunk({
        isInteger: true,
        hasStartTimes: true,
        counterReset: 'gauge',
        layout: SIMPLE,
      });
      const startAt = (i: number): number => (i >= changeAt ? 5_000 + (i >> 4) : 0);
      for (let i = 0; i < 200; i++) chunk.append(10_000 + i, row(i, 0, 1, i), 0, startAt(i));
      const starts = rowsOf(decode(chunk)).map(({ startMs }) => startMs);
      expect(starts).toEqual(Array.from({ length: 200 }, (_, i) => startAt(i)));
    }
  });

  it('that begin with a stale marker have no layout', () => {
    for (const isInteger of [true, false]) {
      const chunk = new HistogramChunk({
        isInteger,
        hasStartTimes: false,
        counterReset: 'unknown',
        layout: SIMPLE,
      });
      chunk.append(5, doublesOf([7n, 8n, STALE]), 0, 0);
      chunk.append(6, doublesOf([7n, 8n, STALE]), 0, 0);
      const decoded = decode(chunk);
      expect(decoded.layout.positiveSpans).toEqual([]);
      expect(rowsOf(decoded)).toEqual([
        { atMs: 5, startMs: 0, words: [STALE] },
        { atMs: 6, startMs: 0, words: [STALE] },
      ]);
    }
  });

  it('take one byte for every zero threshold that is a power of two in range', () => {
    for (let exponent = -260; exponent < 20; exponent++) {
      const chunk = new HistogramChunk({
        isInteger: true,
        hasStartTimes: false,
        counterReset: 'unknown',
        layout: { ...SIMPLE, zeroThreshold: 2 ** exponent },
      });
      chunk.append(0, row(0, 0, 0, 0), 0, 0);
      const isShort = exponent >= -243 && exponent <= 10;
      expect(chunk.bytes[3]).toBe(isShort ? exponent + 244 : 255);
      expect(decode(chunk).layout.zeroThreshold).toBe(2 ** exponent);
    }
  });

  it('that are cut short are refused', () => {
    fc.assert(
      fc.property(chunks, fc.nat(), ({ isInteger, hasStartTimes, layout: shape, rows }, cut) => {
        const chunk = new HistogramChunk({
          isInteger,
          hasStartTimes,
          counterReset: 'unknown',
          layout: shape,
        });
        for (const [i, { words }] of rows.entries()) chunk.append(i, doublesOf(words), 0, 0);
        const length = cut % (chunk.byteLength - 1);
        const bytes = chunk.bytes.slice(0, length);
        expect(() => decodeHistograms(bytes, 0, length, chunk.encoding)).toThrow(DecodeError);
      }),
    );
  });

  it('of random bytes are refused or decoded, with memory in proportion to the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 0, maxLength: 300 }),
        fc.constantFrom(...Object.values(HISTOGRAM_ENCODING)),
        (bytes, encoding) => {
          try {
            const { values } = decodeHistograms(bytes, 0, bytes.length, encoding);
            expect(values.length).toBeLessThan(64 + bytes.length * 32);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('bucket spans', () => {
  it('come back from their indexes, without empty and neighbouring runs', () => {
    fc.assert(
      fc.property(spans, (list) => {
        const indexes = bucketIndexes(list);
        const shortest = spansOfIndexes(indexes);
        expect(bucketIndexes(shortest)).toEqual(indexes);
        expect(shortest.every(({ length }) => length > 0)).toBe(true);
        expect(shortest.slice(1).every(({ offset }) => offset > 0)).toBe(true);
      }),
    );
  });
});

/** A series in steps: what happens to its buckets before the next sample. */
const steps = fc.array(
  fc.record({
    what: fc.constantFrom(
      'grow',
      'grow',
      'grow',
      'newBucket',
      'shrink',
      'stale',
      'schema',
      'gauge',
    ),
    bucket: fc.integer({ min: -6, max: 6 }),
    isInteger: fc.boolean(),
    isCut: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
  }),
  { minLength: 1, maxLength: 60 },
);

describe('a histogram series', () => {
  it('has the same histograms in its chunks, and each reset begins a chunk', () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (plan, mixesKinds) => {
        const writer = new HistogramWriter(false);
        const done: HistogramChunk[] = [];
        const samples: HistogramSample[] = [];
        let counts = new Map<number, number>();
        let schema = 3;
        for (const [i, { what, bucket, isInteger, isCut }] of plan.entries()) {
          if (what === 'schema') schema = schema === 3 ? 2 : 3;
          if (what === 'shrink') counts = new Map([...counts].slice(1));
          if (what === 'newBucket') counts.set(bucket, counts.get(bucket) ?? 0);
          counts.set(bucket, (counts.get(bucket) ?? 0) + (what === 'grow' ? 2 : 1));
          const sample = sampleOf(counts, {
            timestampMs: i * 10,
            schema,
            isInteger: !mixesKinds || isInteger,
            hint: what === 'gauge' ? 'gauge' : 'unknown',
            isStale: what === 'stale',
          });
          const completed = writer.append(sample, isCut);
          if (completed !== null) done.push(completed);
          expect(writer.isLast(sample)).toBe(true);
          samples.push(sample);
        }
        if (writer.open !== null) done.push(writer.open);
        const read = done.flatMap((chunk) => {
          const columns = decode(chunk);
          expect(histogramCount(chunk.bytes, 0, chunk.encoding)).toBe(columns.count);
          return rowsOf(columns).map((entry, i) => ({
            ...describeRow(columns, i),
            atMs: entry.atMs,
            isFirst: i === 0,
            isGauge: columns.counterReset === 'gauge',
          }));
        });
        expect(read.map(({ atMs, text }) => ({ atMs, text }))).toEqual(
          samples.map((sample) => ({ atMs: sample.timestampMs, text: textOf(sample) })),
        );
        for (let i = 1; i < read.length; i++) {
          const isGauge = samples[i]!.hint === 'gauge';
          expect(read[i]!.isGauge).toBe(isGauge);
          if (!isGauge && isReset(samples[i - 1]!, samples[i]!))
            expect(read[i]!.isFirst).toBe(true);
        }
      }),
    );
  });

  it('goes on in one chunk when a bucket appears, and when an empty one is left out', () => {
    const writer = new HistogramWriter(false);
    const append = (counts: [number, number][], timestampMs: number): boolean =>
      writer.append(sampleOf(new Map(counts), { timestampMs }), false) === null;
    expect(append([[0, 1]], 1)).toBe(true);
    expect(
      append(
        [
          [0, 1],
          [5, 2],
        ],
        2,
      ),
    ).toBe(true);
    expect(
      append(
        [
          [0, 2],
          [5, 2],
          [7, 0],
        ],
        3,
      ),
    ).toBe(true);
    expect(
      append(
        [
          [0, 2],
          [5, 3],
        ],
        4,
      ),
    ).toBe(true);
    expect(writer.open?.count).toBe(4);
    expect(
      append(
        [
          [0, 2],
          [5, 2],
        ],
        5,
      ),
    ).toBe(false);
    expect(writer.open?.counterReset).toBe('reset');
  });

  it('says of a chunk cut for its size that nothing was reset', () => {
    const writer = new HistogramWriter(false);
    writer.append(sampleOf(new Map([[0, 1]]), { timestampMs: 1 }), false);
    expect(writer.open?.counterReset).toBe('unknown');
    writer.append(sampleOf(new Map([[0, 2]]), { timestampMs: 2 }), true);
    expect(writer.open?.counterReset).toBe('not-reset');
    writer.append(sampleOf(new Map([[0, 3]]), { timestampMs: 3, hint: 'reset' }), false);
    expect(writer.open?.counterReset).toBe('reset');
  });
});

const SIMPLE: HistogramLayout = {
  schema: 0,
  zeroThreshold: 0,
  positiveSpans: [{ offset: 0, length: 1 }],
  negativeSpans: [],
  customValues: null,
};

function row(...values: number[]): Float64Array {
  return Float64Array.from(values);
}

type Shape = {
  readonly timestampMs: number;
  readonly schema?: number;
  readonly isInteger?: boolean;
  readonly hint?: CounterResetHeader;
  readonly isStale?: boolean;
};

/** Buckets below 0 are negative ones. */
function sampleOf(counts: ReadonlyMap<number, number>, shape: Shape): HistogramSample {
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const positive = sorted.filter(([bucket]) => bucket >= 0);
  const negative = sorted.filter(([bucket]) => bucket < 0).reverse();
  const total = sorted.reduce((sum, [, n]) => sum + n, 0);
  const buckets = [...positive, ...negative].map(([, n]) => n);
  const values = row(total, 0, total * 1.5, ...buckets);
  if (shape.isStale === true) new BigUint64Array(values.buffer)[2] = STALE;
  return {
    timestampMs: shape.timestampMs,
    startTimestampMs: 0,
    isInteger: shape.isInteger ?? true,
    hint: shape.hint ?? 'unknown',
    layout: {
      ...SIMPLE,
      schema: shape.schema ?? 3,
      positiveSpans: spansOfIndexes(Int32Array.from(positive, ([bucket]) => bucket)),
      negativeSpans: spansOfIndexes(Int32Array.from(negative, ([bucket]) => -bucket)),
    },
    values,
    start: 0,
  };
}

/** What a histogram says, whatever empty buckets it names. */
function textOf({ isInteger, layout: shape, values, start }: HistogramSample): string {
  const words = new BigUint64Array(values.buffer, values.byteOffset);
  if (words[start + 2] === STALE) return `${isInteger} stale`;
  const positive = bucketIndexes(shape.positiveSpans);
  const negative = bucketIndexes(shape.negativeSpans);
  const side = (indexes: Int32Array, at: number): string =>
    [...indexes]
      .map((index, i) => `${index}:${values[at + i]}`)
      .filter((text) => !text.endsWith(':0'))
      .join(' ');
  return [
    isInteger,
    shape.schema,
    ...values.subarray(start, start + 3),
    side(positive, start + 3),
    side(negative, start + 3 + positive.length),
  ].join('|');
}

function describeRow(columns: HistogramColumns, index: number): { text: string } {
  const { isInteger, layout: shape, values, starts, timestampsMs } = columns;
  const text = textOf({
    isInteger,
    layout: shape,
    values,
    start: starts[index]!,
    timestampMs: timestampsMs[index]!,
    startTimestampMs: 0,
    hint: 'unknown',
  });
  return { text };
}

function isReset(before: HistogramSample, after: HistogramSample): boolean {
  const stale = (sample: HistogramSample): boolean => textOf(sample).endsWith('stale');
  if (stale(before) || stale(after)) return false;
  const beforeCounts = countsOf(before);
  const afterCounts = countsOf(after);
  return [...beforeCounts].some(([bucket, n]) => (afterCounts.get(bucket) ?? 0) < n);
}

function countsOf({ layout: shape, values }: HistogramSample): Map<number, number> {
  const positive = bucketIndexes(shape.positiveSpans);
  const counts = new Map([...positive].map((index, i) => [index, values[3 + i]!]));
  for (const [i, index] of bucketIndexes(shape.negativeSpans).entries()) {
    counts.set(-index, values[3 + positive.length + i]!);
  }
  return counts;
}

function bitsOf(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]!;
}

function doublesOf(words: readonly bigint[]): Float64Array {
  return new Float64Array(BigUint64Array.from(words).buffer);
}

function decode(chunk: HistogramChunk): HistogramColumns {
  return decodeHistograms(chunk.bytes, 0, chunk.byteLength, chunk.encoding);
}

function rowsOf(columns: HistogramColumns): { atMs: number; startMs: number; words: bigint[] }[] {
  const {
    count: samples,
    timestampsMs,
    startTimestampsMs,
    values,
    starts,
    layout: shape,
  } = columns;
  const words = new BigUint64Array(values.buffer);
  const size =
    3 + bucketIndexes(shape.positiveSpans).length + bucketIndexes(shape.negativeSpans).length;
  return Array.from({ length: samples }, (_, i) => {
    const start = starts[i]!;
    const sum = words[start + 2]!;
    const isStale = isStaleSum(Number(sum >> 32n), Number(sum & 0xffffffffn));
    return {
      atMs: timestampsMs[i]!,
      startMs: startTimestampsMs?.[i] ?? 0,
      words: isStale ? [sum] : [...words.subarray(start, start + size)],
    };
  });
}
