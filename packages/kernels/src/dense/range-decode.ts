import { RANGE_BITS, RANGE_LOW, RANGE_SLOTS } from './dense-format.ts';

/**
 * Decodes `count` symbols from the states `even` and `odd` and `words[0, wordCount)`; `slots` as fillSlots makes them. False when the words do not end with
 * the symbols, or the states not where an encoder begins: the bytes are damaged.
 */
export function decodeRange(
  stream: {
    readonly even: number;
    readonly odd: number;
    readonly words: Uint16Array;
    readonly wordCount: number;
  },
  slots: Uint32Array,
  target: Uint32Array,
  count: number,
): boolean {
  const { words, wordCount } = stream;
  let state = stream.even;
  let other = stream.odd;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const entry = slots[state & (RANGE_SLOTS - 1)]!;
    target[i] = entry & 0xff;
    state = (Math.imul((entry >>> 8) & 0xfff, state >>> RANGE_BITS) + (entry >>> 20)) >>> 0;
    if (state < RANGE_LOW) {
      if (at === wordCount) return false;
      state = ((state << 16) | words[at++]!) >>> 0;
    }
    const swapped = other;
    other = state;
    state = swapped;
  }
  return at === wordCount && state === RANGE_LOW && other === RANGE_LOW;
}
