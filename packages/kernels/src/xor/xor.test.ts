import * as fs from 'node:fs';
import * as path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadNativeKernels } from '../native/native-kernels.ts';
import { createNativeXor } from './native-xor.ts';
import {
  createXorAppendState,
  growXorAppendState,
  resetXorAppend,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  xorAppend,
  xorByteLength,
} from './xor-append.ts';
import { XOR_MALFORMED, xorCount, xorDecode, xorDecodePart } from './xor-decode.ts';
import { createXorEncoder, XOR_MOST_CUT_BYTES, xorEncode } from './xor-encode.ts';

const CONFORMANCE =
  process.env.POLLUX_CONFORMANCE ??
  path.resolve(import.meta.dirname, '../../../../../shared/conformance');
const REAL_BLOCKS = path.join(CONFORMANCE, 'real/prometheus-2.42/blocks');

const native = await loadNativeKernels();
/** The reference, and the twin where it is built. */
const IMPLEMENTATIONS = [null, ...(native === null ? [] : [createNativeXor(native)])];

type RawSample = { readonly timestampMs: number; readonly low: number; readonly high: number };

/** Values by their bits: every NaN payload, −0, subnormals; repeated words make the short encodings likely. */
const word = fc.oneof(fc.constant(0), fc.constant(0x3ff00000), fc.nat(0xffffffff));
const samples = fc
  .tuple(
    fc.integer({ min: -(2 ** 44), max: 2 ** 44 }),
    fc.array(
      fc.record({
        gapMs: fc.oneof(
          fc.constant(15_000),
          fc.integer({ min: 1, max: 40_000 }),
          fc.constantFrom(1, 8_192, 8_193, 65_536, 65_537, 524_288, 524_289, 2 ** 33, 2 ** 40),
        ),
        low: word,
        high: word,
      }),
      { minLength: 1, maxLength: 150 },
    ),
  )
  .map(([start, steps]) => {
    let timestampMs = start;
    return steps.map(({ gapMs, low, high }): RawSample => {
      timestampMs += gapMs;
      return { timestampMs, low, high };
    });
  });

/** Values each of which changes a run of bits, of any length and at any place, so that codes end at every bit of a byte. */
const changes = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 64 }), fc.nat(63)), { minLength: 300, maxLength: 400 })
  .map((steps) => {
    let bits = 0n;
    return steps.map(([significant, place], i): RawSample => {
      const trailing = BigInt(Math.min(place, 64 - significant));
      bits ^= ((1n << BigInt(significant - 1)) | 1n) << trailing;
      const timestampMs = i * 15_000;
      return { timestampMs, low: Number(bits & 0xffffffffn), high: Number(bits >> 32n) };
    });
  });

function encode(input: readonly RawSample[], bytes: Uint8Array, offset: number): number {
  const state = createXorAppendState(1);
  for (const { timestampMs, low, high } of input) {
    xorAppend(state, 0, bytes, offset, timestampMs, low, high);
  }
  return xorByteLength(state, 0);
}

/** Both, the second after the first. */
function joined(first: readonly RawSample[], second: readonly RawSample[]): RawSample[] {
  const shift = first.at(-1)!.timestampMs + 15_000 - second[0]!.timestampMs;
  const later = second.map((sample) => ({ ...sample, timestampMs: sample.timestampMs + shift }));
  return [...first, ...later];
}

/** Samples that a chunk takes which is closed as soon as it is longer than `cutBytes`. */
function countUntil(input: readonly RawSample[], cutBytes: number): number {
  const bytes = new Uint8Array(input.length * XOR_SAMPLE_MAX_BYTES + 16);
  const state = createXorAppendState(1);
  for (const { timestampMs, low, high } of input) {
    xorAppend(state, 0, bytes, 0, timestampMs, low, high);
    if (xorByteLength(state, 0) > cutBytes) break;
  }
  return state.count[0]!;
}

