const SEGMENTS = 256;
/** A table of fewer values has one segment. */
const MIN_DIVIDED = 4_096;
const FIRST_SIZE = 8;

/**
 * An open-addressing table of numbers, whose keys are the caller's. A large one grows segment by segment, so that no insertion
 * moves more than a 256th of it. Nothing is ever removed. A lookup walks the segment of the hash:
 *
 *     const slots = table.segment(hash);
 *     for (let at = hash & (slots.length - 1); slots[at] !== 0; at = (at + 1) & (slots.length - 1)) … slots[at] - 1 …
 */
export class HashTable {
  readonly #hashOf: (value: number) => number;
  /** Value + 1, 0 for free. */
  #segments: Uint32Array[] = [new Uint32Array(FIRST_SIZE)];
  #counts = new Uint32Array(1);

  /** `hashOf` tells the hash of a value that was added; asked when a segment grows. */
  constructor(hashOf: (value: number) => number) {
    this.#hashOf = hashOf;
  }

  get bytes(): number {
    let bytes = 0;
    for (const segment of this.#segments) bytes += segment.byteLength;
    return bytes;
  }

  /** Where values with this hash stand; lent until the next {@link add}. */
  segment(hash: number): Uint32Array {
    return this.#segments[this.#indexOf(hash)]!;
  }

  add(hash: number, value: number): void {
    const index = this.#indexOf(hash);
    const count = this.#counts[index]! + 1;
    this.#counts[index] = count;
    // Two thirds full at most, so that probes stay short.
    if (count * 3 > this.#segments[index]!.length * 2) this.#grow(index);
    place(this.#segments[index]!, hash, value);
    if (count === MIN_DIVIDED && this.#segments.length === 1) this.#divide();
  }

  #indexOf(hash: number): number {
    return this.#segments.length === 1 ? 0 : hash >>> 24;
  }

  #divide(): void {
    const [whole] = this.#segments;
    const size = (MIN_DIVIDED / SEGMENTS) * 2;
    this.#segments = Array.from({ length: SEGMENTS }, () => new Uint32Array(size));
    this.#counts = new Uint32Array(SEGMENTS);
    for (const slot of whole!) if (slot !== 0) this.add(this.#hashOf(slot - 1), slot - 1);
  }

  #grow(index: number): void {
    const old = this.#segments[index]!;
    const grown = new Uint32Array(old.length * 2);
    for (const slot of old) if (slot !== 0) place(grown, this.#hashOf(slot - 1), slot - 1);
    this.#segments[index] = grown;
  }
}

function place(slots: Uint32Array, hash: number, value: number): void {
  const mask = slots.length - 1;
  let at = hash & mask;
  while (slots[at] !== 0) at = (at + 1) & mask;
  slots[at] = value + 1;
}

/** Mixes a word into a hash; all 32 bits of the outcome are usable. */
export function mixedHash(hash: number, word: number): number {
  let h = Math.imul(hash ^ word, 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
