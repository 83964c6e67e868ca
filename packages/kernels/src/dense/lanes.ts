/**
 * Bit packing in four lanes: number i lies in lane i mod 4, and 32-bit words of the lanes alternate, so that one vector
 * instruction works on four numbers.
 *
 *     row        lane 0    lane 1    lane 2    lane 3
 *     word 0   | n0 n4 … | n1 n5 … | n2 n6 … | n3 n7 … |   each lane packed from its lowest bit on
 *     word 1   |    …    |    …    |    …    |    …    |
 *     rest     | only the bytes in use of the last word, lane after lane
 */

/** Bytes of `count` numbers of `width` (0 to 32) bits. */
export function lanesBytes(count: number, width: number): number {
  const laneBits = Math.ceil(count / 4) * width;
  const words = Math.floor(laneBits / 32);
  return words * 16 + Math.ceil((laneBits - words * 32) / 8) * 4;
}

/**
 * Packs `source[0, count)`, whose bits above `width` are zero, and returns the place behind it. `words` is scratch of at
 * least count + 8 elements.
 */
export function packLanes(
  source: Uint32Array,
  count: number,
  width: number,
  words: Uint32Array,
  target: Uint8Array,
  at: number,
): number {
  const rows = Math.ceil(count / 4);
  const laneWords = Math.ceil((rows * width) / 32);
  words.fill(0, 0, laneWords * 4 + 4);
  for (let i = 0; i < count; i++) {
    const bit = (i >>> 2) * width;
    const word = (bit >>> 5) * 4 + (i & 3);
    const shift = bit & 31;
    const value = source[i]!;
    words[word] = words[word]! | (value << shift);
    if (shift + width > 32) words[word + 4] = value >>> (32 - shift);
  }
  const whole = Math.floor((rows * width) / 32);
  let next = at;
  for (let i = 0; i < whole * 4; i++) next = putBytes(target, next, words[i]!, 4);
  const restBytes = Math.ceil((rows * width - whole * 32) / 8);
  for (let lane = 0; lane < 4 && restBytes > 0; lane++) {
    next = putBytes(target, next, words[whole * 4 + lane]!, restBytes);
  }
  return next;
}

function putBytes(target: Uint8Array, at: number, word: number, count: number): number {
  for (let i = 0; i < count; i++) target[at + i] = word >>> (i * 8);
  return at + count;
}

/** Copies packed bytes into whole words of `words`, which has four more of scratch: the form that unpacking needs. */
export function loadLanes(
  bytes: Uint8Array,
  at: number,
  count: number,
  width: number,
  words: Uint8Array,
): void {
  const laneBits = Math.ceil(count / 4) * width;
  const whole = Math.floor(laneBits / 32) * 16;
  words.set(bytes.subarray(at, at + whole));
  words.fill(0, whole, whole + 32);
  const restBytes = Math.ceil((laneBits - whole * 2) / 8);
  for (let lane = 0; lane < 4; lane++) {
    for (let i = 0; i < restBytes; i++) {
      words[whole + lane * 4 + i] = bytes[at + whole + lane * restBytes + i]!;
    }
  }
}

/** Unpacks `count` numbers of `width` (1 to 32) bits; up to three more elements of `target` are written. */
export function unpackLanes(
  words: Uint32Array,
  count: number,
  width: number,
  target: Uint32Array,
): void {
  const mask = width === 32 ? -1 : (1 << width) - 1;
  let shift = 0;
  let word = 0;
  for (let i = 0; i < count; i += 4) {
    let a = words[word]! >>> shift;
    let b = words[word + 1]! >>> shift;
    let c = words[word + 2]! >>> shift;
    let d = words[word + 3]! >>> shift;
    const end = shift + width;
    // A shift by 32 is one by 0: it must not be done.
    if (end > 32) {
      const left = 32 - shift;
      a |= words[word + 4]! << left;
      b |= words[word + 5]! << left;
      c |= words[word + 6]! << left;
      d |= words[word + 7]! << left;
    }
    target[i] = a & mask;
    target[i + 1] = b & mask;
    target[i + 2] = c & mask;
    target[i + 3] = d & mask;
    shift = end & 31;
    word += (end >>> 5) << 2;
  }
}
