import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadNativeKernels } from '../native/native-kernels.ts';
import { hashKeyReference } from './hash-reference.ts';
import { createKeyHashes, hashKey, hashKeys } from './key-hash.ts';
import { createNativeHash } from './native-hash.ts';

const native = await loadNativeKernels();
/** The reference, and the twin where it is built. */
const IMPLEMENTATIONS = [null, ...(native === null ? [] : [createNativeHash(native)])];
const SEED = Uint32Array.of(0x03020100, 0x07060504);

describe('hashes of keys', () => {
  it.skipIf(native === null)(
    `are computed by WebAssembly too${native === null ? ' (skipped: it is not built; npm run build)' : ''}`,
    () => expect(IMPLEMENTATIONS).toHaveLength(2),
  );

  it('are HalfSipHash-1-3, by a plain version that gives the published vectors of 2-4', () => {
    // The first vectors of the authors' reference, key 00 … 07, message 00 01 02 …
    const published = [
      '218d1f59b9b83cc8',
      'be552412f8387315',
      '064f39ef7c50eb57',
      'ce0f1a45f7060679',
      'd5e78a175be52ea1',
      'cb9d7c3f2f3db580',
      'ce3e91358aa2bc25',
      'ff202728b07bc684',
    ];
    const count = Uint8Array.from({ length: 8 }, (_, i) => i);
    published.forEach((hex, size) => {
      expect(plainHalfSip(count.subarray(0, size), SEED, 2, 4)).toBe(hex);
    });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), seeds, (key, seed) => {
        const wanted = plainHalfSip(key, seed, 1, 3);
        for (const implementation of IMPLEMENTATIONS) {
          const hashes = createKeyHashes(1);
          hashKey(key, 0, key.length, seed, hashes, 0, implementation);
          expect(hexOf(hashes.low[0]!) + hexOf(hashes.high[0]!)).toBe(wanted);
        }
      }),
    );
  });

  it('of many keys of one buffer are those of each alone, whatever their order, lengths and gaps', () => {
    const data = fc.sample(fc.uint8Array({ minLength: 150_000, maxLength: 150_000 }), 1)[0]!;
    const place = fc.nat(data.length - 70_000);
    const sizes = fc.oneof({ weight: 20, arbitrary: fc.nat(300) }, fc.nat(70_000));
    const lists = fc.array(fc.tuple(place, sizes), { maxLength: 40 });
    fc.assert(
      fc.property(lists, fc.boolean(), seeds, (spans, isSorted, seed) => {
        if (isSorted) spans.sort((a, b) => a[0] - b[0]);
        const starts = Uint32Array.from(spans, ([start]) => start);
        const ends = Uint32Array.from(spans, ([start, size]) => start + size);
        const wanted = createKeyHashes(spans.length);
        spans.forEach(([start, size], i) => {
          hashKeyReference(data, start, start + size, seed, wanted, i);
        });
        for (const implementation of IMPLEMENTATIONS) {
          const hashes = createKeyHashes(spans.length);
          hashKeys(data, starts, ends, spans.length, seed, hashes, implementation);
          expect(hashes).toEqual(wanted);
        }
      }),
    );
  });

  it('of more keys than one call takes are whole', () => {
    const count = 20_000;
    const data = Uint8Array.from({ length: count + 8 }, (_, i) => i * 31);
    const starts = Uint32Array.from({ length: count }, (_, i) => i);
    const ends = starts.map((start) => start + 8);
    const [first, ...others] = IMPLEMENTATIONS.map((implementation) => {
      const hashes = createKeyHashes(count);
      hashKeys(data, starts, ends, count, SEED, hashes, implementation);
      return hashes;
    });
    for (const other of others) expect(other).toEqual(first);
  });

  it('change in half of their bits with every bit of the key and of the seed', () => {
    const key = new TextEncoder().encode('{__name__="up", instance="127.0.0.1:9100", job="node"}');
    const hashes = createKeyHashes(2);
    const flips = new Float64Array(64);
    const trials = (key.length + 8) * 8;
    hashKey(key, 0, key.length, SEED, hashes, 0);
    for (let bit = 0; bit < trials; bit++) {
      const seed = SEED.slice();
      const changed = key.slice();
      if (bit < key.length * 8) changed[bit >> 3]! ^= 1 << (bit & 7);
      else new Uint8Array(seed.buffer)[(bit >> 3) - key.length]! ^= 1 << (bit & 7);
      hashKey(changed, 0, changed.length, seed, hashes, 1);
      for (let out = 0; out < 64; out++) {
        const words = out < 32 ? hashes.low : hashes.high;
        flips[out]! += ((words[0]! ^ words[1]!) >>> (out & 31)) & 1;
      }
    }
    // 496 trials: a fair coin is within 0.4 to 0.6 at more than four standard deviations.
    for (const flipped of flips) expect(Math.abs(flipped / trials - 0.5)).toBeLessThan(0.1);
  });

  it('spread the keys of series that differ in a number evenly over a table, by either word', () => {
    const count = 1 << 16;
    const hashes = createKeyHashes(count);
    const encoder = new TextEncoder();
    for (let i = 0; i < count; i++) {
      const key = encoder.encode(`http_requests_total\xffinstance\xffhost-${i}:9100\xff`);
      hashKey(key, 0, key.length, SEED, hashes, i);
    }
    for (const words of [hashes.low, hashes.high]) {
      const low = new Uint32Array(1 << 12);
      const high = new Uint32Array(1 << 12);
      for (const word of words) {
        low[word & 0xfff]!++;
        high[word >>> 20]!++;
      }
      // Chi squared with 4,095 degrees of freedom: mean 4,095, standard deviation 90.
      for (const counts of [low, high]) {
        let chi = 0;
        for (const n of counts) chi += (n - 16) ** 2 / 16;
        expect(Math.abs(chi - 4095)).toBeLessThan(500);
      }
    }
    const distinct = new Set(Array.from(hashes.low, (low, i) => low * 2 ** 21 + hashes.high[i]!));
    expect(distinct.size).toBe(count);
  });
});

