import { RANGE_BITS, RANGE_LOW, RANGE_SLOTS } from './dense-format.ts';
import { writeUvarint, writeWord } from './number-bytes.ts';

/** From this state on, for each slot of a symbol, 16 bits have to go before the symbol fits. */
const FULL_STATE = 2 ** (32 - RANGE_BITS);

/**
 * Range coding by asymmetric numeral systems (J. Duda, "Asymmetric numeral systems", 2013), two states taking turns, 16
 * bits at a time. It is written from the last symbol to the first and read from the first on. `words` is scratch of at
 * least one element a symbol. Returns the place behind it.
 */
export function encodeRange(
  symbols: Uint32Array,
  count: number,
  table: { readonly frequencies: Uint32Array; readonly starts: Uint32Array },
  words: Uint32Array,
  target: Uint8Array,
  at: number,
): number {
  const { frequencies, starts } = table;
  let even = RANGE_LOW;
  let odd = RANGE_LOW;
  let wordCount = 0;
  for (let i = count - 1; i >= 0; i--) {
    const symbol = symbols[i]!;
    const frequency = frequencies[symbol]!;
    let state = (i & 1) === 0 ? even : odd;
    if (state >= frequency * FULL_STATE) {
      words[wordCount++] = state & 0xffff;
      state >>>= 16;
    }
    const quotient = Math.floor(state / frequency);
    state = quotient * RANGE_SLOTS + (state - quotient * frequency) + starts[symbol]!;
    if ((i & 1) === 0) even = state;
    else odd = state;
  }
  let next = writeUvarint(target, at, wordCount);
  next = writeWord(target, next, even);
  next = writeWord(target, next, odd);
  for (let i = wordCount - 1; i >= 0; i--) {
    const word = words[i]!;
    target[next++] = word;
    target[next++] = word >>> 8;
  }
  return next;
}
