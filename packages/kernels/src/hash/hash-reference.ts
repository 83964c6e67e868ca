import type { HashSeed, KeyHashes } from './key-hash.ts';

/** HalfSipHash-1-3 of `data[start, end)`, 64 bits, in TypeScript: the reference of the WebAssembly twin. */
export function hashKeyReference(
  data: Uint8Array,
  start: number,
  end: number,
  seed: HashSeed,
  hashes: KeyHashes,
  at: number,
): void {
  let v0 = seed[0]! | 0;
  let v1 = seed[1]! ^ 0xee;
  let v2 = seed[0]! ^ 0x6c796765;
  let v3 = seed[1]! ^ 0x74656462;
  const wholeEnd = start + ((end - start) & ~3);
  // The last word: the bytes that fill no word, and the length at the top.
  let last = (end - start) << 24;
  for (let i = wholeEnd, shift = 0; i < end; i++, shift += 8) last |= data[i]! << shift;
  for (let i = start; i <= wholeEnd; i += 4) {
    const word =
      i < wholeEnd
        ? data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24)
        : last;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  v2 ^= 0xee;
  for (let round = 0; round < 6; round++) {
    if (round === 3) {
      hashes.low[at] = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  hashes.high[at] = v1 ^ v3;
}
