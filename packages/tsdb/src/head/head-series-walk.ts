import type { Labels } from '@pollux/model';
import type { Slices } from '../slices.ts';
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
  #order: Uint32Array | null = null;
  #next = 0;
  #row = -1;
  #slot: Slot = -1;
  #labels: Labels | null = null;

  /** Takes references, some of which may be of series that are gone. */
  constructor(table: SeriesTable, refs: Uint32Array) {
    this.#table = table;
    this.refs = refs;
  }

  /** Sorts without holding the thread; else the first look at the walk sorts in one go. */
  async prepare(slices: Slices): Promise<void> {
    if (this.#order !== null || this.refs.length <= FEW_SERIES) return;
    const { removals } = this.#table;
    const order = await slices.run(labelOrder(this.#table, this.refs));
    if (removals === this.#table.removals) this.#begin(order);
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
    if (this.#order === null) this.#begin(orderAtOnce(this.#table, this.refs));
    return this.#labels;
  }

  advance(): void {
    const order = this.#order!;
    this.#labels = null;
    while (this.#next < order.length) {
      this.#row = order[this.#next++]!;
      this.#slot = this.#table.slotOf(this.ref);
      if (this.#slot < 0) continue;
      this.#labels = this.#table.labelsOf(this.#slot);
      return;
    }
  }

  #begin(order: Uint32Array): void {
    this.#order = order;
    this.advance();
  }
}

function orderAtOnce(table: SeriesTable, refs: Uint32Array): Uint32Array {
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
