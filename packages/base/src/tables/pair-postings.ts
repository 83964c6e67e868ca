import { HashTable, mixedHash } from './hash-table.ts';
import { NumberLists } from './number-lists.ts';
import { U32List } from './u32-list.ts';

/** From a pair of symbols (label name and value) to the ascending numbers of the series that carry it. No object per pair. */
export class PairPostings {
  readonly #names = new U32List();
  readonly #values = new U32List();
  readonly #refs = new NumberLists();
  readonly #table = new HashTable((pair) => hashOf(this.#names.at(pair), this.#values.at(pair)));
  /** Per name: its pairs. */
  readonly #pairs = new NumberLists();
  readonly #listOfName = new Map<number, number>();

  get pairCount(): number {
    return this.#names.length;
  }

  get bytes(): number {
    const columns = this.#names.bytes + this.#values.bytes + this.#table.bytes;
    return columns + this.#refs.bytes + this.#pairs.bytes;
  }

  /** The series must not carry the pair yet. */
  add(name: number, value: number, ref: number): void {
    let pair = this.#find(name, value);
    if (pair < 0) {
      pair = this.#names.push(name);
      this.#values.push(value);
      this.#refs.create();
      this.#table.add(hashOf(name, value), pair);
      let list = this.#listOfName.get(name);
      if (list === undefined) {
        list = this.#pairs.create();
        this.#listOfName.set(name, list);
      }
      this.#pairs.add(list, pair);
    }
    this.#refs.add(pair, ref);
  }

  /** References of the series with this pair; lent for reading until the next change. */
  get(name: number, value: number): Uint32Array {
    const pair = this.#find(name, value);
    return pair < 0 ? new Uint32Array(0) : this.#refs.get(pair);
  }

  /** Number of values of the name. */
  valueCount(name: number): number {
    const list = this.#listOfName.get(name);
    return list === undefined ? 0 : this.#pairs.countOf(list);
  }

  /** Calls `visit` for each value of the name; `refs` gives the series that carry it, as {@link get}. */
  forEachValue(name: number, visit: (value: number, refs: () => Uint32Array) => void): void {
    const list = this.#listOfName.get(name);
    if (list === undefined) return;
    for (const pair of this.#pairs.get(list)) {
      visit(this.#values.at(pair), () => this.#refs.get(pair));
    }
  }

  #find(name: number, value: number): number {
    const hash = hashOf(name, value);
    const slots = this.#table.segment(hash);
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = slots[at]!;
      if (slot === 0) return -1;
      if (this.#values.at(slot - 1) === value && this.#names.at(slot - 1) === name) return slot - 1;
    }
  }
}

function hashOf(name: number, value: number): number {
  return mixedHash(mixedHash(0, name), value);
}
