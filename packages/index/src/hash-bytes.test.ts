import { SeededRandom } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { createHashKey, type HashKey, hashBytes, hashWords } from './hash-bytes.ts';

/** Of an odd number, modulo 2^32. */
function inverse(odd: number): number {
  let found = odd;
  for (let i = 0; i < 5; i++) found = Math.imul(found, 2 - Math.imul(odd, found));
  return found;
}

const mixed = (word: number, [, first, second]: HashKey): number => {
  const product = Math.imul(word, first!);
  return Math.imul((product << 15) | (product >>> 17), second!);
};

/** Texts of eight bytes that all have one hash under the key: what somebody would send who knows it. */
function colliding(count: number, key: HashKey): DataView[] {
  const [start, first, second] = key;
  return Array.from({ length: count }, (_, i) => {
    let hash = start! ^ mixed(i, key);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
    const product = Math.imul(hash ^ 0x12345678, inverse(second!));
    const text = new DataView(new ArrayBuffer(8));
    text.setInt32(0, i, true);
    text.setInt32(4, Math.imul((product << 17) | (product >>> 15), inverse(first!)), true);
    return text;
  });
}

describe('the hash of labels', () => {
  it('is no use to who chooses labels for another key', () => {
    const random = new SeededRandom(5);
    const key = createHashKey(random);
    const texts = colliding(10_000, key);
    const hashes = (of: HashKey): number =>
      new Set(texts.map((text) => hashBytes(text, 0, 8, of))).size;
    expect(new Set(texts.map((text) => text.getBigInt64(0))).size).toBe(10_000);
    expect(hashes(key)).toBe(1);
    for (let i = 0; i < 5; i++) expect(hashes(createHashKey(random))).toBeGreaterThan(9_950);
  });

  it('of numbers depends on the key as well, and on their order and count', () => {
    const random = new SeededRandom(6);
    const [a, b] = [createHashKey(random), createHashKey(random)];
    const words = Uint32Array.of(1, 2, 0, 0);
    const all = [a, b].flatMap((key) => [
      hashWords(words, 0, 2, key),
      hashWords(words, 0, 3, key),
      hashWords(words, 0, 4, key),
      hashWords(Uint32Array.of(2, 1), 0, 2, key),
    ]);
    expect(new Set(all).size).toBe(8);
  });

  it('has odd multipliers, which lose nothing', () => {
    for (let seed = 0; seed < 50; seed++) {
      const [, first, second] = createHashKey(new SeededRandom(seed));
      expect([first! & 1, second! & 1]).toEqual([1, 1]);
    }
  });
});
