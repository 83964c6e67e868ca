import type { Symbols } from '@pollux/index';
import type { SymbolLabels } from '../head/series-record.ts';
import { NEW_TEXT, TOKEN_COUNT } from './text-tokens.ts';

/** What the tokens of a feed mean as symbols of the head; its counterpart on the other side is TextTokens. */
export class FeedTexts {
  readonly #symbols: Symbols;
  readonly #known = new Uint32Array(TOKEN_COUNT);

  constructor(symbols: Symbols) {
    this.#symbols = symbols;
  }

  /** Reads `size` texts from `words[at]` on as symbols into `target`; returns where the next series stands. */
  read(
    words: Uint32Array,
    at: number,
    size: number,
    { bytes, target }: { readonly bytes: Uint8Array; readonly target: SymbolLabels },
  ): number {
    if (size > target.symbols.length) target.symbols = new Uint32Array(size * 2);
    const { symbols } = target;
    let next = at;
    for (let i = 0; i < size; i++) {
      const word = words[next++]!;
      if (word < NEW_TEXT) {
        symbols[i] = this.#known[word]!;
        continue;
      }
      const symbol = this.#symbols.idOfBytes(bytes, words[next]!, words[next + 1]!);
      next += 2;
      // The token of a text that gets none lies behind the end, where nothing is stored.
      this.#known[word - NEW_TEXT] = symbol;
      symbols[i] = symbol;
    }
    target.size = size;
    return next;
  }
}
