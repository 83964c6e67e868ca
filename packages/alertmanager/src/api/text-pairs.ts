import { compareText, Fnv64 } from '@pollux/model';
import { hashUnit, pairHash, textHash } from '../alert/label-hash.ts';
import { isSpelled, type PlainObject } from '../alert/plain-object.ts';
import { wellFormed } from './json-body.ts';
import { isText, type TextCache } from './text-cache.ts';

/** A pair is eight numbers: from, to, hash and number of the decoded text plus one, of its name and of its value. */
const WORDS = 8;
/** Objects of more pairs are compared by the slow way. */
const MAX_COMPARED = 31;
/** Quotes, colon and comma of a pair. */
const SIGNS = 6;

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
  /** All texts can stand in a plain object. */
  #isPlain = true;
  /** Of all texts. */
  #bytes = 0;
  /** Pairs by name, once they are arranged. */
  #order = new Int32Array(32);
  /** The plain object. */
  #object = Buffer.alloc(1024);
  #objectSize = 0;

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
    this.#isPlain = true;
    this.#bytes = 0;
    this.#objectSize = 0;
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
    this.#bytes += scan.to - scan.from;
    if (!scan.isSafe) this.#isPlain = false;
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

  /** Spells the pairs as a plain object (`plain-object.ts`). False when a text is not plain or a name is there twice. */
  arrange(): boolean {
    if (!this.#isPlain || !this.#sort()) return false;
    const size = 2 + this.#bytes + SIGNS * this.#count;
    if (size > this.#object.length) this.#object = Buffer.alloc(2 * size);
    const object = this.#object;
    const data = this.#data;
    const words = this.#words;
    let to = 0;
    object[to++] = OPEN_MAP;
    for (let i = 0; i < this.#count; i++) {
      const at = this.#order[i]! * WORDS;
      if (i > 0) object[to++] = COMMA;
      object[to++] = QUOTE;
      for (let from = words[at]!; from < words[at + 1]!; from++) object[to++] = data[from]!;
      object[to++] = QUOTE;
      object[to++] = COLON;
      object[to++] = QUOTE;
      for (let from = words[at + 4]!; from < words[at + 5]!; from++) object[to++] = data[from]!;
      object[to++] = QUOTE;
    }
    object[to++] = CLOSE_MAP;
    this.#objectSize = to;
    return true;
  }

  /** Whether the object that was arranged is this one. */
  isObject(object: PlainObject): boolean {
    return isSpelled(object, this.#object, this.#objectSize);
  }

  /** The object that was arranged. */
  object(): PlainObject {
    return this.#object.toString('latin1', 0, this.#objectSize);
  }

  /** FNV-1a of the object that was arranged, as {@link Fnv64.labels} gives it. */
  fingerprint(): Fnv64 {
    const hash = new Fnv64();
    const object = this.#object;
    for (let from = 2; from < this.#objectSize; from += 3) {
      const start = from;
      while (object[from] !== QUOTE) from++;
      hash.bytes(object, start, from);
      hash.byte(0xff);
    }
    return hash;
  }

  /** Whether these are the same pairs as those that stand there name by name, in whatever order they were written. */
  equals(flat: readonly string[]): boolean {
    const count = this.#count;
    if (flat.length !== 2 * count || count > MAX_COMPARED) return false;
    let seen = 0;
    let guess = 0;
    for (let i = 0; i < count; i++) {
      const place = i * WORDS;
      let at = guess;
      let tried = 0;
      while (!this.#isAt(place, flat[2 * at]!)) {
        if (++tried === count) return false;
        at = at + 1 === count ? 0 : at + 1;
      }
      // A name that is written twice must not stand for two.
      if ((seen & (1 << at)) !== 0) return false;
      seen |= 1 << at;
      if (!this.#isAt(place + WORDS / 2, flat[2 * at + 1]!)) return false;
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

  /** Orders the pairs by name; false when a name is there twice. */
  #sort(): boolean {
    const count = this.#count;
    if (count > this.#order.length) this.#order = new Int32Array(2 * count);
    const order = this.#order;
    for (let i = 0; i < count; i++) {
      let at = i;
      for (; at > 0; at--) {
        const compared = this.#compareNames(order[at - 1]!, i);
        if (compared === 0) return false;
        if (compared < 0) break;
        order[at] = order[at - 1]!;
      }
      order[at] = i;
    }
    return true;
  }

  #compareNames(a: number, b: number): number {
    const words = this.#words;
    const data = this.#data;
    let i = words[a * WORDS]!;
    let j = words[b * WORDS]!;
    const iEnd = words[a * WORDS + 1]!;
    const jEnd = words[b * WORDS + 1]!;
    for (; i < iEnd && j < jEnd; i++, j++) {
      const difference = data[i]! - data[j]!;
      if (difference !== 0) return difference;
    }
    return iEnd - i - (jEnd - j);
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
  /** And without signs that the API writes as escapes. */
  isSafe = true;
  /** For {@link TextPairs}: the value of a pair, not its name. */
  isValue = false;

  /** Scans the text whose opening quote is at `at`; the offset after its closing quote, or -1 when there is none. */
  run(data: Uint8Array, at: number, seed: number): number {
    const end = data.length;
    if (at >= end || data[at] !== QUOTE) return -1;
    let hash = seed;
    let seen = 0;
    for (let i = at + 1; i < end; i++) {
      const byte = data[i]!;
      const kind = KINDS[byte]!;
      if (kind >= ENDING) {
        if (byte !== QUOTE) return -1;
        this.from = at + 1;
        this.to = i;
        this.hash = hash;
        this.isPlain = seen < BEYOND;
        this.isSafe = seen === 0;
        return i + 1;
      }
      seen |= kind;
      // What is escaped is looked at when it is decoded.
      if (byte === BACKSLASH) i++;
      hash = hashUnit(hash, byte);
    }
    return -1;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;

/** A sign that HTML would take for its own. */
const OF_HTML = 1;
/** Of a longer sequence: an escape, or UTF-8 beyond ASCII. */
const BEYOND = 2;
/** A quote, or what no text may hold. */
const ENDING = 4;
/** Of each byte of a text; 0 for nearly all. */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === QUOTE || byte < 0x20) return ENDING;
  if (byte === BACKSLASH || byte >= 0x80) return BEYOND;
  return '<>&'.includes(String.fromCharCode(byte)) ? OF_HTML : 0;
});

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
