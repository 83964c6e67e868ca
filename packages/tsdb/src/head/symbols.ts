import type { Slices } from '../slices.ts';

/** Entries of the hash table that are no symbol. */
const NONE = 0xffffffff;
const REMOVED = 0xfffffffe;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The strings of the head's labels, each once, by number, with the number of places that use it. Number 0 is "". They are
 * found by an open hash table of numbers, which takes a fifth of a Map's memory and can be asked with bytes.
 */
export class Symbols {
  readonly #texts: string[] = [''];
  #uses = new Uint32Array(256);
  /** Of each text's UTF-16 units. */
  #hashes = new Uint32Array(256);
  #table = new Uint32Array(1024).fill(NONE);
  /** Entries of the table that are not NONE. */
  #tableUsed = 0;
  #count = 1;
  readonly #free: number[] = [];
  /** Symbols that nobody used at some time since the last {@link releaseUnused}. */
  #unused: number[] = [];

  get count(): number {
    return this.#count;
  }

  /** Numbers are below it. */
  get limit(): number {
    return this.#texts.length;
  }

  /** The number of `text`, given one when it has none; counts a use. */
  use(text: string): number {
    const id = this.idOf(text);
    this.retain(id);
    return id;
  }

  /** As {@link use} for a number that the caller was given just now. */
  retain(id: number): void {
    this.#uses[id] = this.#uses[id]! + 1;
  }

  /** The number of `text`, given one when it has none. Unused until {@link retain}. */
  idOf(text: string): number {
    if (text === '') return 0;
    const hash = hashText(text);
    const at = this.#find(text, hash);
    const known = this.#table[at]!;
    return known === NONE ? this.#add(text, hash) : known;
  }

  /** {@link idOf} of the UTF-8 text in `bytes[start, end)`, without making a string of a text that is known. */
  idOfBytes(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const hash = hashAscii(bytes, start, end);
    if (hash < 0) return this.idOf(decoder.decode(bytes.subarray(start, end)));
    const id = this.#findAscii(bytes, start, end, hash);
    return id < 0 ? this.#add(asciiText(bytes, start, end), hash) : id;
  }

  /** {@link find} of the UTF-8 text in `bytes[start, end)`. */
  findBytes(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const hash = hashAscii(bytes, start, end);
    if (hash < 0) return this.find(decoder.decode(bytes.subarray(start, end)));
    return this.#findAscii(bytes, start, end, hash);
  }

  /** Takes a use back. The symbol keeps its number until {@link releaseUnused}. */
  drop(id: number): void {
    this.#uses[id] = this.#uses[id]! - 1;
    if (this.#uses[id] === 0) this.#unused.push(id);
  }

  /** The number of `text`, or −1. */
  find(text: string): number {
    if (text === '') return 0;
    const id = this.#table[this.#find(text, hashText(text))]!;
    return id === NONE ? -1 : id;
  }

  text(id: number): string {
    return this.#texts[id]!;
  }

  /** Forgets symbols without uses; their numbers are given out again. Yields between slices. */
  async releaseUnused(slices: Slices): Promise<void> {
    const unused = this.#unused;
    this.#unused = [];
    for (const [i, id] of unused.entries()) {
      if (i % 256 === 0 && slices.isOver) await slices.pause();
      const text = this.#texts[id]!;
      // A symbol may be listed twice, or be in use again.
      if (this.#uses[id] !== 0 || id === 0 || text === '') continue;
      this.#table[this.#find(text, this.#hashes[id]!)] = REMOVED;
      this.#texts[id] = '';
      this.#free.push(id);
      this.#count--;
    }
  }

  /** The table's place of the text, or the NONE where its search ends. */
  #find(text: string, hash: number): number {
    const mask = this.#table.length - 1;
    let at = hash & mask;
    for (;;) {
      const id = this.#table[at]!;
      if (id === NONE) return at;
      if (id !== REMOVED && this.#hashes[id] === hash && this.#texts[id] === text) return at;
      at = (at + 1) & mask;
    }
  }

  #findAscii(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#table.length - 1;
    let at = hash & mask;
    for (;;) {
      const id = this.#table[at]!;
      if (id === NONE) return -1;
      if (
        id !== REMOVED &&
        this.#hashes[id] === hash &&
        isAscii(this.#texts[id]!, bytes, start, end)
      ) {
        return id;
      }
      at = (at + 1) & mask;
    }
  }

  #add(text: string, hash: number): number {
    if ((this.#tableUsed + 1) * 2 > this.#table.length) this.#rehash();
    const id = this.#free.pop() ?? this.#texts.length;
    if (id >= this.#uses.length) {
      this.#uses = doubled(this.#uses);
      this.#hashes = doubled(this.#hashes);
    }
    this.#texts[id] = text;
    this.#hashes[id] = hash;
    this.#uses[id] = 0;
    this.#put(id, hash);
    this.#count++;
    return id;
  }

  #put(id: number, hash: number): void {
    const mask = this.#table.length - 1;
    let at = hash & mask;
    while (this.#table[at] !== NONE) at = (at + 1) & mask;
    this.#table[at] = id;
    this.#tableUsed++;
  }

  /** Makes room, at most a quarter full, and drops the marks of forgotten symbols. */
  #rehash(): void {
    const old = this.#table;
    let size = 1024;
    while (size < (this.#count + 1) * 4) size *= 2;
    this.#table = new Uint32Array(size).fill(NONE);
    this.#tableUsed = 0;
    for (const id of old) if (id !== NONE && id !== REMOVED) this.#put(id, this.#hashes[id]!);
  }
}

/** FNV-1a over UTF-16 units, its bits mixed once more since tables take the low ones. At least 0, below 2^31. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

/** {@link hashText} of ASCII bytes; −1 when there are others. */
function hashAscii(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    all |= byte;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return all < 0x80 ? mixed(hash) : -1;
}

function mixed(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (once ^ (once >>> 13)) & 0x7fffffff;
}

function isAscii(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

function asciiText(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

function doubled(source: Uint32Array): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(source.length * 2);
  grown.set(source);
  return grown;
}
