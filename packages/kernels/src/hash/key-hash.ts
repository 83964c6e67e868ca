/** Two random words, drawn once by the owner of the table. */
export type HashSeed = Uint32Array;

/**
 * A 64-bit hash of a key, `data[start, end)`, for hash tables inside one process, as two words of `hash`: HalfSipHash-1-3
 * (Aumasson, Bernstein). It is keyed, so a sender who does not know the seed cannot choose keys that collide, which a
 * multiplicative hash (Murmur, xxHash) does not give even when seeded; and it is made of 32-bit additions, rotations and
 * exclusive ors, which JavaScript has. Not for disk or wire: seeds differ from process to process.
 */
export function hashKey(
  data: Uint8Array,
  start: number,
  end: number,
  seed: HashSeed,
  hash: Uint32Array,
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
      hash[0] = v1 ^ v3;
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
  hash[1] = v1 ^ v3;
}
