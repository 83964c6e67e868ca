import * as fs from 'node:fs';
import * as path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadNativeKernels } from '../native/native-kernels.ts';
import { xorCount, xorDecode } from '../xor/xor-decode.ts';
import { denseCount, denseDecode, denseDecodeValues, denseDecodeWhole } from './dense-decode.ts';
import {
  createDenseEncoder,
  denseEncode,
  denseEncodeValues,
  denseEncodeWhole,
  denseMaxBytes,
} from './dense-encode.ts';
import { DENSE_MALFORMED, DENSE_MAX_SAMPLES, DENSE_UNFIT } from './dense-format.ts';
import { createReferenceLoops } from './dense-loops.ts';
import { createNativeLoops } from './native-loops.ts';

const CONFORMANCE =
  process.env.POLLUX_CONFORMANCE ??
  path.resolve(import.meta.dirname, '../../../../../shared/conformance');
const REAL_BLOCKS = path.join(CONFORMANCE, 'real/prometheus-2.42/blocks');
const STALE_NAN = [2, 0x7ff00000] as const;

const encoder = createDenseEncoder();
const native = await loadNativeKernels();
const LOOPS = [createReferenceLoops(), ...(native === null ? [] : [createNativeLoops(native)])];

type Columns = { readonly timestampsMs: Float64Array; readonly values: Float64Array };

function wordsOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

function encode({ timestampsMs, values }: Columns): Uint8Array {
  const target = new Uint8Array(denseMaxBytes(timestampsMs.length)).fill(0xa5);
  const end = denseEncode(encoder, { timestampsMs, values }, 0, timestampsMs.length, target, 0);
  expect(end).toBeGreaterThan(0);
  expect(end).toBeLessThanOrEqual(target.length);
  return target.slice(0, end);
}

/** Decodes with each implementation; they must agree, also on what is malformed. */
function decode(bytes: Uint8Array): Columns | null {
  const count = denseCount(bytes, 0, bytes.length);
  if (count === DENSE_MALFORMED) return null;
  const answers = LOOPS.map((loops) => {
    const timestampsMs = new Float64Array(count);
    const values = new Float64Array(count);
    const got = denseDecode(bytes, 0, bytes.length, timestampsMs, wordsOf(values), 0, loops);
    expect(got === DENSE_MALFORMED || got === count).toBe(true);
    return got === DENSE_MALFORMED ? null : { timestampsMs, values };
  });
  const [first = null, ...others] = answers;
  for (const other of others) {
    if (first === null) expect(other).toBeNull();
    else expectSame(other, first);
  }
  return first;
}

function expectSame(actual: Columns | null, wanted: Columns): void {
  expect(actual).not.toBeNull();
  expect(actual!.timestampsMs).toEqual(wanted.timestampsMs);
  expect(wordsOf(actual!.values)).toEqual(wordsOf(wanted.values));
}

function columns(count: number, valueAt: (i: number) => number): Columns {
  return {
    timestampsMs: Float64Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i * 15_000),
    values: Float64Array.from({ length: count }, (_, i) => valueAt(i)),
  };
}

/** Bytes that the values of the columns take, without their times. */
function valueBytes(input: Columns): number {
  const target = new Uint8Array(denseMaxBytes(input.values.length));
  return denseEncodeValues(encoder, 'float', input.values, 0, input.values.length, target, 0);
}

/** One number after another, each way in which a column may look. */
const walk = fc
  .record({
    start: fc.oneof(fc.constant(0), fc.integer({ min: -(2 ** 48), max: 2 ** 48 })),
    slope: fc.constantFrom(0, 1, 15_000, 2 ** 20, 2 ** 33),
    noise: fc.constantFrom(0, 1, 5, 77, 4_000, 2 ** 25, 2 ** 40),
    factor: fc.constantFrom(1, 1, 512, 1000),
    jump: fc.constantFrom(0, 0, 0.01, 0.3),
    hold: fc.constantFrom(0, 0, 0.5, 0.97),
    count: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 700 })),
    seed: fc.nat(),
  })
  .map(({ start, slope, noise, factor, jump, hold, count, seed }) => {
    let state = seed | 1;
    const random = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return (state >>> 0) / 4294967296;
    };
    let last = start;
    let line = start;
    return Float64Array.from({ length: count }, () => {
      line += slope;
      if (random() < jump) line = Math.floor((random() - 0.5) * 2 ** 48);
      if (random() >= hold) last = line + Math.floor(random() * noise) * factor;
      return Math.max(-(2 ** 50), Math.min(2 ** 50, last));
    });
  });

const words = fc.oneof(fc.constantFrom(0, 0x80000000, 0x7ff00000, 0x3ff00000), fc.nat(0xffffffff));
const anyDouble = fc.oneof(
  fc.double(),
  fc.constantFrom(-0, Number.POSITIVE_INFINITY, 5e-324, 0.1, 1e300),
  fc.tuple(words, words).map(([low, high]) => {
    const value = new Float64Array(1);
    wordsOf(value).set([low, high]);
    return value[0]!;
  }),
);

