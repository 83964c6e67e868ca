import type { Labels } from '@pollux/model';
import { sortByLabels } from './label-order.ts';
import type { SeriesTable, Slot } from './series-table.ts';

/**
 * Walks series of the head in the order of their labels. One that leaves the head on the way is left out: it had no sample that
 * its reader may show.
 */
export class HeadSeriesWalk {
  /** In the order of the walk. */
  readonly refs: Uint32Array;
  readonly #table: SeriesTable;
  #index = -1;
  #slot: Slot = -1;
  #labels: Labels | null = null;

  /** Takes the references of live series, and stands on the first. */
  constructor(table: SeriesTable, refs: Uint32Array) {
    this.#table = table;
    this.refs = sortByLabels(table, refs);
    this.advance();
  }

  /** Where in {@link refs} it stands. */
  get index(): number {
    return this.#index;
  }

  get ref(): number {
    return this.refs[this.#index]!;
  }

  get slot(): Slot {
    return this.#slot;
  }

  /** Null at the end. */
  get labels(): Labels | null {
    return this.#labels;
  }

  advance(): void {
    this.#labels = null;
    while (++this.#index < this.refs.length) {
      this.#slot = this.#table.slotOf(this.ref);
      if (this.#slot < 0) continue;
      this.#labels = this.#table.labelsOf(this.#slot);
      return;
    }
  }
}
