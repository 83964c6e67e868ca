import { isStaleAt, wordsOf } from '@pollux/model';
import type { SeriesColumns, TimeRange } from '@pollux/storage';

/** Why a series cannot be told by buckets. */
export type Unfit =
  /** It has native histograms. */
  | 'histograms'
  /** The sum of a bucket is beyond a double although the values are not. */
  | 'overflow';

/** The columns of a table, in the order in which they are stored. */
export const TABLE_COLUMNS = [
  'endsMs',
  'lastTimesMs',
  'lastValues',
  'counts',
  'sums',
  'mins',
  'maxs',
  'firstTimesMs',
  'firstValues',
  'resets',
] as const;
export type TableColumn = (typeof TABLE_COLUMNS)[number];

/**
 * Buckets (end − resolution, end] of one series, ascending, none of them empty, as growing columns that are used again.
 *
 *        end − resolution                                end
 *              (------------------------------------------]
 *   samples       first    ·      ·    ↓ reset   ·     last
 *
 * Stale markers are left out: functions over ranges do not see them.
 */
export class BucketTable {
  readonly resolutionMs: number;
  count = 0;
  /** Not null: what was added last could not be gathered, and the table is of no use until {@link clear}. */
  unfit: Unfit | null = null;
  columns: { readonly [column in TableColumn]: Float64Array } = emptyColumns(64);
  #compensation = 0;

  constructor(resolutionMs: number) {
    this.resolutionMs = resolutionMs;
  }

  clear(): void {
    this.count = 0;
    this.unfit = null;
    this.#compensation = 0;
  }

  /** Gathers samples, all later than those that are there. */
  addSamples({ count, timestampsMs, values, histograms }: SeriesColumns): void {
    if (histograms !== null) {
      this.unfit = 'histograms';
      return;
    }
    const words = wordsOf(values);
    const { resolutionMs } = this;
    let endMs = this.count > 0 ? this.columns.endsMs[this.count - 1]! : Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      if (isStaleAt(words, i)) continue;
      const timeMs = timestampsMs[i]!;
      const value = values[i]!;
      if (timeMs > endMs) {
        this.#endSum();
        // Plus 0: there is no negative zero among times.
        endMs = Math.ceil(timeMs / resolutionMs) * resolutionMs + 0;
        this.#begin(endMs, timeMs, value);
      } else this.#extend(timeMs, value);
    }
    this.#endSum();
  }

  /** Adds samples, all later than those that are there, each as a bucket of its own. */
  addApart({ count, timestampsMs, values, histograms }: SeriesColumns): void {
    if (histograms !== null) {
      this.unfit = 'histograms';
      return;
    }
    const words = wordsOf(values);
    for (let i = 0; i < count; i++) {
      if (isStaleAt(words, i)) continue;
      this.#begin(timestampsMs[i]!, timestampsMs[i]!, values[i]!);
    }
  }

  /** Takes the table for fit again, with a bucket of a count of 0 for samples in a time of which nothing more is known. */
  addUntold(minMs: number, maxMs: number): void {
    this.unfit = null;
    this.#begin(maxMs, maxMs, Number.NaN);
    this.columns.firstTimesMs[this.count - 1] = minMs;
    this.columns.counts[this.count - 1] = 0;
  }

  /** True when a bucket may have a sample in the range. */
  reachesInto({ minMs, maxMs }: TimeRange): boolean {
    const { firstTimesMs, lastTimesMs } = this.columns;
    for (let i = 0; i < this.count; i++) {
      if (lastTimesMs[i]! >= minMs && firstTimesMs[i]! <= maxMs) return true;
    }
    return false;
  }

  /** Room for `more` buckets behind those that are there. */
  reserve(more: number): void {
    const needed = this.count + more;
    if (needed <= this.columns.endsMs.length) return;
    const grown = emptyColumns(Math.max(needed, this.columns.endsMs.length * 2));
    for (const name of TABLE_COLUMNS) grown[name].set(this.columns[name].subarray(0, this.count));
    this.columns = grown;
  }

  /** Removes from bucket `first` on those that have a time in `deleted`; buckets are whole or gone. */
  remove(
    first: number,
    deleted: readonly { readonly minMs: number; readonly maxMs: number }[],
  ): void {
    if (deleted.length === 0) return;
    const { endsMs } = this.columns;
    this.keep(first, (index) => {
      const endMs = endsMs[index]!;
      const startMs = endMs - this.resolutionMs;
      return !deleted.some(({ minMs, maxMs }) => minMs <= endMs && maxMs > startMs);
    });
  }

  /** Keeps of the buckets from `first` on those that pass. */
  keep(first: number, passes: (index: number) => boolean): void {
    let kept = first;
    for (let i = first; i < this.count; i++) {
      if (!passes(i)) continue;
      if (kept !== i)
        for (const name of TABLE_COLUMNS) this.columns[name][kept] = this.columns[name][i]!;
      kept++;
    }
    this.count = kept;
  }

  #begin(endMs: number, timeMs: number, value: number): void {
    this.reserve(1);
    const { columns } = this;
    const at = this.count++;
    columns.endsMs[at] = endMs;
    columns.counts[at] = 1;
    columns.sums[at] = value;
    columns.mins[at] = value;
    columns.maxs[at] = value;
    columns.firstTimesMs[at] = timeMs;
    columns.firstValues[at] = value;
    columns.lastTimesMs[at] = timeMs;
    columns.lastValues[at] = value;
    columns.resets[at] = 0;
    this.#compensation = 0;
  }

  #extend(timeMs: number, value: number): void {
    const { columns } = this;
    const at = this.count - 1;
    columns.counts[at]!++;
    const sum = columns.sums[at]!;
    const next = sum + value;
    // Neumaier's compensation, as the functions over samples have it.
    if (Math.abs(next) === Number.POSITIVE_INFINITY) {
      if (Number.isFinite(sum) && Number.isFinite(value)) this.unfit = 'overflow';
      this.#compensation = 0;
    } else {
      this.#compensation +=
        Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    }
    columns.sums[at] = next;
    if (value < columns.mins[at]! || Number.isNaN(columns.mins[at])) columns.mins[at] = value;
    if (value > columns.maxs[at]! || Number.isNaN(columns.maxs[at])) columns.maxs[at] = value;
    const last = columns.lastValues[at]!;
    if (value < last) columns.resets[at]! += last;
    columns.lastTimesMs[at] = timeMs;
    columns.lastValues[at] = value;
  }

  #endSum(): void {
    if (this.count === 0 || this.#compensation === 0) return;
    const at = this.count - 1;
    const sum = this.columns.sums[at]!;
    if (Number.isFinite(sum)) this.columns.sums[at] = sum + this.#compensation;
    this.#compensation = 0;
  }
}

function emptyColumns(size: number): { [column in TableColumn]: Float64Array } {
  const column = (): Float64Array => new Float64Array(size);
  return {
    endsMs: column(),
    lastTimesMs: column(),
    lastValues: column(),
    counts: column(),
    sums: column(),
    mins: column(),
    maxs: column(),
    firstTimesMs: column(),
    firstValues: column(),
    resets: column(),
  };
}
