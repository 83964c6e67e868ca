import { SeededRandom } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SNAPPY_MALFORMED, snappyDecode, snappyDecodedBytes } from '../snappy/snappy-decode.ts';
import { SNAPPY_TABLE_SIZE, snappyEncode, snappyMaxEncodedBytes } from '../snappy/snappy-encode.ts';
import { createWriteKernel, WRITE_DECODED_BYTES } from './write-kernel.ts';

const SEED = [1, 2, 3, 4] as const;
const kernel = createWriteKernel({ seed: SEED });
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
    expect(createWriteKernel({ seed: SEED, maxSeries: 2 ** 33 })).toBeNull();
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
    const fresh = createWriteKernel({ seed: SEED })!;
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
    const most = createWriteKernel({ seed: SEED })!;
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
    const small = createWriteKernel({ seed: SEED, maxSeries: 100 })!;
    for (let i = 0; i < 1_000; i++) {
      const key = bytes(`series-${i}`);
      small.set(key, 0, key.length, i + 1);
      expect(small.find(key, 0, key.length)).toBe(i + 1);
    }
    expect(small.size).toBeLessThanOrEqual(100);
  });

  it('tells labels apart by each of their bytes and their length, and by nothing behind them', () => {
    const lengths = fc.oneof(
      fc.nat(80),
      fc.constantFrom(127, 128, 1008, 1023, 1024, 1025, 1033, 5000),
    );
    const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.nat(), lengths, change, fc.nat(4_000), (seed, length, [place, flip], at) => {
        const fresh = createWriteKernel({ seed: SEED, maxSeries: 100 })!;
        const random = new SeededRandom(seed);
        const noise = (): number => random.below(256);
        const text = Uint8Array.from({ length }, noise);
        // Each time between other bytes, and also where the kernel reads without a copy.
        const find = (bytes: Uint8Array): number[] => {
          const copy = Uint8Array.from({ length: at + bytes.length + 70 }, noise);
          copy.set(bytes, at);
          const elsewhere = fresh.find(copy, at, at + bytes.length);
          fresh.decoded.set(copy);
          fresh.walk(0, 0, 0);
          return [elsewhere, fresh.find(fresh.decoded, at, at + bytes.length)];
        };
        fresh.set(Uint8Array.of(1, ...text, 2), 1, length + 1, 77);
        expect(find(text)).toEqual([77, 77]);
        expect(find(Uint8Array.of(...text, 0))).toEqual([0, 0]);
        if (length === 0) return;
        expect(find(text.subarray(0, length - 1))).toEqual([0, 0]);
        const other = text.slice();
        other[place % length] = text[place % length]! ^ flip;
        expect(find(other)).toEqual([0, 0]);
        fresh.set(other, 0, length, 78);
        expect([find(text), find(other)]).toEqual([
          [77, 77],
          [78, 78],
        ]);
      }),
      { numRuns: 300 },
    );
  });
});
