/**
 * A sum over a multiset of small tuples of numbers: equal multisets have equal sums, whatever their order, and different
 * ones have not but for a chance of about 2^-52. Two walks over the same facts are compared so in constant memory.
 */
export class Fingerprint {
  count = 0;
  #low = 0;
  #high = 0;

  add(a: number, b: number, c = 0): void {
    const seed = mix(mix(mix(0x9e3779b9, a), b), c);
    this.#low = (this.#low + seed) >>> 0;
    this.#high = (this.#high + mix(seed, 0x85ebca6b)) >>> 0;
    this.count++;
  }

  equals(other: Fingerprint): boolean {
    return this.count === other.count && this.#low === other.#low && this.#high === other.#high;
  }
}

/** Takes the low and the high part of a number below 2^53 into a 32-bit hash (murmur3's finaliser). */
function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ (value >>> 0), 0xcc9e2d51) ^ Math.floor(value / 2 ** 32);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A 32-bit hash of bytes (FNV-1a). */
export function bytesHash(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
