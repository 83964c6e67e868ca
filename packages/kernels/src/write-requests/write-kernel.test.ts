import { SeededRandom } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SNAPPY_MALFORMED, snappyDecode, snappyDecodedBytes } from '../snappy/snappy-decode.ts';
import { SNAPPY_TABLE_SIZE, snappyEncode, snappyMaxEncodedBytes } from '../snappy/snappy-encode.ts';
import { createWriteKernel, WRITE_DECODED_BYTES } from './write-kernel.ts';

const SEED = [1, 2, 3, 4] as const;
const kernel = createWriteKernel({ seed: SEED, maxLabelBytes: 1 << 20 });
const reason = kernel === null ? ' (skipped: it is not built; npm run build)' : '';

function encoded(source: Uint8Array): Uint8Array {
  const target = new Uint8Array(snappyMaxEncodedBytes(source.length));
  const table = new Uint16Array(SNAPPY_TABLE_SIZE);
  return target.slice(0, snappyEncode(source, 0, source.length, target, 0, table));
}

/** Texts with repetitions near and far, runs, and noise. */
const texts = fc
  .tuple(
    fc.nat(),
    fc.array(fc.tuple(fc.nat(4), fc.constantFrom(1, 5, 30, 70, 300, 70_000)), { maxLength: 12 }),
  )
  .map(([seed, parts]) => {
    const random = new SeededRandom(seed);
    const bytes: number[] = [];
    for (const [kind, length] of parts) {
      const back = 1 + random.below(Math.max(1, Math.min(bytes.length, 40)));
      for (let i = 0; i < length; i++) {
        bytes.push(kind === 0 ? random.below(256) : (bytes[bytes.length - back] ?? i & 255));
      }
    }
    return Uint8Array.from(bytes);
  });

describe.skipIf(kernel === null)(`the kernel of write requests${reason}`, () => {
  it('opens every block as the reference does, and refuses what it refuses', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(texts, flips, fc.option(fc.nat(), { freq: 3 }), (text, changes, cut) => {
        let block = encoded(text);
        for (const [at, byte] of changes) block[at % block.length] = byte;
        if (cut !== null) block = block.subarray(0, cut % (block.length + 1));
        const room = snappyDecodedBytes(block, 0, block.length);
        const target = new Uint8Array(Math.min(Math.max(room, 0), WRITE_DECODED_BYTES));
        const wanted =
          room === SNAPPY_MALFORMED
            ? SNAPPY_MALFORMED
            : snappyDecode(block, 0, block.length, target);
        expect(kernel!.decompress(block)).toBe(wanted);
        if (wanted < 0) return;
        expect(Buffer.compare(kernel!.decoded.subarray(0, wanted), target)).toBe(0);
      }),
    );
  });

  it('is not there where its memory cannot be had', () => {
    expect(createWriteKernel({ seed: SEED, maxLabelBytes: 2 ** 33 })).toBeNull();
  });

  it('reads all forms of copies and literals', () => {
    const block = [11, 2 << 2, 97, 98, 99, (1 << 2) | 1, 3, (1 << 2) | 2, 2, 0, 3, 8, 0, 0, 0];
    expect(kernel!.decompress(Uint8Array.from(block))).toBe(11);
    expect(Buffer.from(kernel!.decoded.subarray(0, 11)).toString()).toBe('abcabcababc');
    // A literal whose length takes four bytes, and one that says 2^32.
    expect(kernel!.decompress(Uint8Array.of(2, 63 << 2, 1, 0, 0, 0, 65, 66))).toBe(2);
    expect(kernel!.decompress(Uint8Array.of(2, 63 << 2, 255, 255, 255, 255, 65, 66))).toBe(-1);
  });

  it('takes all series in the form of senders, knows them by their bytes, and stops at others', () => {
    const fresh = createWriteKernel({ seed: SEED, maxLabelBytes: 1 << 20 })!;
    const series = (name: string): number[] => [
      ...[0x0a, 10 + name.length + 13, 0x0a, 8 + name.length, 0x0a, 3, 106, 111, 98, 0x12],
      ...[name.length + 1, ...Buffer.from(name), 33],
      ...[0x12, 11, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 7],
    ];
    const message = [...series('one'), ...series('three'), ...series('one'), 0x1a, 0];
    fresh.decoded.set(message);
    expect(fresh.walk(0, message.length, 5)).toBe(message.length - 2);
    expect([fresh.seriesCount, fresh.sampleCount]).toEqual([3, 3]);
    expect([...fresh.seriesRefs.subarray(0, 3)]).toEqual([0, 0, 0]);
    expect([...fresh.sampleSeries.subarray(0, 3)]).toEqual([5, 6, 7]);
    expect(fresh.timestampsMs[2]).toBe(7);
    expect([...fresh.valueWords.subarray(4, 6)]).toEqual([0, 0x3ff00000]);
    for (const [i, ref] of [11, 22].entries()) {
      fresh.set(fresh.decoded, fresh.labelStarts[i]!, fresh.labelEnds[i]!, ref);
    }
    for (let turn = 0; turn < 3; turn++) {
      fresh.walk(0, message.length, 0);
      expect([...fresh.seriesRefs.subarray(0, 3)]).toEqual([11, 22, 11]);
    }
    fresh.set(fresh.decoded, fresh.labelStarts[1]!, fresh.labelEnds[1]!, 0);
    fresh.walk(0, message.length, 0);
    expect([...fresh.seriesRefs.subarray(0, 3)]).toEqual([11, 0, 11]);
  });

  it('finds each of many series and nothing else, and starts anew when full', () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    const most = createWriteKernel({ seed: SEED, maxLabelBytes: 1 << 20 })!;
    for (let i = 0; i < 20_000; i++) {
      const key = bytes(`series-with-some-labels-${i}`);
      most.set(key, 0, key.length, i + 1);
    }
    expect(most.size).toBe(20_000);
    for (let i = 0; i < 20_000; i++) {
      const key = bytes(`xx-series-with-some-labels-${i}`);
      expect(most.find(key, 3, key.length)).toBe(i + 1);
    }
    const other = bytes('series-with-some-labels-20000');
    expect(most.find(other, 0, other.length)).toBe(0);
    const small = createWriteKernel({ seed: SEED, maxLabelBytes: 1_000 })!;
    for (let i = 0; i < 1_000; i++) {
      const key = bytes(`series-${i}`);
      small.set(key, 0, key.length, i + 1);
      expect(small.find(key, 0, key.length)).toBe(i + 1);
    }
    expect(small.size).toBeLessThan(150);
    const long = new Uint8Array(2_000);
    small.set(long, 0, long.length, 7);
    expect(small.find(long, 0, long.length)).toBe(0);
  });
});
