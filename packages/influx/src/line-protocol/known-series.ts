import type { SeriesKey } from '@pollux/storage';

/** A series whose text has 80 characters takes 970 bytes. More of them are read as if they were new. */
const MAX_SERIES = 100_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;

export type KnownKey = {
  /** The key section. */
  readonly bytes: Uint8Array;
  readonly key: SeriesKey;
  readonly number: number;
  /** The tag `time`, under which nothing can be stored. */
  readonly isReserved: boolean;
  /** That of the line that came behind one of this series: writers send the same series in the same order. */
  next: KnownKey | null;
};

/**
 * Series by the text of their key section, over all requests: writers send the same ones again and again. Whoever keeps what they are
 * to him by their numbers forgets it when `numbering` is another object. Full, it begins anew.
 */
export class KnownSeries {
  #byText = new Map<string, KnownKey>();
  #characters = 0;
  #numbering: object = {};
  readonly #maxCharacters: number;

  constructor(maxCharacters = MAX_CHARACTERS) {
    this.#maxCharacters = maxCharacters;
  }

  get numbering(): object {
    return this.#numbering;
  }

  find(text: string): KnownKey | undefined {
    return this.#byText.get(text);
  }

  /** Between two requests: the numbers of one request are all of one numbering. */
  makeRoom(): void {
    if (this.#characters < this.#maxCharacters && this.#byText.size < MAX_SERIES) return;
    this.#byText = new Map();
    this.#characters = 0;
    this.#numbering = {};
  }

  /** `text`, and what `key` is made of, are no parts of a body, which would be held as long: see {@link ownText}. */
  add(text: string, key: SeriesKey): KnownKey {
    // A key with escapes is parsed each time; a second number for it would be that of the next series, too.
    const before = this.#byText.get(text);
    if (before !== undefined) return before;
    const isReserved = key.tags.has('time');
    const bytes = new TextEncoder().encode(text);
    const known = { bytes, key, number: this.#byText.size + 1, isReserved, next: null };
    this.#byText.set(text, known);
    this.#characters += text.length;
    return known;
  }
}

/** The same text in memory of its own: what `slice` gives keeps the whole of it. */
export function ownText(part: string): string {
  return JSON.parse(JSON.stringify(part)) as string;
}
