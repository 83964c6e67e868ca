import { SeededRandom } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHOSEN_SNAPPY } from './native-snappy.ts';
import { SNAPPY_MALFORMED, snappyDecode, snappyDecodedBytes } from './snappy-decode.ts';
import { SNAPPY_TABLE_SIZE, snappyEncode, snappyMaxEncodedBytes } from './snappy-encode.ts';

const table = new Uint16Array(SNAPPY_TABLE_SIZE);

function encode(source: Uint8Array): Uint8Array {
  const target = new Uint8Array(snappyMaxEncodedBytes(source.length) + 3);
  return target.slice(3, snappyEncode(source, 0, source.length, target, 3, table));
}

function decode(block: Uint8Array): Uint8Array | null {
  const size = snappyDecodedBytes(block, 0, block.length);
  if (size === SNAPPY_MALFORMED || size > 1 << 22) return null;
  const target = new Uint8Array(size);
  return snappyDecode(block, 0, block.length, target) === SNAPPY_MALFORMED ? null : target;
}

/** Texts with repetitions near and far, runs, and noise; some over the block size. */
const inputs = fc
  .tuple(
    fc.nat(),
    fc.array(fc.tuple(fc.nat(4), fc.constantFrom(1, 5, 30, 70, 300, 5000, 70_000)), {
      maxLength: 20,
    }),
  )
  .map(([seed, parts]) => {
    const random = new SeededRandom(seed);
    const bytes: number[] = [];
    for (const [kind, length] of parts) {
      const back = 1 + random.below(Math.max(1, Math.min(bytes.length, 66_000)));
      for (let i = 0; i < length; i++) {
        if (kind === 0) bytes.push(random.below(256));
        else if (kind === 1) bytes.push(7);
        else bytes.push(bytes[bytes.length - back] ?? i & 255);
      }
    }
    return Uint8Array.from(bytes);
  });

describe('snappy blocks', () => {
  it.skipIf(CHOSEN_SNAPPY === null)(
    `are the same bytes in WebAssembly${CHOSEN_SNAPPY === null ? ' (skipped: it is not built; npm run build)' : ''}`,
    () => {
      fc.assert(
        fc.property(inputs, fc.nat(9), (source, skipped) => {
          const start = Math.min(skipped, source.length);
          const [reference, twin] = [null, CHOSEN_SNAPPY].map((native) => {
            const target = new Uint8Array(snappyMaxEncodedBytes(source.length) + 5);
            const end = snappyEncode(source, start, source.length, target, 5, table, native);
            return target.subarray(5, end);
          });
          expect(Buffer.compare(twin!, reference!)).toBe(0);
        }),
      );
    },
  );

  it.skipIf(CHOSEN_SNAPPY === null)(
    `are opened alike in WebAssembly, sound or damaged${CHOSEN_SNAPPY === null ? ' (skipped: it is not built; npm run build)' : ''}`,
    () => {
      fc.assert(
        fc.property(inputs, fc.nat(), fc.nat(255), fc.boolean(), (source, at, value, isSound) => {
          const block = encode(source);
          if (!isSound) block[at % block.length] = value;
          const size = snappyDecodedBytes(block, 0, block.length);
          if (size === SNAPPY_MALFORMED || size > 1 << 22) return;
          const [reference, twin] = [null, CHOSEN_SNAPPY].map((native) => {
            const target = new Uint8Array(size + 3);
            const count = snappyDecode(block, 0, block.length, target, native);
            return { count, bytes: target.subarray(0, Math.max(0, count)) };
          });
          expect(twin!.count).toBe(reference!.count);
          expect(Buffer.compare(twin!.bytes, reference!.bytes)).toBe(0);
        }),
      );
    },
  );

  it('give back what was encoded, within the promised room', () => {
    fc.assert(
      fc.property(inputs, (source) => {
        const block = encode(source);
        expect(block.length).toBeLessThanOrEqual(snappyMaxEncodedBytes(source.length));
        expect(Buffer.compare(decode(block)!, source)).toBe(0);
      }),
    );
  });

  it('of repetitive input are small', () => {
    expect(encode(new Uint8Array(100_000)).length).toBeLessThan(5_000);
  });

  it('are read in every form of the format', () => {
    // Length 11; literal "abc"; copy of 5 at offset 3 (one byte); of 2 at 2 (two bytes); of 1 at 8 (four bytes).
    const block = [11, 2 << 2, 97, 98, 99, (1 << 2) | 1, 3, (1 << 2) | 2, 2, 0, 3, 8, 0, 0, 0];
    expect(Buffer.from(decode(Uint8Array.from(block))!).toString()).toBe('abcabcababc');
    const long = [70, 60 << 2, 69, ...new Array(70).fill(65)];
    expect(decode(Uint8Array.from(long))?.length).toBe(70);
  });

  it('that are damaged or cut short never give more than they claim, and never throw', () => {
    fc.assert(
      fc.property(inputs, fc.nat(), fc.nat(255), (source, at, value) => {
        const block = encode(source);
        if (source.length > 0) expect(decode(block.subarray(0, block.length - 1))).toBeNull();
        block[at % block.length] = value;
        decode(block);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decode(bytes)));
  });
});
