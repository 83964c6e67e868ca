import type { Random } from '@pollux/base';

/**
 * What hashes are taken with: a start and two odd multipliers. Who names labels must not know them, or could choose names of one
 * hash and make every search a long one; with multipliers known a secret start alone would not help (MurmurHash3 has collisions
 * for every seed).
 */
export type HashKey = Int32Array;

/** A key that nobody else has. */
export function createHashKey(random: Random): HashKey {
  const key = new Int32Array(3);
  random.fill(new Uint8Array(key.buffer));
  key[1] = key[1]! | 1;
  key[2] = key[2]! | 1;
  return key;
}

/** MurmurHash3 (Appleby) of the bytes `[start, end)`, four a step, with multipliers of its own, as a signed number. */
export function hashBytes(data: DataView, start: number, end: number, key: HashKey): number {
  const first = key[1]!;
  const second = key[2]!;
  let hash = key[0]!;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    hash = mixedIn(hash, data.getInt32(i, true), first, second);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let shift = 0; i < end; i++, shift += 8) rest |= data.getUint8(i) << shift;
  return finished(mixedIn(hash, rest, first, second) ^ (end - start));
}

/** As {@link hashBytes}, of the numbers `words[start, end)`. */
export function hashWords(words: Uint32Array, start: number, end: number, key: HashKey): number {
  const first = key[1]!;
  const second = key[2]!;
  let hash = key[0]!;
  for (let i = start; i < end; i++) {
    hash = mixedIn(hash, words[i]!, first, second);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  return finished(hash ^ (end - start));
}

/** Of two numbers that nobody from outside can choose, such as those of symbols. */
export function hashPair(first: number, second: number): number {
  return finished(Math.imul(second, 0xcc9e2d51) ^ Math.imul(first, 0x1b873593));
}

function mixedIn(hash: number, word: number, first: number, second: number): number {
  const mixed = Math.imul(word, first);
  return hash ^ Math.imul((mixed << 15) | (mixed >>> 17), second);
}

function finished(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
