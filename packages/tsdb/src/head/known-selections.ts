import type { Labels, Matcher } from '@pollux/model';
import type { SeriesTable } from './series-table.ts';

/** Series of the head in the order of their labels, which are read when they are first looked at. */
export type KnownSelection = {
  readonly refs: Uint32Array;
  /** Null: too many to be kept. */
  readonly labels: (Labels | undefined)[] | null;
};

/** Larger selections are not sorted here, which would hold the thread; once their reader has done so in slices, the order is kept. */
const MAX_SERIES = 4_096;
/** Of all that is kept, twice: some 250 bytes each once their labels were read. */
const MAX_KEPT_SERIES = 8_192;
/** So many of which the order alone is kept count as one. */
const ORDERED_A_SERIES = 64;
const MAX_KEPT = 256;

/**
 * What matchers have found in the head, as long as the head has the same series: dashboards and rules ask for the same ones again and
 * again, and finding a few, with regular expressions, order and labels, costs more than reading their samples. Figures:
 * `known-selections.bench.ts`.
 */
export class KnownSelections {
  readonly #table: SeriesTable;
  /** Asked for since the last change of generations. */
  #young = new Map<string, KnownSelection>();
  /** Asked for before; what is asked again becomes young. */
  #old = new Map<string, KnownSelection>();
  #youngSeries = 0;
  /** What the table was when these were found. */
  #removals = 0;
  #indexed = 0;

  constructor(table: SeriesTable) {
    this.#table = table;
  }

  /** Null when it has to be looked for. */
  find(key: string): KnownSelection | null {
    const { removals, postings } = this.#table;
    const indexed = postings.all().length;
    if (removals !== this.#removals || indexed !== this.#indexed) {
      this.#forget();
      this.#removals = removals;
      this.#indexed = indexed;
      return null;
    }
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.#keep(key, old);
    return old ?? null;
  }

  /**
   * Keeps what was found right after {@link find} has not found it. `order` sorts live series by their labels; it is not asked
   * for selections that are too large to be kept, for which null is given.
   */
  add(key: string, refs: Uint32Array, order: () => Uint32Array): KnownSelection | null {
    if (refs.length > MAX_SERIES) return null;
    const sorted = order();
    const selection = { refs: sorted, labels: new Array<Labels | undefined>(sorted.length) };
    this.#keep(key, selection);
    return selection;
  }

  /**
   * For a selection that {@link add} did not keep: to be given its series in the order of their labels, whenever these have been
   * sorted. It does nothing when the head has other series by then, or when there are too many.
   */
  keeper(key: string): (sorted: Uint32Array) => void {
    const { removals, postings } = this.#table;
    const indexed = postings.all().length;
    return (sorted) => {
      const isSame =
        removals === this.#table.removals && indexed === this.#table.postings.all().length;
      if (!isSame || weightOf(sorted.length) > MAX_SERIES) return;
      const refs = sorted.filter((ref) => this.#table.slotOf(ref) >= 0);
      this.#keep(key, { refs, labels: null });
    };
  }

  #keep(key: string, selection: KnownSelection): void {
    if (this.#young.size >= MAX_KEPT || this.#youngSeries > MAX_KEPT_SERIES) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngSeries = 0;
    }
    this.#young.set(key, selection);
    const { refs, labels } = selection;
    this.#youngSeries += labels === null ? weightOf(refs.length) : refs.length;
  }

  #forget(): void {
    if (this.#young.size > 0) this.#young = new Map();
    if (this.#old.size > 0) this.#old = new Map();
    this.#youngSeries = 0;
  }
}

function weightOf(ordered: number): number {
  return Math.ceil(ordered / ORDERED_A_SERIES);
}

/** Equal for matchers that find the same. */
export function keyOfMatchers(matchers: readonly Matcher[]): string {
  let key = '';
  for (const { name, operator, value } of matchers) {
    key += `${name.length}${operator}${name}${value.length} ${value}`;
  }
  return key;
}
