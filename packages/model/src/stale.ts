/**
 * The stale marker is one NaN bit pattern (0x7ff0000000000002); an ordinary NaN is 0x7ff8000000000001. A JavaScript number
 * may lose the payload, so both are only ever written, tested and copied through 32-bit views.
 */
export const STALE_NAN_HIGH = 0x7ff00000;
export const STALE_NAN_LOW = 0x00000002;
export const NORMAL_NAN_HIGH = 0x7ff80000;
export const NORMAL_NAN_LOW = 0x00000001;

/** Index of the high word of a double in a Uint32Array view: 1 on little-endian machines, the only ones Node runs on. */
const HIGH = 1;
const LOW = 0;

/** The bits of `values` as 32-bit words; word 2i is the low, 2i+1 the high half of element i. */
export function wordsOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** Tests element `index` of the array that `words` views. */
export function isStaleAt(words: Uint32Array, index: number): boolean {
  return words[index * 2 + HIGH] === STALE_NAN_HIGH && words[index * 2 + LOW] === STALE_NAN_LOW;
}

export function setStaleAt(words: Uint32Array, index: number): void {
  words[index * 2 + HIGH] = STALE_NAN_HIGH;
  words[index * 2 + LOW] = STALE_NAN_LOW;
}

export function setNormalNanAt(words: Uint32Array, index: number): void {
  words[index * 2 + HIGH] = NORMAL_NAN_HIGH;
  words[index * 2 + LOW] = NORMAL_NAN_LOW;
}
