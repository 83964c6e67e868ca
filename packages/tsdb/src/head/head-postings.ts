/** A growing ascending list of references. */
class RefList {
  items = new Uint32Array(1);
  count = 0;

  insert(ref: number): void {
    if (this.count === this.items.length) {
      const grown = new Uint32Array(Math.max(4, this.count + (this.count >>> 1)));
      grown.set(this.items);
      this.items = grown;
    }
    let at = this.count;
    // References ascend, so the loop runs only for a series whose first sample came late.
    while (at > 0 && this.items[at - 1]! > ref) {
      this.items[at] = this.items[at - 1]!;
      at--;
    }
    this.items[at] = ref;
    this.count++;
  }

  view(): Uint32Array {
    return this.items.subarray(0, this.count);
  }
}

/** No slot of the pair table. */
const NONE = 0xffffffff;

/**
 * From a label pair to the ascending references of the series that carry it. Pairs are numbered; the first reference of
 * a pair lies in a column, so a pair of one series (the value of an `id` label) costs no object.
 */
export class HeadPostings {
  #all = new RefList();
  #pairName: Uint32Array;
  #pairValue: Uint32Array;
  #pairCount: Uint32Array;
  #pairFirst: Uint32Array;
  #pairs = 0;
  /** References of pairs with more than one. */
  readonly #lists = new Map<number, RefList>();
  readonly #pairsOfName = new Map<number, RefList>();
  #table: Uint32Array;

  /** With room for `pairs` before anything has to be moved. */
  constructor(pairs = 64) {
    let size = 64;
    while (size < pairs) size *= 2;
    this.#pairName = new Uint32Array(size);
    this.#pairValue = new Uint32Array(size);
    this.#pairCount = new Uint32Array(size);
    this.#pairFirst = new Uint32Array(size);
    this.#table = new Uint32Array(size * 2).fill(NONE);
  }

  /** All references, ascending; lent until the next change. */
  all(): Uint32Array {
    return this.#all.view();
  }

  get pairCount(): number {
    return this.#pairs;
  }

  /** Number of values of the name. */
  valueCount(name: number): number {
    return this.#pairsOfName.get(name)?.count ?? 0;
  }

  names(): IterableIterator<number> {
    return this.#pairsOfName.keys();
  }

  add(ref: number, labels: Uint32Array, start: number, end: number): void {
    this.#all.insert(ref);
    for (let i = start; i < end; i += 2) this.#addTo(this.#pair(labels[i]!, labels[i + 1]!), ref);
  }

  /** References of the series with this pair; lent until the next change. */
  get(name: number, value: number): Uint32Array {
    const slot = this.#find(name, value);
    const pair = this.#table[slot]!;
    return pair === NONE ? new Uint32Array(0) : this.#refsOf(pair);
  }

  /** Calls `visit` for each value of the name that some series carries. */
  forEachValue(name: number, visit: (value: number, refs: () => Uint32Array) => void): void {
    const pairs = this.#pairsOfName.get(name);
    if (pairs === undefined) return;
    for (let i = 0; i < pairs.count; i++) {
      const pair = pairs.items[i]!;
      visit(this.#pairValue[pair]!, () => this.#refsOf(pair));
    }
  }

  /** Number of values of the name, and of series of a pair, for statistics. */
  forEachPair(visit: (name: number, value: number, seriesCount: number) => void): void {
    for (let pair = 0; pair < this.#pairs; pair++) {
      visit(this.#pairName[pair]!, this.#pairValue[pair]!, this.#pairCount[pair]!);
    }
  }

  #refsOf(pair: number): Uint32Array {
    if (this.#pairCount[pair] === 1) return this.#pairFirst.subarray(pair, pair + 1);
    return this.#lists.get(pair)!.view();
  }

  #addTo(pair: number, ref: number): void {
    const count = this.#pairCount[pair]!;
    if (count === 0) this.#pairFirst[pair] = ref;
    else {
      let list = this.#lists.get(pair);
      if (list === undefined) {
        list = new RefList();
        list.insert(this.#pairFirst[pair]!);
        this.#lists.set(pair, list);
      }
      list.insert(ref);
    }
    this.#pairCount[pair] = count + 1;
  }

  #pair(name: number, value: number): number {
    let slot = this.#find(name, value);
    const known = this.#table[slot]!;
    if (known !== NONE) return known;
    if ((this.#pairs + 1) * 2 > this.#table.length) {
      this.#rehash();
      slot = this.#find(name, value);
    }
    if (this.#pairs === this.#pairName.length) this.#grow();
    const pair = this.#pairs++;
    this.#pairName[pair] = name;
    this.#pairValue[pair] = value;
    this.#table[slot] = pair;
    let ofName = this.#pairsOfName.get(name);
    if (ofName === undefined) {
      ofName = new RefList();
      this.#pairsOfName.set(name, ofName);
    }
    ofName.insert(pair);
    return pair;
  }

  #find(name: number, value: number): number {
    const mask = this.#table.length - 1;
    let slot = (Math.imul(name, 0x9e3779b1) ^ Math.imul(value, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & mask;
    for (;;) {
      const pair = this.#table[slot]!;
      if (pair === NONE) return slot;
      if (this.#pairName[pair] === name && this.#pairValue[pair] === value) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #rehash(): void {
    this.#table = new Uint32Array(this.#table.length * 2).fill(NONE);
    for (let pair = 0; pair < this.#pairs; pair++) {
      this.#table[this.#find(this.#pairName[pair]!, this.#pairValue[pair]!)] = pair;
    }
  }

  #grow(): void {
    const size = this.#pairName.length * 2;
    this.#pairName = enlarge(this.#pairName, size);
    this.#pairValue = enlarge(this.#pairValue, size);
    this.#pairCount = enlarge(this.#pairCount, size);
    this.#pairFirst = enlarge(this.#pairFirst, size);
  }
}

export function enlarge(source: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(size);
  grown.set(source);
  return grown;
}
