import { DecodeError } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BitWriter } from '../bits/bit-writer.ts';
import { startTimeHeader, startTimeState, writeStartTime } from '../bits/start-time.ts';
import { createXorAppendState, xorByteLength } from './xor-append.ts';
import {
  createXor2AppendState,
  growXor2AppendState,
  XOR2_SAMPLE_MAX_BYTES,
  xor2Append,
} from './xor2-append.ts';
import { xor2Decode } from './xor2-decode.ts';
import { Xor2Chunk } from './xor2-encode.ts';

const STALE = 0x7ff0000000000002n;

type Sample = { readonly atMs: number; readonly startMs: number; readonly bits: bigint };

const samples = fc
  .tuple(
    fc.integer({ min: -(2 ** 42), max: 2 ** 42 }),
    fc.array(
      fc.record({
        gapMs: fc.oneof(
          fc.constant(15_000),
          fc.integer({ min: 1, max: 30_000 }),
          fc.constantFrom(1, 4_096, 4_097, 524_288, 524_289, 2 ** 40),
        ),
        startGapMs: fc.oneof(fc.constant(0), fc.constant(70_000), fc.nat(2 ** 40)),
        bits: fc.oneof(
          fc.constant(0x4045000000000000n),
          fc.constant(STALE),
          fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        ),
      }),
      { minLength: 1, maxLength: 150 },
    ),
  )
  .map(([first, steps]) => {
    let atMs = first;
    return steps.map(({ gapMs, startGapMs, bits }): Sample => {
      atMs += gapMs;
      return { atMs, startMs: startGapMs === 0 ? 0 : atMs - startGapMs, bits };
    });
  });

