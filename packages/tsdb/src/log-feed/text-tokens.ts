/** A word with this bit is a new text: its start and end among the slot's bytes follow. The other bits are its token. */
export const NEW_TEXT = 0x80000000;
/** The token of a text that gets none: it is longer than the table keeps. */
export const NO_TOKEN = 0x7fffffff;
export const TOKEN_COUNT = 32_768;
const MAX_TEXT_BYTES = 64;

/**
 * Which texts of labels the other side knows, by number: of a million series most texts have been sent before. A table of
 * fixed size, in which a text takes the place of another with the same hash; both sides forget that one at the same word.
 */
export class TextTokens {
  readonly #hashes = new Uint32Array(TOKEN_COUNT);
  readonly #lengths = new Uint8Array(TOKEN_COUNT);
  readonly #texts = new Uint8Array(TOKEN_COUNT * MAX_TEXT_BYTES);
  /** How often each token has got another text. */
  readonly #versions = new Uint32Array(TOKEN_COUNT);
  #never = 0;

  /** The token of the text `source[start, end)`, of at least one byte, with NEW_TEXT when it must be sent. */
  take(source: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > MAX_TEXT_BYTES) return (NEW_TEXT | NO_TOKEN) >>> 0;
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ source[i]!, 0x01000193);
    hash = (hash ^ (hash >>> 15)) >>> 0;
    const token = hash & (TOKEN_COUNT - 1);
    const at = token * MAX_TEXT_BYTES;
    const texts = this.#texts;
    if (this.#hashes[token] === hash && this.#lengths[token] === length) {
      let i = 0;
      while (i < length && texts[at + i] === source[start + i]) i++;
      if (i === length) return token;
    }
    this.#versions[token] = this.#versions[token]! + 1;
    this.#hashes[token] = hash;
    this.#lengths[token] = length;
    for (let i = 0; i < length; i++) texts[at + i] = source[start + i]!;
    return (NEW_TEXT | token) >>> 0;
  }

  /** As long as it is the same the token stands for the same text; of {@link NO_TOKEN} it never is. */
  versionOf(token: number): number {
    return token < TOKEN_COUNT ? this.#versions[token]! : ++this.#never;
  }

  /** No text is known to the other side any more. */
  forget(): void {
    this.#lengths.fill(0);
  }
}