const seeds = fc
  .tuple(fc.nat(0xffffffff), fc.nat(0xffffffff))
  .map((words) => Uint32Array.from(words));

/** HalfSipHash with 64 bits of output by its definition, in hex; `seed` is the key's two words. */
function plainHalfSip(key: Uint8Array, seed: Uint32Array, perWord: number, atEnd: number): string {
  const v = Uint32Array.of(0, 0, 0x6c796765, 0x74656462);
  for (let i = 0; i < 4; i++) v[i]! ^= seed[i & 1]!;
  v[1]! ^= 0xee;
  const turn = (i: number, by: number): void => {
    v[i] = (v[i]! << by) | (v[i]! >>> (32 - by));
  };
  const mix = (rounds: number): void => {
    for (let round = 0; round < rounds; round++) {
      for (const [a, b, by, half] of [
        [0, 1, 5, true],
        [2, 3, 8, false],
        [0, 3, 7, false],
        [2, 1, 13, true],
      ] as const) {
        v[a]! += v[b]!;
        turn(b, by);
        v[b]! ^= v[a]!;
        if (half) turn(a, 16);
      }
    }
  };
  const padded = new Uint8Array((key.length & ~3) + 4);
  padded.set(key);
  padded[padded.length - 1] = key.length;
  for (let at = 0; at < padded.length; at += 4) {
    const word = new DataView(padded.buffer).getUint32(at, true);
    v[3]! ^= word;
    mix(perWord);
    v[0]! ^= word;
  }
  v[2]! ^= 0xee;
  mix(atEnd);
  const low = (v[1]! ^ v[3]!) >>> 0;
  v[1]! ^= 0xdd;
  mix(atEnd);
  return hexOf(low) + hexOf((v[1]! ^ v[3]!) >>> 0);
}

/** A word as hex of its bytes, lowest first. */
function hexOf(word: number): string {
  const bytes = new Uint8Array(Uint32Array.of(word).buffer);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
