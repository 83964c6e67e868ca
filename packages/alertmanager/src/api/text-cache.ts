const SLOTS = 4096;
/** Longer texts are seldom repeated and would stay in the cache for long. */
const MAX_LENGTH = 256;

/**
 * Gives one string for equal texts that are read again and again: `critical`, a summary, the name of a label. A table of
 * fixed size in which a new text takes the place of the one before it, so that values which never come twice cost nothing.
 */
export class TextCache {
  readonly #slots: string[] = new Array<string>(SLOTS).fill('');

  /** The text of ASCII bytes, `data[from, to)`, whose hash is `hash`. */
  ascii(data: Buffer, from: number, to: number, hash: number): string {
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#slots[slot]!;
    if (isText(data, from, to, known)) return known;
    const text = data.toString('latin1', from, to);
    if (text.length <= MAX_LENGTH) this.#slots[slot] = text;
    return text;
  }
}

/** Whether ASCII bytes spell a text. */
export function isText(data: Uint8Array, from: number, to: number, text: string): boolean {
  const length = to - from;
  if (text.length !== length) return false;
  // Without a branch for each sign: texts of one length and slot are mostly equal.
  let difference = 0;
  for (let i = 0; i < length; i++) difference |= text.charCodeAt(i) ^ data[from + i]!;
  return difference === 0;
}