/** Values by their bits: decimals of a walk with any doubles strewn in, or any doubles alone. */
const values = fc.oneof(
  fc
    .record({
      whole: walk,
      exponent: fc.constantFrom(0, 0, 1, 2, 6, 9),
      summed: fc.boolean(),
      strange: fc.array(fc.tuple(fc.nat(), words, words), { maxLength: 6 }),
    })
    .map(({ whole, exponent, summed, strange }) => {
      const column = whole.map((number) => number / 10 ** exponent);
      if (summed) for (let i = 1; i < column.length; i++) column[i] = column[i]! + column[i - 1]!;
      for (const [at, low, high] of strange)
        wordsOf(column).set([low, high], (at % column.length) * 2);
      return column;
    }),
  fc.array(anyDouble, { minLength: 1, maxLength: 300 }).map((list) => Float64Array.from(list)),
  fc
    .array(fc.tuple(words, words), { minLength: 1, maxLength: 200 })
    .map((list) => new Float64Array(Uint32Array.from(list.flat()).buffer)),
);

const samples = fc.tuple(values, fc.nat(), walk).map(([column, start, gaps]): Columns => {
  let timestampMs = start;
  const timestampsMs = Float64Array.from(column, (_, i) => {
    timestampMs += 1 + (Math.abs(gaps[i % gaps.length]!) % 2 ** 40);
    return timestampMs;
  });
  return { timestampsMs, values: column };
});

