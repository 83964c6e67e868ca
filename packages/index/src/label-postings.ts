import { hashPair } from './hash-bytes.ts';
import { HashIndex } from './hash-index.ts';
import { enlarge, RefLists } from './ref-lists.ts';

/** List of all references. */
const ALL = 0;
const NO_NAME = 0xffffffff;

export type PostingsOptions = { readonly keepsAll: boolean; readonly expectedPairs?: number };

/**
 * From a label pair to the ascending references of the series that carry it. Pairs are numbered, and columns hold what
 * belongs to them, so a pair of one series (the value of an `id` label) costs no object.
 */
export class LabelPostings {
  #pairName: Uint32Array;
  #pairValue: Uint32Array;
  #pairs = 0;
  readonly #index: HashIndex;
  /** Of all series one list, then those of the pairs. */
  readonly #refs: RefLists;
  /** Pairs of each name. */
  readonly #pairsOfName: RefLists;
  readonly #listOfName = new Map<number, number>();
  /** The pairs of the series that was added last: its neighbours mostly share them, at the same place. */
  #lastPairs = new Uint32Array(16);

  readonly #keepsAll: boolean;

  /** `keepsAll`: for {@link all}. With room for `expectedPairs` before anything has to be moved. */
  constructor({ keepsAll, expectedPairs = 0 }: PostingsOptions) {
    const pairs = Math.max(64, expectedPairs);
    this.#keepsAll = keepsAll;
    this.#pairName = new Uint32Array(pairs);
    this.#pairValue = new Uint32Array(pairs);
    this.#index = new HashIndex(pairs);
    this.#refs = new RefLists(pairs + 1);
    this.#pairsOfName = new RefLists(16);
    // The pair that {@link add} tries first at every place; no label has it before there is a pair.
    this.#pairName[0] = NO_NAME;
  }

  /** Memory held. */
  get bytes(): number {
    const columns = this.#pairName.byteLength + this.#pairValue.byteLength + this.#index.bytes;
    return columns + this.#refs.bytes + this.#pairsOfName.bytes;
  }

  /** All references, ascending; lent until the next change. None unless they are kept. */
  all(): Uint32Array {
    return this.#refs.view(ALL);
  }

  get pairCount(): number {
    return this.#pairs;
  }

  /** Number of values of the name. */
  valueCount(name: number): number {
    const list = this.#listOfName.get(name);
    return list === undefined ? 0 : this.#pairsOfName.count(list);
  }

  names(): IterableIterator<number> {
    return this.#listOfName.keys();
  }

  /** Adds a series with the pairs (name, value, name, value …) in `labels[start, end)`. */
  add(ref: number, labels: Uint32Array, start: number, end: number): void {
    if (this.#keepsAll) this.#refs.insert(ALL, ref);
    if (end - start > this.#lastPairs.length * 2) {
      this.#lastPairs = new Uint32Array(end - start);
    }
    const last = this.#lastPairs;
    for (let i = start, k = 0; i < end; i += 2, k++) {
      const name = labels[i]!;
      const value = labels[i + 1]!;
      let pair = last[k]!;
      if (this.#pairName[pair] !== name || this.#pairValue[pair] !== value) {
        pair = this.#pair(name, value);
        last[k] = pair;
      }
      this.#refs.insert(pair + 1, ref);
    }
  }

  /** References of the series with this pair; lent until the next change. */
  get(name: number, value: number): Uint32Array {
    const pair = this.#find(name, value, hashPair(name, value));
    return pair < 0 ? new Uint32Array(0) : this.#refs.view(pair + 1);
  }

  /** The values of the name that some series carry. */
  valuesOf(name: number): Uint32Array {
    const list = this.#listOfName.get(name);
    if (list === undefined) return new Uint32Array(0);
    return this.#pairsOfName.view(list).map((pair) => this.#pairValue[pair]!);
  }

  /** Calls `visit` for each value of the name that some series carries. */
  forEachValue(name: number, visit: (value: number, refs: () => Uint32Array) => void): void {
    const list = this.#listOfName.get(name);
    if (list === undefined) return;
    for (const pair of this.#pairsOfName.view(list)) {
      visit(this.#pairValue[pair]!, () => this.#refs.view(pair + 1));
    }
  }

  /** Number of values of the name, and of series of a pair, for statistics. */
  forEachPair(visit: (name: number, value: number, seriesCount: number) => void): void {
    for (let pair = 0; pair < this.#pairs; pair++) {
      visit(this.#pairName[pair]!, this.#pairValue[pair]!, this.#refs.count(pair + 1));
    }
  }

  #find(name: number, value: number, hash: number): number {
    let pair = this.#index.first(hash);
    while (pair >= 0 && (this.#pairName[pair] !== name || this.#pairValue[pair] !== value)) {
      pair = this.#index.next(hash);
    }
    return pair;
  }

  /** The pair's number, given one when it has none. */
  #pair(name: number, value: number): number {
    const hash = hashPair(name, value);
    const known = this.#find(name, value, hash);
    if (known >= 0) return known;
    const pair = this.#pairs++;
    if (pair >= this.#pairName.length) {
      this.#pairName = enlarge(this.#pairName, pair * 2);
      this.#pairValue = enlarge(this.#pairValue, pair * 2);
    }
    this.#pairName[pair] = name;
    this.#pairValue[pair] = value;
    this.#index.add(hash, pair);
    let list = this.#listOfName.get(name);
    if (list === undefined) {
      list = this.#listOfName.size;
      this.#listOfName.set(name, list);
    }
    this.#pairsOfName.insert(list, pair);
    return pair;
  }
}