/** Decodes with each implementation; they must agree, also on what is malformed. */
function decode(bytes: Uint8Array, offset: number, length: number): RawSample[] | null {
  const claimed = xorCount(bytes, offset);
  const answers = IMPLEMENTATIONS.map((implementation) => {
    const times = new Float64Array(claimed);
    const words = new Uint32Array(claimed * 2);
    const count = xorDecode(bytes, offset, length, times, words, 0, implementation);
    expect(count === XOR_MALFORMED || count === claimed).toBe(true);
    if (count === XOR_MALFORMED) return null;
    return Array.from({ length: count }, (_, i) => ({
      timestampMs: times[i]!,
      low: words[i * 2]!,
      high: words[i * 2 + 1]!,
    }));
  });
  const [first = null, ...others] = answers;
  for (const other of others) expect(other).toEqual(first);
  return first;
}

describe('XOR chunks', () => {
  it.skipIf(native === null)(
    `are decoded by WebAssembly too${native === null ? ' (skipped: it is not built; npm run build)' : ''}`,
    () => expect(IMPLEMENTATIONS).toHaveLength(2),
  );

  it('give back every sample bit for bit', () => {
    fc.assert(
      fc.property(samples, (input) => {
        const bytes = new Uint8Array(input.length * XOR_SAMPLE_MAX_BYTES + 16);
        const length = encode(input, bytes, 0);
        expect(decode(bytes, 0, length)).toEqual(input);
      }),
    );
  });

  it('give the part of their samples that is asked for, behind what is there already', () => {
    fc.assert(
      fc.property(samples, fc.nat(160), fc.nat(160), fc.nat(170), (input, a, b, hidden) => {
        const bytes = new Uint8Array(input.length * XOR_SAMPLE_MAX_BYTES + 16);
        const chunk = { bytes, offset: 0, length: encode(input, bytes, 0) };
        const timeAt = (i: number): number => (input[i] ?? input.at(-1)!).timestampMs + (i % 3) - 1;
        const part = { minMs: timeAt(a), maxMs: timeAt(b), hidden };
        const expected = input
          .slice(0, Math.max(0, input.length - hidden))
          .filter(({ timestampMs }) => timestampMs >= part.minMs && timestampMs <= part.maxMs);
        for (const implementation of IMPLEMENTATIONS) {
          const times = new Float64Array(input.length + 5).fill(7);
          const words = new Uint32Array(input.length * 2 + 10).fill(7);
          const count = xorDecodePart(chunk, part, times, words, 5, implementation);
          const given = Array.from({ length: count }, (_, i) => ({
            timestampMs: times[5 + i]!,
            low: words[10 + i * 2]!,
            high: words[11 + i * 2]!,
          }));
          expect(given).toEqual(expected);
          expect([...times.subarray(0, 5), ...words.subarray(0, 10)]).toEqual(
            new Array(15).fill(7),
          );
          const cut = { ...chunk, length: chunk.length - 1 };
          expect(xorDecodePart(cut, part, times, words, 5, implementation)).toBe(
            xorDecode(bytes, 0, cut.length, times, words, 5, null) === XOR_MALFORMED
              ? XOR_MALFORMED
              : count,
          );
        }
      }),
    );
  });

  it('are written over garbage in a slab without touching what lies before or behind their room', () => {
    fc.assert(
      fc.property(samples, fc.integer({ min: 0, max: 255 }), (input, garbage) => {
        const offset = 24;
        const clean = new Uint8Array(input.length * XOR_SAMPLE_MAX_BYTES + 64);
        const dirty = new Uint8Array(clean.length).fill(garbage);
        const length = encode(input, clean, offset);
        expect(encode(input, dirty, offset)).toBe(length);
        expect(dirty.subarray(offset, offset + length)).toEqual(
          clean.subarray(offset, offset + length),
        );
        expect(dirty.subarray(0, offset).every((byte) => byte === garbage)).toBe(true);
        expect(dirty.subarray(offset + length).every((byte) => byte === garbage)).toBe(true);
      }),
    );
  });

  it('of whole columns are byte for byte those appended sample by sample, cut where these are', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.tuple(samples, samples).map(([first, second]) => joined(first, second)),
          changes,
        ),
        fc.oneof(fc.constantFrom(1005, XOR_MOST_CUT_BYTES), fc.nat(1200)),
        fc.nat(20),
        (input, cutBytes, garbage) => {
          const timestampsMs = Float64Array.from(input, (sample) => sample.timestampMs);
          const words = Uint32Array.from(input.flatMap(({ low, high }) => [low, high]));
          for (const implementation of IMPLEMENTATIONS) {
            const encoder = createXorEncoder(cutBytes, implementation);
            let from = Math.min(garbage, input.length - 1);
            while (from < input.length) {
              const to = Math.min(input.length, from + 120);
              const bytes = new Uint8Array(120 * XOR_SAMPLE_MAX_BYTES + 64).fill(garbage);
              // What is left of other chunks does not matter.
              implementation?.input.fill(0xff);
              const length = xorEncode(encoder, timestampsMs, words, from, to, bytes, 24);
              const wanted = new Uint8Array(bytes.length).fill(garbage);
              const taken = countUntil(input.slice(from, to), cutBytes);
              expect(length).toBe(encode(input.slice(from, from + taken), wanted, 24));
              expect(xorCount(bytes, 24)).toBe(taken);
              expect(Buffer.compare(bytes, wanted)).toBe(0);
              from += taken;
            }
          }
        },
      ),
    );
  });

  it('grow by no more than the promised bytes a sample', () => {
    fc.assert(
      fc.property(samples, (input) => {
        const bytes = new Uint8Array(input.length * XOR_SAMPLE_MAX_BYTES + 16);
        const state = createXorAppendState(1);
        let before = 2;
        for (const { timestampMs, low, high } of input) {
          xorAppend(state, 0, bytes, 0, timestampMs, low, high);
          expect(xorByteLength(state, 0) - before).toBeLessThanOrEqual(XOR_SAMPLE_MAX_BYTES);
          before = xorByteLength(state, 0);
        }
      }),
    );
  });

  it('of many series side by side do not disturb each other, also when the state grows and one starts anew', () => {
    const bytes = new Uint8Array(4 * XOR_MAX_BYTES);
    let state = createXorAppendState(2);
    const put = (index: number, timestampMs: number, low: number): void =>
      xorAppend(state, index, bytes, index * XOR_MAX_BYTES, timestampMs, low, 0x40000000);
    put(0, 1, 1);
    put(1, 1, 2);
    state = growXorAppendState(state, 4);
    put(3, 5, 9);
    put(0, 2, 3);
    resetXorAppend(state, 1);
    put(1, 7, 4);
    const read = (index: number): (number | undefined)[] =>
      decode(bytes, index * XOR_MAX_BYTES, xorByteLength(state, index))!.map(({ low }) => low);
    expect([read(0), read(1), read(3)]).toEqual([[1, 3], [4], [9]]);
  });

  it('that are cut short are refused', () => {
    fc.assert(
      fc.property(samples, fc.nat(), (input, cut) => {
        const bytes = new Uint8Array(input.length * XOR_SAMPLE_MAX_BYTES + 16);
        const length = encode(input, bytes, 0);
        expect(decode(bytes.slice(0, length), 0, cut % length)).toBeNull();
      }),
    );
  });

  it('of random bytes end without a throw and inside the outputs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 300 }), fc.boolean(), (bytes, few) => {
        // Few samples are likely to be all there.
        if (few) bytes.set([0, 32 + (bytes[1]! & 15)]);
        decode(bytes, 0, bytes.length);
      }),
      { numRuns: 2000 },
    );
  });

  const present = fs.existsSync(REAL_BLOCKS);
  it.skipIf(!present)(
    `written by Prometheus 2.42 decode, and encode again to the same bytes${present ? '' : ' (skipped: no conformance data; set POLLUX_CONFORMANCE)'}`,
    () => {
      let chunks = 0;
      for (const chunk of realChunks()) {
        const decoded = decode(chunk, 0, chunk.length);
        expect(decoded).not.toBeNull();
        const bytes = new Uint8Array(chunk.length + 64);
        expect(encode(decoded!, bytes, 0)).toBe(chunk.length);
        expect(bytes.subarray(0, chunk.length)).toEqual(chunk);
        const times = Float64Array.from(decoded!, ({ timestampMs }) => timestampMs);
        const words = Uint32Array.from(decoded!.flatMap(({ low, high }) => [low, high]));
        for (const implementation of IMPLEMENTATIONS) {
          const encoder = createXorEncoder(XOR_MOST_CUT_BYTES, implementation);
          const length = xorEncode(encoder, times, words, 0, times.length, bytes.fill(0), 0);
          expect(bytes.subarray(0, length)).toEqual(chunk);
        }
        chunks++;
      }
      expect(chunks).toBeGreaterThan(90);
    },
  );
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