describe('dense chunks', () => {
  it.skipIf(native === null)(
    `are decoded by WebAssembly too${native === null ? ' (skipped: it is not built; npm run build)' : ''}`,
    () => expect(LOOPS).toHaveLength(2),
  );

  it('give back every sample bit for bit, and keep to their bound', () => {
    fc.assert(
      fc.property(samples, (input) => expectSame(decode(encode(input)), input)),
      { numRuns: 400 },
    );
  });

  it('keep stale markers, other NaNs, infinities and −0 among decimals', () => {
    const input = columns(240, (i) => i / 100);
    wordsOf(input.values).set(STALE_NAN, 20);
    wordsOf(input.values).set([77, 0xfff80000], 90);
    input.values.set([-0, Number.NEGATIVE_INFINITY], 100);
    const bytes = encode(input);
    expectSame(decode(bytes), input);
    expect(bytes.length).toBeLessThan(120);
  });

  it('hold as many samples as the limit, and no more', () => {
    const most = columns(DENSE_MAX_SAMPLES, (i) => Math.sin(i));
    expectSame(decode(encode(most)), most);
    const over = columns(DENSE_MAX_SAMPLES + 1, () => 1);
    const target = new Uint8Array(denseMaxBytes(over.values.length));
    expect(denseEncode(encoder, over, 0, over.values.length, target, 0)).toBe(DENSE_UNFIT);
    expect(denseEncode(encoder, over, 5, 5, target, 0)).toBe(DENSE_UNFIT);
  });

  it('refuse times that are no whole milliseconds', () => {
    for (const bad of [0.5, Number.NaN, 2 ** 51]) {
      const input = columns(3, () => 1);
      input.timestampsMs[1] = bad;
      expect(denseEncode(encoder, input, 0, 3, new Uint8Array(denseMaxBytes(3)), 0)).toBe(
        DENSE_UNFIT,
      );
    }
  });

  it('take next to nothing for regular times and constant values', () => {
    expect(encode(columns(1000, () => 42)).length).toBeLessThan(24);
    expect(encode(columns(1000, (i) => i * 7)).length).toBeLessThan(28);
  });

  it('take bits by the spread of the differences, not by the size of the values', () => {
    const jitter = (i: number): number => (i * 7_919) % 16;
    // Four bits a sample.
    expect(valueBytes(columns(1000, (i) => 1e12 + i * 1000 + jitter(i)))).toBeLessThan(660);
    expect(valueBytes(columns(1000, (i) => (5000 + jitter(i)) / 100))).toBeLessThan(530);
    expect(valueBytes(columns(1000, (i) => (5000 + jitter(i)) * 4096))).toBeLessThan(530);
  });

  it('take the digits and the error of a sum of decimals, not a whole mantissa', () => {
    let sum = 1234.5;
    const sums = columns(480, (i) => {
      sum += ((i * 7_919) % 20) * 0.1;
      return sum;
    });
    wordsOf(sums.values).set(STALE_NAN, 40);
    expectSame(decode(encode(sums)), sums);
    expect(valueBytes(sums)).toBeLessThan(480 * 1.5);
  });

  it('pay for a counter reset or a missed scrape once', () => {
    const plain = columns(1000, (i) => i * 100 + ((i * 31) % 8));
    const reset = columns(1000, (i) => (i < 500 ? 1e9 : 0) + i * 100 + ((i * 31) % 8));
    expect(valueBytes(reset)).toBeLessThan(valueBytes(plain) + 16);
    const missed = {
      values: plain.values,
      timestampsMs: plain.timestampsMs.map((t, i) => t + (i > 300 ? 15_000 : 0)),
    };
    expect(encode(missed).length).toBeLessThan(encode(plain).length + 16);
  });

  it('take less than a bit for what seldom changes', () => {
    const rare = columns(2000, (i) => (i % 100 === 0 ? 1 : 0));
    expect(valueBytes(rare)).toBeLessThan(60);
  });

  it('cut short anywhere are refused', () => {
    fc.assert(
      fc.property(samples, fc.nat(), (input, cut) => {
        const bytes = encode(input);
        expect(decode(bytes.slice(0, cut % bytes.length))).toBeNull();
        expect(decode(bytes.slice(0, -1))).toBeNull();
        expect(decode(Uint8Array.of(...bytes, 0))).toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  it('with bytes changed end without a throw, and leave what lies before and behind alone', () => {
    fc.assert(
      fc.property(
        samples,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (input, changes) => {
          const bytes = encode(input);
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          decode(bytes);
          const count = denseCount(bytes, 0, bytes.length);
          if (count === DENSE_MALFORMED) return;
          const times = new Float64Array(count + 2).fill(-7);
          const out = new Uint32Array(count * 2 + 4).fill(7);
          const got = denseDecode(bytes, 0, bytes.length, times, out, 1);
          expect(got === DENSE_MALFORMED || got === count).toBe(true);
          expect([times[0], times[count + 1]]).toEqual([-7, -7]);
          expect([out[0], out[1], out[count * 2 + 2], out[count * 2 + 3]]).toEqual([7, 7, 7, 7]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('of random bytes end without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 120 }), (bytes) => {
        decode(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  const present = fs.existsSync(REAL_BLOCKS);
  it.skipIf(!present)(
    `of Prometheus 2.42’s samples are less than 0.4 of its own${present ? '' : ' (skipped: no conformance data; set POLLUX_CONFORMANCE)'}`,
    () => {
      let xorBytes = 0;
      let denseBytes = 0;
      for (const chunk of realChunks()) {
        const count = xorCount(chunk, 0);
        const input = { timestampsMs: new Float64Array(count), values: new Float64Array(count) };
        xorDecode(chunk, 0, chunk.length, input.timestampsMs, wordsOf(input.values), 0);
        const bytes = encode(input);
        expectSame(decode(bytes), input);
        xorBytes += chunk.length;
        denseBytes += bytes.length;
      }
      expect(denseBytes).toBeLessThan(xorBytes * 0.4);
    },
  );
});

describe('dense columns', () => {
  it('of whole numbers are given back, in any order', () => {
    fc.assert(
      fc.property(walk, (numbers) => {
        const target = new Uint8Array(denseMaxBytes(numbers.length));
        const end = denseEncodeWhole(encoder, numbers, 0, numbers.length, target, 3);
        for (const loops of LOOPS) {
          const back = new Float64Array(numbers.length);
          expect(denseDecodeWhole(target, 3, end, back, back.length, loops)).toBe(end);
          expect(back).toEqual(numbers);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('of int64 are exact over the whole range', () => {
    const near = fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n });
    const whole = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    const ints = fc.oneof(
      fc.array(whole, { minLength: 1, maxLength: 200 }),
      fc
        .tuple(whole, fc.array(near, { minLength: 1, maxLength: 200 }))
        .map(([base, steps]) => steps.map((step) => BigInt.asIntN(64, base + step))),
    );
    fc.assert(
      fc.property(ints, (numbers) => {
        const cells = new Float64Array(BigInt64Array.from(numbers).buffer);
        const target = new Uint8Array(denseMaxBytes(cells.length));
        const end = denseEncodeValues(encoder, 'integer', cells, 0, cells.length, target, 0);
        const back = new Float64Array(cells.length);
        expect(denseDecodeValues(target, 0, end, wordsOf(back), back.length)).toBe(end);
        expect([...new BigInt64Array(back.buffer)]).toEqual(numbers);
      }),
    );
  });
});

/** The XOR chunks of the recorded blocks: behind an 8-byte header, length (LEB128), encoding, data, checksum. */
function* realChunks(): IterableIterator<Uint8Array> {
  for (const block of fs.readdirSync(REAL_BLOCKS)) {
    const directory = path.join(REAL_BLOCKS, block, 'chunks');
    for (const name of fs.readdirSync(directory)) {
      const file = new Uint8Array(fs.readFileSync(path.join(directory, name)));
      let at = 8;
      while (at < file.length) {
        let length = 0;
        let shift = 0;
        for (;;) {
          const byte = file[at++]!;
          length |= (byte & 0x7f) << shift;
          if (byte < 0x80) break;
          shift += 7;
        }
        if (file[at] === 1) yield file.slice(at + 1, at + 1 + length);
        at += 1 + length + 4;
      }
    }
  }
}
