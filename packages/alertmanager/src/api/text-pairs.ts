import { compareText } from '@pollux/model';
import { hashUnit, pairHash, textHash } from '../alert/label-hash.ts';
import { wellFormed } from './json-body.ts';
import { isText, type TextCache } from './text-cache.ts';

/** A pair is eight numbers: from, to, hash and number of the decoded text plus one, of its name and of its value. */
const WORDS = 8;
/** Objects of more pairs are compared by the slow way. */
const MAX_COMPARED = 31;

/** Named texts in a fixed order: labels or annotations. */
type Pairs = {
  readonly size: number;
  nameAt(index: number): string;
  valueAt(index: number): string;
};

/**
 * The texts of one JSON object as places in a request's body, not yet strings: what is already known is compared where it
 * lies. A text with escapes or beyond ASCII is decoded when it is found, since only then can it be hashed.
 */
export class TextPairs {
  readonly #seed: number;
  readonly #cache: TextCache;
  #data: Buffer = Buffer.alloc(0);
  #words = new Int32Array(32 * WORDS);
  #decoded: string[] = [];
  #count = 0;
  #hash = 0;
  #hasEmptyName = false;
  #hasEmptyValue = false;

  constructor(seed: number, cache: TextCache) {
    this.#seed = seed;
    this.#cache = cache;
  }

  begin(data: Buffer): void {
    this.#data = data;
    this.#count = 0;
    this.#hash = 0;
    this.#hasEmptyName = false;
    this.#hasEmptyValue = false;
    if (this.#decoded.length > 0) this.#decoded = [];
  }

  get count(): number {
    return this.#count;
  }

  /** As `labelsHash` gives it for the same pairs. */
  get hash(): number {
    return this.#hash;
  }

  get hasEmptyName(): boolean {
    return this.#hasEmptyName;
  }

  get hasEmptyValue(): boolean {
    return this.#hasEmptyValue;
  }

  /** The next name, and after it its value, as a scan found them; false when the text is no JSON. */
  add(scan: TextScan): boolean {
    const at = this.#count * WORDS;
    if (at + WORDS > this.#words.length) this.#grow();
    const isValue = scan.isValue;
    const place = at + (isValue ? WORDS / 2 : 0);
    const words = this.#words;
    words[place] = scan.from;
    words[place + 1] = scan.to;
    words[place + 2] = scan.hash;
    words[place + 3] = 0;
    if (!scan.isPlain) {
      const text = decodeText(this.#data, scan.from, scan.to);
      if (text === null) return false;
      words[place + 2] = textHash(text, this.#seed);
      words[place + 3] = this.#decoded.push(text);
    }
    if (isValue) {
      this.#hash = (this.#hash + pairHash(words[at + 2]!, words[place + 2]!)) | 0;
      this.#count++;
      if (scan.from === scan.to) this.#hasEmptyValue = true;
    } else if (scan.from === scan.to) this.#hasEmptyName = true;
    return true;
  }

  /** Whether these are the same pairs, in whatever order they were written. */
  equals(pairs: Pairs): boolean {
    const count = this.#count;
    if (pairs.size !== count || count > MAX_COMPARED) return false;
    let seen = 0;
    let guess = 0;
    for (let i = 0; i < count; i++) {
      const place = i * WORDS;
      let at = guess;
      let tried = 0;
      while (!this.#isAt(place, pairs.nameAt(at))) {
        if (++tried === count) return false;
        at = at + 1 === count ? 0 : at + 1;
      }
      // A name that is written twice must not stand for two.
      if ((seen & (1 << at)) !== 0) return false;
      seen |= 1 << at;
      if (!this.#isAt(place + WORDS / 2, pairs.valueAt(at))) return false;
      guess = at + 1 === count ? 0 : at + 1;
    }
    return true;
  }

  /** As name, value, name, value …, sorted by name; null when a name is there twice. */
  sortedFlat(): string[] | null {
    const flat: string[] = [];
    for (let i = 0; i < this.#count; i++) {
      const name = this.#textAt(i * WORDS);
      const value = this.#textAt(i * WORDS + WORDS / 2);
      let at = flat.length;
      flat.push(name, value);
      for (; at > 0; at -= 2) {
        const order = compareText(flat[at - 2]!, name);
        if (order === 0) return null;
        if (order < 0) break;
        flat[at] = flat[at - 2]!;
        flat[at + 1] = flat[at - 1]!;
      }
      flat[at] = name;
      flat[at + 1] = value;
    }
    // A copy has no room to grow, which a list that was grown has.
    return flat.slice();
  }

  #isAt(place: number, text: string): boolean {
    const words = this.#words;
    const decoded = words[place + 3]!;
    if (decoded > 0) return this.#decoded[decoded - 1] === text;
    return isText(this.#data, words[place]!, words[place + 1]!, text);
  }

  #textAt(place: number): string {
    const words = this.#words;
    const decoded = words[place + 3]!;
    if (decoded > 0) return this.#decoded[decoded - 1]!;
    return this.#cache.ascii(this.#data, words[place]!, words[place + 1]!, words[place + 2]!);
  }

  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
  }
}

/** The text between two quotes of a body, as it was last scanned. */
export class TextScan {
  from = 0;
  to = 0;
  hash = 0;
  /** ASCII without escapes: its bytes are its characters. */
  isPlain = true;
  /** For {@link TextPairs}: the value of a pair, not its name. */
  isValue = false;

  /** Scans the text whose opening quote is at `at`; the offset after its closing quote, or -1 when there is none. */
  run(data: Uint8Array, at: number, seed: number): number {
    const end = data.length;
    if (at >= end || data[at] !== QUOTE) return -1;
    let hash = seed;
    let isPlain = true;
    for (let i = at + 1; i < end; i++) {
      const byte = data[i]!;
      if (byte === QUOTE) {
        this.from = at + 1;
        this.to = i;
        this.hash = hash;
        this.isPlain = isPlain;
        return i + 1;
      }
      if (byte < 0x20) return -1;
      if (byte === BACKSLASH) {
        isPlain = false;
        i++;
      } else if (byte >= 0x80) isPlain = false;
      hash = hashUnit(hash, byte);
    }
    return -1;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Null when an escape is none. Halves of surrogate pairs become U+FFFD, as Go's decoder makes them. */
export function decodeText(data: Buffer, from: number, to: number): string | null {
  const text = data.toString('utf8', from, to);
  if (!text.includes('\\')) return text;
  try {
    return wellFormed(JSON.parse(`"${text}"`) as string);
  } catch {
    return null;
  }
}
