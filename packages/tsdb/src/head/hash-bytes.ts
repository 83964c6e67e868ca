/** MurmurHash3 (Appleby) of the bytes `[start, end)`, four a step, as a signed number. */
export function hashBytes(data: DataView, start: number, end: number): number {
  let hash = 0x3c074a61;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    hash = mixedIn(hash, data.getInt32(i, true));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let shift = 0; i < end; i++, shift += 8) rest |= data.getUint8(i) << shift;
  return finished(mixedIn(hash, rest) ^ (end - start));
}

/** As {@link hashBytes}, of the numbers `words[start, end)`. */
export function hashWords(words: Uint32Array, start: number, end: number): number {
  let hash = 0x3c074a61;
  for (let i = start; i < end; i++) {
    hash = mixedIn(hash, words[i]!);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  return finished(hash ^ (end - start));
}

function mixedIn(hash: number, word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return hash ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

function finished(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
