import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashKey } from './key-hash.ts';

const SEED = Uint32Array.of(0x03020100, 0x07060504);

describe('hashes of keys', () => {
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
        const [low, high] = hashOf(key, seed);
        expect(hexOf(low) + hexOf(high)).toBe(plainHalfSip(key, seed, 1, 3));
      }),
    );
  });

  it('do not depend on where in a buffer the key lies', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(9), (key, start) => {
        const data = new Uint8Array(start + key.length + 5).fill(0xaa);
        data.set(key, start);
        const hash = new Uint32Array(2);
        hashKey(data, start, start + key.length, SEED, hash);
        expect([...hash]).toEqual(hashOf(key, SEED));
      }),
    );
  });

  it('change in half of their bits with every bit of the key and of the seed', () => {
    const key = new TextEncoder().encode('{__name__="up", instance="127.0.0.1:9100", job="node"}');
    const flips = new Float64Array(64);
    const trials = (key.length + 8) * 8;
    const first = hashOf(key, SEED);
    for (let bit = 0; bit < trials; bit++) {
      const seed = SEED.slice();
      const changed = key.slice();
      if (bit < key.length * 8) changed[bit >> 3]! ^= 1 << (bit & 7);
      else new Uint8Array(seed.buffer)[(bit >> 3) - key.length]! ^= 1 << (bit & 7);
      const second = hashOf(changed, seed);
      for (let out = 0; out < 64; out++) {
        const word = out >> 5;
        flips[out]! += ((first[word]! ^ second[word]!) >>> (out & 31)) & 1;
      }
    }
    // 496 trials: a fair coin is within 0.4 to 0.6 at more than four standard deviations.
    for (const flipped of flips) expect(Math.abs(flipped / trials - 0.5)).toBeLessThan(0.1);
  });

  it('spread the keys of series that differ in a number evenly over a table, by either word', () => {
    const count = 1 << 16;
    const lows = new Uint32Array(count);
    const highs = new Uint32Array(count);
    const encoder = new TextEncoder();
    for (let i = 0; i < count; i++) {
      const key = encoder.encode(`http_requests_total\xffinstance\xffhost-${i}:9100\xff`);
      const [low, high] = hashOf(key, SEED);
      lows[i] = low;
      highs[i] = high;
    }
    for (const words of [lows, highs]) {
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
    const distinct = new Set(Array.from(lows, (low, i) => `${low} ${highs[i]}`));
    expect(distinct.size).toBe(count);
  });
});

const seeds = fc
  .tuple(fc.nat(0xffffffff), fc.nat(0xffffffff))
  .map((words) => Uint32Array.from(words));

function hashOf(key: Uint8Array, seed: Uint32Array): [low: number, high: number] {
  const hash = new Uint32Array(2);
  hashKey(key, 0, key.length, seed, hash);
  return [hash[0]!, hash[1]!];
}

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
