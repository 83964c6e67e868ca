/** 2^6 parts, told by the highest bits of the hash; fewer numbers than this are in one part: there are many small indexes. */
const PART_BITS = 6;
const PARTS = 2 ** PART_BITS;
const PART_SHIFT = 32 - PART_BITS;
const MIN_DIVIDED = 2_048;
const MIN_ENTRIES = 16;
/** An entry is two words: hash, and number + 1 or one of these. */
const EMPTY = 0;
const REMOVED = -1;

/**
 * Finds numbers by 32-bit hashes (given and compared as signed); what the numbers stand for is the owner's business, who
 * also compares it. Open addressing, each entry with its hash, so that a search touches one line of memory and growing asks
 * the owner nothing. It consists of parts that grow by themselves: with a million entries growing holds the thread for
 * some ten microseconds at a time.
 */
export class HashIndex {
  #parts: Int32Array[];
  /** Number of the parts − 1. */
  #partMask: number;
  /** Entries of each part that are not EMPTY, and those that hold a number. */
  readonly #used = new Uint32Array(PARTS);
  readonly #live = new Uint32Array(PARTS);
  /** Where {@link first} and {@link next} are. */
  #entries: Int32Array;
  #at = 0;

  /** With room for `count` numbers before anything has to be moved. */
  constructor(count = 0) {
    const parts = count < MIN_DIVIDED ? 1 : PARTS;
    const entries = sizeFor(Math.ceil((count / parts) * 1.25));
    this.#parts = Array.from({ length: parts }, () => new Int32Array(entries * 2));
    this.#partMask = parts - 1;
    this.#entries = this.#parts[0]!;
  }

  /** Memory held. */
  get bytes(): number {
    let bytes = 0;
    for (const part of this.#parts) bytes += part.byteLength;
    return bytes;
  }

  /** Makes room for `count` numbers in all. */
  expect(count: number): void {
    if (count >= MIN_DIVIDED && this.#partMask === 0) this.#divide();
    const mean = count / this.#parts.length;
    // Of hashes some parts get more than others.
    const most = mean + 4 * Math.sqrt(mean);
    let entries = MIN_ENTRIES;
    while (entries * 2 < most * 3) entries *= 2;
    for (let part = 0; part < this.#parts.length; part++) {
      if (entries * 2 > this.#parts[part]!.length) this.#resize(part, entries);
    }
  }

  /** A number that was added with this hash, or −1. Further ones by {@link next}. */
  first(hash: number): number {
    const entries = this.#parts[(hash >>> PART_SHIFT) & this.#partMask]!;
    this.#entries = entries;
    this.#at = (hash << 1) & (entries.length - 1);
    return this.#scan(hash);
  }

  /** The number after the last answer, with the same hash, or −1. */
  next(hash: number): number {
    this.#at = (this.#at + 2) & (this.#entries.length - 1);
    return this.#scan(hash);
  }

  /** Adds a number, which is below 2^31 − 1 and not there yet with this hash. */
  add(hash: number, id: number): void {
    const part = (hash >>> PART_SHIFT) & this.#partMask;
    let entries = this.#parts[part]!;
    // At most two thirds full: a search in vain then ends after four entries on average.
    if ((this.#used[part]! + 1) * 3 > entries.length) {
      entries = this.#resize(part, sizeFor(this.#live[part]! + 1));
    }
    put(entries, hash, id + 1);
    this.#used[part] = this.#used[part]! + 1;
    this.#live[part] = this.#live[part]! + 1;
    if (this.#partMask === 0 && this.#live[part] === MIN_DIVIDED) this.#divide();
  }

  /**
   * Adds the numbers `firstId`, `firstId` + 1 … with these hashes, part by part: what is added in the order of hashes misses the
   * processor's cache each time.
   */
  addRun(hashes: Int32Array, firstId: number): void {
    const starts = new Uint32Array(PARTS + 1);
    for (let i = 0; i < hashes.length; i++) {
      const next = (hashes[i]! >>> PART_SHIFT) + 1;
      starts[next] = starts[next]! + 1;
    }
    for (let part = 0; part < PARTS; part++) starts[part + 1]! += starts[part]!;
    const order = new Uint32Array(hashes.length);
    for (let i = 0; i < hashes.length; i++) {
      const part = hashes[i]! >>> PART_SHIFT;
      order[starts[part]!] = i;
      starts[part] = starts[part]! + 1;
    }
    for (let i = 0; i < order.length; i++) this.add(hashes[order[i]!]!, firstId + order[i]!);
  }

  /** Takes a number away that was added with this hash. */
  remove(hash: number, id: number): void {
    let found = this.first(hash);
    while (found >= 0 && found !== id) found = this.next(hash);
    if (found < 0) return;
    this.#entries[this.#at + 1] = REMOVED;
    const part = (hash >>> PART_SHIFT) & this.#partMask;
    this.#live[part] = this.#live[part]! - 1;
  }

  #scan(hash: number): number {
    const entries = this.#entries;
    const mask = entries.length - 1;
    let at = this.#at;
    for (;;) {
      const id = entries[at + 1]!;
      if (id === EMPTY) return -1;
      if (entries[at] === hash && id !== REMOVED) {
        this.#at = at;
        return id - 1;
      }
      at = (at + 2) & mask;
    }
  }

  /** Goes over from one part to all of them. */
  #divide(): void {
    const whole = this.#parts[0]!;
    const entries = sizeFor(Math.ceil((this.#live[0]! / PARTS) * 1.25));
    this.#parts = Array.from({ length: PARTS }, () => new Int32Array(entries * 2));
    this.#partMask = PARTS - 1;
    this.#used[0] = 0;
    this.#live[0] = 0;
    for (let i = 0; i < whole.length; i += 2) {
      const id = whole[i + 1]!;
      if (id !== EMPTY && id !== REMOVED) this.add(whole[i]!, id - 1);
    }
  }

  /** Moves a part to `size` entries and drops the marks of removed numbers. */
  #resize(part: number, size: number): Int32Array {
    const old = this.#parts[part]!;
    const entries = new Int32Array(size * 2);
    for (let i = 0; i < old.length; i += 2) {
      const id = old[i + 1]!;
      if (id !== EMPTY && id !== REMOVED) put(entries, old[i]!, id);
    }
    this.#used[part] = this.#live[part]!;
    this.#parts[part] = entries;
    return entries;
  }
}

function put(entries: Int32Array, hash: number, word: number): void {
  const mask = entries.length - 1;
  let at = (hash << 1) & mask;
  while (entries[at + 1] !== EMPTY) at = (at + 2) & mask;
  entries[at] = hash;
  entries[at + 1] = word;
}

/** A power of two of which `live` numbers take no more than about half. */
function sizeFor(live: number): number {
  let entries = MIN_ENTRIES;
  while (entries * 8 < live * 15) entries *= 2;
  return entries;
}
