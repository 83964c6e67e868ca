import { decodeHistograms } from '@pollux/kernels';
import type { FloatHistogram } from '@pollux/model';
import { histogramAt, type MemoryBudget, type TimeRange } from '@pollux/storage';
import type { Interval } from '../head/intervals.ts';

/** What an object for one histogram takes, its buckets apart. */
const HISTOGRAM_BYTES = 320;

export type TimedHistogram = {
  readonly timestampMs: number;
  /** 0 = unknown. */
  readonly startTimestampMs: number;
  readonly histogram: FloatHistogram;
};

type Entry = TimedHistogram & {
  /** Number of the chunk that it came from. */
  readonly chunk: number;
};

/**
 * Collects the histograms of one series from its chunks, oldest source first. Within a chunk nothing is reset, so all but
 * its first say so, whether the ones before them are shown or not; what follows a histogram of another chunk says nothing,
 * as in Prometheus: what lay between may have been deleted or have come later.
 */
export class HistogramRun {
  readonly #range: TimeRange;
  readonly #budget: MemoryBudget;
  #entries: Entry[] = [];
  #chunks = 0;
  #bytes = 0;

  constructor(range: TimeRange, budget: MemoryBudget) {
    this.#range = range;
    this.#budget = budget;
  }

  get count(): number {
    return this.#entries.length;
  }

  /** True when there is one at that time. */
  has(timestampMs: number): boolean {
    const entries = this.#entries;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries[middle]!.timestampMs < timestampMs) low = middle + 1;
      else high = middle;
    }
    return entries[low]?.timestampMs === timestampMs;
  }

  /**
   * Adds the chunk without its newest `hidden` samples, those outside the range, the deleted ones, and those at whose time
   * something else `isShown`. Throws DecodeError.
   */
  addChunk(
    chunk: {
      readonly encoding: number;
      readonly bytes: Uint8Array;
      readonly offset: number;
      readonly length: number;
      readonly hidden: number;
    },
    deleted: readonly Interval[],
    isShown: (timestampMs: number) => boolean,
  ): void {
    const { encoding, bytes, offset, length, hidden } = chunk;
    const { minMs, maxMs } = this.#range;
    const columns = decodeHistograms(bytes, offset, length, encoding);
    const isGauge = columns.counterReset === 'gauge';
    const added: Entry[] = [];
    this.#chunks++;
    for (let i = 0; i < columns.count - hidden; i++) {
      const timestampMs = columns.timestampsMs[i]!;
      if (timestampMs < minMs || timestampMs > maxMs) continue;
      if (deleted.some((gone) => timestampMs >= gone.minMs && timestampMs <= gone.maxMs)) continue;
      if (isShown(timestampMs)) continue;
      const after = i === 0 ? 'unknown' : 'not-reset';
      const histogram = histogramAt(columns, i, isGauge ? 'gauge' : after);
      const startTimestampMs = columns.startTimestampsMs?.[i] ?? 0;
      added.push({ timestampMs, startTimestampMs, histogram, chunk: this.#chunks });
    }
    const taken = added.length * HISTOGRAM_BYTES + columns.values.byteLength;
    this.#budget.take(taken);
    this.#bytes += taken;
    this.#join(added);
  }

  /** Adds histograms that stood in no chunk, ascending in time: nothing is known of what was before each. */
  addEach(samples: readonly TimedHistogram[]): void {
    const added: Entry[] = [];
    for (const { timestampMs, startTimestampMs, histogram } of samples) {
      const { minMs, maxMs } = this.#range;
      if (timestampMs < minMs || timestampMs > maxMs) continue;
      const { positiveBuckets, negativeBuckets, counterResetHint } = histogram;
      const taken = HISTOGRAM_BYTES + positiveBuckets.byteLength + negativeBuckets.byteLength;
      this.#budget.take(taken);
      this.#bytes += taken;
      this.#chunks++;
      const hint = counterResetHint === 'gauge' ? 'gauge' : 'unknown';
      const shown: FloatHistogram = { ...histogram, counterResetHint: hint };
      added.push({ timestampMs, startTimestampMs, histogram: shown, chunk: this.#chunks });
    }
    this.#join(added);
  }

  /** The collected histograms, ascending in time, and a fresh start. */
  take(): readonly TimedHistogram[] {
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    return entries;
  }

  /** Forgets what was collected and gives its memory back; returns how many histograms that was. */
  discard(): number {
    this.#budget.give(this.#bytes);
    return this.take().length;
  }

  #join(added: Entry[]): void {
    const earlier = this.#entries;
    const first = added[0];
    const last = earlier.at(-1);
    if (first === undefined) return;
    if (last === undefined || first.timestampMs > last.timestampMs) {
      if (last !== undefined) added[0] = afterOther(first);
      for (const entry of added) earlier.push(entry);
      return;
    }
    this.#entries = merge(earlier, added).map((entry, i, all) =>
      i > 0 && all[i - 1]!.chunk !== entry.chunk ? afterOther(entry) : entry,
    );
  }
}

/** A histogram that follows one of another chunk. */
function afterOther(entry: Entry): Entry {
  if (entry.histogram.counterResetHint !== 'not-reset') return entry;
  return { ...entry, histogram: { ...entry.histogram, counterResetHint: 'unknown' } };
}

/** Of two at one time the earlier source's stays. */
function merge(earlier: readonly Entry[], later: readonly Entry[]): Entry[] {
  const merged: Entry[] = [];
  let i = 0;
  let j = 0;
  while (i < earlier.length || j < later.length) {
    const a = earlier[i];
    const b = later[j];
    if (b === undefined || (a !== undefined && a.timestampMs <= b.timestampMs)) {
      merged.push(a!);
      if (b !== undefined && b.timestampMs === a!.timestampMs) j++;
      i++;
    } else {
      merged.push(b);
      j++;
    }
  }
  return merged;
}
