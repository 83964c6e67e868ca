import { CHOSEN_FLOAT_TEXT, type NativeFloatText } from './native-float-text.ts';

/**
 * Writes the shortest decimal that reads as the float `value` to `target[at …]`, which has room for 32 bytes, and returns
 * where it ends; `at` when it has none without an exponent: zeros, NaN, infinities, below 1e-6 and from 1e21 on. The reference
 * is the language's own text of a number.
 */
export function floatText(
  value: number,
  target: Uint8Array,
  at: number,
  native: NativeFloatText | null = CHOSEN_FLOAT_TEXT,
): number {
  const abs = Math.abs(value);
  if (!(abs >= 1e-6 && abs < 1e21)) return at;
  if (native !== null) {
    const { text } = native;
    const length = native.write(value);
    for (let i = 0; i < length; i++) target[at + i] = text[i]!;
    return at + length;
  }
  const text = String(value);
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}
