import type { LabelIndex } from './label-index.ts';
import type { LabelPostings } from './label-postings.ts';
import type { Symbols } from './symbols.ts';

/** Series are asked one by one for their values only when there are fewer than this many times the values of the label. */
const SERIES_PER_VALUE = 4;

export type MemoryIndexParts = {
  readonly symbols: Symbols;
  readonly postings: LabelPostings;
  /** Symbol of the value that a series has in the label, 0 when it has none. */
  readonly valueOf: (ref: number, name: number) => number;
};

/** Postings in memory by texts. */
export class MemoryIndex implements LabelIndex {
  readonly #parts: MemoryIndexParts;

  constructor(parts: MemoryIndexParts) {
    this.#parts = parts;
  }

  all(): Uint32Array {
    return this.#parts.postings.all();
  }

  postings(name: string, value: string): Uint32Array {
    const { symbols, postings } = this.#parts;
    const nameId = symbols.find(name);
    const valueId = value === '' ? -1 : symbols.find(value);
    return nameId < 0 || valueId < 0 ? new Uint32Array(0) : postings.get(nameId, valueId);
  }

  postingsWhere(name: string, passes: (value: string) => boolean): Uint32Array[] {
    const { symbols, postings } = this.#parts;
    const lists: Uint32Array[] = [];
    const nameId = symbols.find(name);
    if (nameId < 0) return lists;
    postings.forEachValue(nameId, (value, refs) => {
      if (passes(symbols.text(value))) lists.push(refs());
    });
    return lists;
  }

  filter(refs: Uint32Array, name: string, passes: (value: string) => boolean): Uint32Array | null {
    const { symbols, postings } = this.#parts;
    const nameId = symbols.find(name);
    if (nameId < 0) return passes('') ? refs : new Uint32Array(0);
    if (postings.valueCount(nameId) * SERIES_PER_VALUE <= refs.length) return null;
    const kept = new Uint32Array(refs.length);
    const known = new Map<number, boolean>();
    let count = 0;
    for (const ref of refs) {
      const value = this.#parts.valueOf(ref, nameId);
      let isPassing = known.get(value);
      if (isPassing === undefined) {
        isPassing = passes(symbols.text(value));
        known.set(value, isPassing);
      }
      if (isPassing) kept[count++] = ref;
    }
    return kept.subarray(0, count);
  }

  /** Values, not empty, that the series have in the label; each once, in no order. */
  valuesOf(refs: Iterable<number>, name: string): string[] {
    const { symbols } = this.#parts;
    const nameId = symbols.find(name);
    if (nameId < 0) return [];
    const values = new Set<number>();
    for (const ref of refs) values.add(this.#parts.valueOf(ref, nameId));
    values.delete(0);
    return Array.from(values, (value) => symbols.text(value));
  }
}
