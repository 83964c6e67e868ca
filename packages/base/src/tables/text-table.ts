import { HashTable } from './hash-table.ts';
import { U32List } from './u32-list.ts';

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
}

/** FNV-1a over UTF-16 units, its bits mixedHash once more since tables take the low and the high ones. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
