import { HashTable } from './hash-table.ts';
import { U32List } from './u32-list.ts';

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Texts, each once, by number in the order of their coming. Number 0 is "". */
export class TextTable {
  readonly #texts: string[] = [];
  readonly #hashes = new U32List();
  readonly #table = new HashTable((id) => this.#hashes.at(id));
  #textBytes = 0;

  constructor() {
    this.idOf('');
  }

  get count(): number {
    return this.#texts.length;
  }

  /** Estimated memory held. */
  get bytes(): number {
    // An entry of the array, and the header of a string.
    return this.#textBytes + this.#texts.length * 24 + this.#hashes.bytes + this.#table.bytes;
  }

  /** The number of `text`, given one when it has none. */
  idOf(text: string): number {
    const hash = hashText(text);
    const known = this.#find(text, hash);
    if (known >= 0) return known;
    const id = this.#texts.push(text) - 1;
    this.#hashes.push(hash);
    this.#table.add(hash, id);
    this.#textBytes += text.length;
    return id;
  }

  /** The number of `text`, or −1. */
  find(text: string): number {
    return this.#find(text, hashText(text));
  }

  /** As {@link idOf}, of the text in UTF-8 in `data[start, end)`; −1 when it is malformed. Makes a string only of a new text. */
  idOfUtf8(data: Uint8Array, start: number, end: number): number {
    let hash = FNV_OFFSET;
    let bits = 0;
    for (let i = start; i < end; i++) {
      const byte = data[i]!;
      bits |= byte;
      hash = Math.imul(hash ^ byte, FNV_PRIME);
    }
    if (bits < 0x80) {
      const known = this.#findAscii(data, start, end, finished(hash));
      if (known >= 0) return known;
    }
    try {
      return this.idOf(strictText.decode(data.subarray(start, end)));
    } catch {
      return -1;
    }
  }

  /** Whether `data[start, end)` is the text of this number; false also for one beyond ASCII. */
  isText(id: number, data: Uint8Array, start: number, end: number): boolean {
    const text = this.#texts[id]!;
    const { length } = text;
    if (length !== end - start) return false;
    // Texts that differ mostly do so at their end.
    for (let i = length - 1; i >= 0; i--) {
      const byte = data[start + i]!;
      if (byte >= 0x80 || text.charCodeAt(i) !== byte) return false;
    }
    return true;
  }

  text(id: number): string {
    return this.#texts[id]!;
  }

  #find(text: string, hash: number): number {
    const slots = this.#table.segment(hash);
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = slots[at]!;
      if (slot === 0) return -1;
      if (this.#texts[slot - 1] === text) return slot - 1;
    }
  }

  #findAscii(data: Uint8Array, start: number, end: number, hash: number): number {
    const slots = this.#table.segment(hash);
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = slots[at]!;
      if (slot === 0) return -1;
      if (this.isText(slot - 1, data, start, end)) return slot - 1;
    }
  }
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over UTF-16 units, which are the bytes of ASCII. */
function hashText(text: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return finished(hash);
}

/** Mixes the bits once more, since tables take the low and the high ones. */
function finished(fnv: number): number {
  let hash = fnv;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