describe('XOR2 chunks', () => {
  it('give back what the page of the format says was written', () => {
    fc.assert(
      fc.property(samples, (input) => {
        const bytes = encode(input);
        expect(decode(bytes)).toEqual(input);
      }),
    );
  });

  it('are written byte for byte as that page says', () => {
    fc.assert(
      fc.property(samples, (input) => {
        const chunk = new Xor2Chunk();
        for (const { atMs, startMs, bits } of input) {
          chunk.append(atMs, Number(bits & 0xffffffffn), Number(bits >> 32n), startMs);
        }
        expect(chunk.count).toBe(input.length);
        expect(chunk.lastTimestampMs).toBe(input.at(-1)!.atMs);
        expect(chunk.bytes.slice(0, chunk.byteLength)).toEqual(encode(input));
      }),
    );
  });

  it('are appended in place as they are written, in bytes that held other things, while the columns grow', () => {
    fc.assert(
      fc.property(samples, fc.array(samples, { maxLength: 2 }), (input, earlier) => {
        const state = createXorAppendState(4);
        let starts = createXor2AppendState(2);
        const offset = 16;
        const bytes = new Uint8Array(offset + 160 * XOR2_SAMPLE_MAX_BYTES).fill(0xff);
        for (const chunk of [...earlier, input]) {
          state.count[1] = 0;
          for (const [i, { atMs, startMs, bits }] of chunk.entries()) {
            const used = i === 0 ? 0 : xorByteLength(state, 1);
            const [low, high] = [Number(bits & 0xffffffffn), Number(bits >> 32n)];
            xor2Append(state, starts, 1, bytes, offset, atMs, low, high, startMs);
            expect(xorByteLength(state, 1) - used).toBeLessThan(XOR2_SAMPLE_MAX_BYTES);
            expect(starts.isStale[1]).toBe(bits === STALE ? 1 : 0);
            if (i % 50 === 7) starts = growXor2AppendState(starts, 4);
          }
          const expected = encode(chunk);
          expect(state.count[1]).toBe(chunk.length);
          expect(xorByteLength(state, 1)).toBe(expected.length);
          expect(bytes.slice(offset, offset + expected.length)).toEqual(expected);
        }
      }),
    );
  });

  it('that are cut short are refused', () => {
    fc.assert(
      fc.property(samples, fc.nat(), (input, cut) => {
        const bytes = encode(input);
        const short = bytes.slice(0, cut % bytes.length);
        expect(() => xor2Decode(short, 0, short.length)).toThrow(DecodeError);
      }),
    );
  });

  it('of random bytes are refused or decoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          expect(xor2Decode(bytes, 0, bytes.length).count).toBeLessThan(bytes.length * 8 + 1);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

function decode(bytes: Uint8Array): Sample[] {
  const { count, timestampsMs, valueWords, startTimestampsMs } = xor2Decode(bytes, 0, bytes.length);
  const bits = new BigUint64Array(valueWords.buffer);
  return Array.from({ length: count }, (_, i) => ({
    atMs: timestampsMs[i]!,
    startMs: startTimestampsMs[i]!,
    bits: bits[i]!,
  }));
}

/** Straight from `xor2-chunk.md`, with big integers. */
function encode(input: readonly Sample[]): Uint8Array {
  const writer = new BitWriter();
  const start = startTimeState(0);
  writer.bits(0, 24);
  let base = 0n;
  let lastWindow: [number, number] | null = null;
  const window = (bits: bigint, reuse: [number, number], fresh: [number, number]): void => {
    const change = bits ^ base;
    const text = change.toString(2).padStart(64, '0');
    const leading = Math.min(31, text.indexOf('1'));
    const trailing = 63 - text.lastIndexOf('1');
    if (lastWindow !== null && leading >= lastWindow[0] && trailing >= lastWindow[1]) {
      writer.bits(...reuse);
      put(writer, text.slice(lastWindow[0], 64 - lastWindow[1]));
      return;
    }
    writer.bits(...fresh);
    writer.bits(leading, 5);
    writer.bits((64 - leading - trailing) & 63, 6);
    put(writer, text.slice(leading, 64 - trailing));
    lastWindow = [leading, trailing];
  };
  const value = (bits: bigint): void => {
    if (bits === STALE) writer.bits(0b111, 3);
    else if (bits === base) writer.bits(0, 1);
    else window(bits, [0b10, 2], [0b110, 3]);
  };
  let delta = 0;
  for (const [i, { atMs, startMs, bits }] of input.entries()) {
    const beforeMs = i === 0 ? 0 : input[i - 1]!.atMs;
    if (i === 0) {
      writer.varint(atMs);
      put(writer, bits.toString(2).padStart(64, '0'));
    } else if (i === 1) {
      delta = atMs - beforeMs;
      writer.uvarint(delta);
      value(bits);
    } else {
      const dod = atMs - beforeMs - delta;
      delta = atMs - beforeMs;
      if (dod === 0 && bits === STALE) writer.bits(0b11111, 5);
      else if (dod === 0 && bits === base) writer.bits(0, 1);
      else if (dod === 0) {
        writer.bits(0b10, 2);
        window(bits, [0, 1], [1, 1]);
      } else {
        if (dod >= -4096 && dod <= 4095) writer.bits((0b110 << 13) | (dod & 0x1fff), 16);
        else if (dod >= -524288 && dod <= 524287) writer.bits((0b1110 << 20) | (dod & 0xfffff), 24);
        else {
          writer.bits(0b11110, 5);
          put(writer, BigInt.asUintN(64, BigInt(dod)).toString(2).padStart(64, '0'));
        }
        value(bits);
      }
    }
    if (bits !== STALE) base = bits;
    writeStartTime(writer, start, { index: i, nowMs: atMs, beforeMs }, startMs);
  }
  writer.patch(0, input.length >>> 8);
  writer.patch(1, input.length & 0xff);
  writer.patch(2, startTimeHeader(start));
  return writer.buffer.slice(0, writer.byteLength);
}

function put(writer: BitWriter, bits: string): void {
  for (const bit of bits) writer.bits(Number(bit), 1);
}
