import type { Labels } from '@pollux/model';
import type { Slices } from '../slices.ts';
import type { KnownSelection } from './known-selections.ts';
import { labelOrder } from './label-order.ts';
import type { SeriesTable, Slot } from './series-table.ts';

/** Fewer are sorted in no time. */
const FEW_SERIES = 1_024;

/**
 * Walks series of the head in the order of their labels. One that leaves the head on the way is left out: it had no sample that
 * its reader may show.
 */
export class HeadSeriesWalk {
  /** As they were given. */
  readonly refs: Uint32Array;
  readonly #table: SeriesTable;
  /** Null until it is sorted, and where the references came in order. */
  #order: Uint32Array | null = null;
  readonly #known: KnownSelection | null;
  readonly #onOrdered: ((sorted: Uint32Array) => void) | null;
  #isBegun = false;
  #next = 0;
  #row = -1;
  #slot: Slot = -1;
  #labels: Labels | null = null;

  /**
   * Takes references, some of which may be of series that are gone; as a selection they are in order already. `onOrdered` is given
   * what {@link prepare} has sorted.
   */
  constructor(
    table: SeriesTable,
    refs: Uint32Array | KnownSelection,
    onOrdered: ((sorted: Uint32Array) => void) | null = null,
  ) {
    this.#table = table;
    this.#onOrdered = onOrdered;
    this.#known = refs instanceof Uint32Array ? null : refs;
    this.refs = refs instanceof Uint32Array ? refs : refs.refs;
  }

  /** Sorts without holding the thread; else the first look at the walk sorts in one go. */
  async prepare(slices: Slices): Promise<void> {
    if (this.#isBegun || this.#known !== null || this.refs.length <= FEW_SERIES) return;
    const { removals } = this.#table;
    const order = await slices.run(labelOrder(this.#table, this.refs));
    if (removals !== this.#table.removals) return;
    this.#onOrdered?.(order.map((row) => this.refs[row]!));
    this.#begin(order);
  }

  /** Where in {@link refs} it stands. */
  get row(): number {
    return this.#row;
  }

  get ref(): number {
    return this.refs[this.#row]!;
  }

  get slot(): Slot {
    return this.#slot;
  }

  /** Null at the end. */
  get labels(): Labels | null {
    if (!this.#isBegun) {
      this.#begin(this.#known === null ? orderAtOnce(this.#table, this.refs) : null);
    }
    return this.#labels;
  }

  advance(): void {
    const order = this.#order;
    this.#labels = null;
    while (this.#next < this.refs.length) {
      const row = this.#next++;
      // Series that are gone are left out of an order.
      if (order !== null && row >= order.length) return;
      this.#row = order === null ? row : order[row]!;
      this.#slot = this.#table.slotOf(this.ref);
      if (this.#slot < 0) continue;
      this.#labels = this.#labelsOf(this.#row);
      return;
    }
  }

  #labelsOf(row: number): Labels {
    const known = this.#known?.labels ?? null;
    if (known === null) return this.#table.labelsOf(this.#slot);
    const labels = known[row] ?? this.#table.labelsOf(this.#slot);
    known[row] = labels;
    return labels;
  }

  #begin(order: Uint32Array | null): void {
    this.#isBegun = true;
    this.#order = order;
    this.advance();
  }
}

/** Places in `refs` of the series that are there, in the order of their labels. */
export function orderAtOnce(table: SeriesTable, refs: Uint32Array): Uint32Array {
  const live = refs
    .map((ref, row) => (table.slotOf(ref) < 0 ? 0 : row + 1))
    .filter((row) => row > 0);
  const work = labelOrder(
    table,
    live.map((row) => refs[row - 1]!),
  );
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value.map((at) => live[at]! - 1);
  }
}
