import type { Exemplar, Labels } from '@pollux/model';

export type StoredExemplar = {
  readonly seriesLabels: Labels;
  readonly exemplar: Exemplar;
  readonly timestampMs: number;
};

/** The newest exemplars of all series together, in one ring of fixed size. */
export class ExemplarRing {
  readonly capacity: number;
  readonly #items: StoredExemplar[] = [];
  #next = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get count(): number {
    return this.#items.length;
  }

  add(item: StoredExemplar): void {
    if (this.capacity === 0) return;
    this.#items[this.#next] = item;
    this.#next = (this.#next + 1) % this.capacity;
  }

  /** Oldest first. */
  *[Symbol.iterator](): IterableIterator<StoredExemplar> {
    const isWrapped = this.#items.length === this.capacity;
    const start = isWrapped ? this.#next : 0;
    for (let i = 0; i < this.#items.length; i++) {
      yield this.#items[(start + i) % this.#items.length]!;
    }
  }
}
