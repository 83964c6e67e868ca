import type { FloatHistogram } from '@pollux/model';
import type { WindowSet } from '../functions/window/window-set.ts';
import { histogramPoints } from '../histogram/size.ts';
import type { StepGrid } from './grid.ts';

/** Subqueries of more steps are not counted step by step, so their `read` is unknown and left out. */
const MAX_COUNTED_STEPS = 1_000_000;

/**
 * What the selectors of one grid took, per step. `queryable`: all samples of the step's window, as often as windows overlap.
 * `read`: those that no window before had, so that it is what storage had to give.
 */
export class StepCounts {
  readonly queryable: Float64Array;
  readonly read: Float64Array;
  /** The first step follows another, which is counted elsewhere. */
  readonly isContinued: boolean;

  constructor(stepCount: number, isContinued = false) {
    this.isContinued = isContinued;
    this.queryable = new Float64Array(stepCount);
    this.read = new Float64Array(stepCount);
  }

  add(step: number, queryable: number, read: number): void {
    this.queryable[step]! += queryable;
    this.read[step]! += read;
  }

  /** One sample of each present cell of a batch without histograms: absent cells are 0, floats 1. */
  addFloats(
    kinds: Uint8Array,
    seriesCount: number,
    { firstStep, stepCount }: { readonly firstStep: number; readonly stepCount: number },
  ): void {
    const { queryable, read } = this;
    for (let s = 0, cell = 0; s < seriesCount; s++) {
      for (let step = firstStep; step < firstStep + stepCount; step++, cell++) {
        const present = kinds[cell]!;
        queryable[step]! += present;
        read[step]! += present;
      }
    }
  }

  /**
   * As {@link countWindows}, for floats alone in windows whose edges are known. The window before the first ended before
   * sample `previousEnd`.
   */
  addWindows(
    { lo, hi, count }: Pick<WindowSet, 'lo' | 'hi' | 'count'>,
    { firstStep, isPinned, isSubquery }: CountedSteps,
    previousEnd: number,
  ): void {
    const { queryable, read, isContinued } = this;
    let fresh = firstStep === 0 && !isContinued ? 0 : previousEnd;
    for (let i = 0; i < count; i++) {
      const from = lo[i]!;
      const to = hi[i]!;
      queryable[firstStep + i]! += to - from;
      if (!isSubquery && (!isPinned || (firstStep + i === 0 && !isContinued)))
        read[firstStep + i]! += to - Math.max(fresh, from);
      fresh = to;
    }
  }

  copy(): StepCounts {
    const copy = new StepCounts(this.queryable.length);
    copy.restore(this);
    return copy;
  }

  /** Back to what was counted when the copy was made, for work that is begun anew. */
  restore(copy: StepCounts): void {
    this.queryable.set(copy.queryable);
    this.read.set(copy.read);
  }
}

/** How the counts of an inner grid become those of the one around it. */
type Inner = { readonly counts: StepCounts; readonly grid: StepGrid; readonly outer: StepGrid } & (
  | { readonly kind: 'once' }
  | {
      readonly kind: 'subquery';
      readonly offsetMs: number;
      readonly windowMs: number;
      /** The whole query is the subquery: its samples are the answer. */
      readonly isBare: boolean;
    }
);

/**
 * The samples of a query by the rules of Prometheus' `stats`, whatever this engine in truth had to hold. Each evaluation has
 * a grid of its own, known by its identity: the query's, that of what is the same at every step, that of a subquery.
 */
export class QueryCounts {
  readonly #counts = new Map<StepGrid, StepCounts>();
  readonly #inner: Inner[] = [];
  #root: StepCounts | null = null;

  /** The grid of the query itself, or of a later share of its steps. */
  begin(grid: StepGrid, isContinued = false): void {
    this.#root = new StepCounts(grid.count, isContinued);
    this.#counts.set(grid, this.#root);
  }

  /** Null where nothing is counted. */
  of(grid: StepGrid): StepCounts | null {
    return this.#counts.get(grid) ?? null;
  }

  /** `grid` is evaluated in place of each step of `outer`. */
  once(grid: StepGrid, outer: StepGrid): void {
    this.#add({ kind: 'once', grid, outer, counts: new StepCounts(grid.count) });
  }

  subquery(
    grid: StepGrid,
    outer: StepGrid,
    how: { readonly offsetMs: number; readonly windowMs: number; readonly isBare: boolean },
  ): void {
    if (grid.count > MAX_COUNTED_STEPS) return;
    this.#add({ kind: 'subquery', grid, outer, counts: new StepCounts(grid.count), ...how });
  }

  /** At the end of the query, also of one that failed; once. Null before {@link begin}. */
  finish(): StepCounts | null {
    // Inner grids are opened after those around them.
    for (const inner of this.#inner.toReversed()) this.#fold(inner);
    this.#inner.length = 0;
    return this.#root;
  }

  #add(inner: Inner): void {
    if (!this.#counts.has(inner.outer)) return;
    this.#counts.set(inner.grid, inner.counts);
    this.#inner.push(inner);
  }

  #fold(inner: Inner): void {
    const outer = this.#counts.get(inner.outer)!;
    const { queryable, read } = inner.counts;
    if (inner.kind === 'once') {
      for (let i = 0; i < outer.queryable.length; i++) outer.queryable[i]! += queryable[0] ?? 0;
      if (outer.read.length > 0 && !outer.isContinued) outer.read[0]! += read[0] ?? 0;
      return;
    }
    // A function counts the windows over what its subquery gave; only of a bare one the samples below are told.
    if (inner.isBare) outer.queryable[outer.queryable.length - 1]! += sum(queryable);
    for (let k = 0; k < read.length; k++) {
      if (read[k] === 0) continue;
      const step = stepThatReads(inner.grid.startMs + k * inner.grid.stepMs, inner);
      if (step !== null) outer.read[step]! += read[k]!;
    }
  }
}

/** The first step of the outer grid whose window holds the inner step at `atMs`; null when it lies between two windows. */
function stepThatReads(
  atMs: number,
  { outer, offsetMs, windowMs }: Extract<Inner, { kind: 'subquery' }>,
): number | null {
  if (outer.count <= 1) return 0;
  const shiftedMs = atMs + offsetMs;
  const first = Math.max(0, Math.ceil((shiftedMs - outer.startMs) / outer.stepMs));
  const step = Math.min(first, outer.count - 1);
  const isBetween = windowMs > 0 && shiftedMs <= outer.startMs + step * outer.stepMs - windowMs;
  return isBetween ? null : step;
}

export function sum(counts: Float64Array): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i]!;
  return total;
}

export type CountedWindows = {
  readonly timestampsMs: Float64Array;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
  readonly count: number;
};

/** Which steps windows belong to, and what of them counts as read. */
export type CountedSteps = {
  readonly firstStep: number;
  readonly isPinned: boolean;
  readonly isSubquery: boolean;
};

/**
 * Counts the windows (startMs[i], endMs[i]] of `stepCount` steps from `firstStep` on. What storage gave for it was not read
 * anew where a window overlaps the one before, nor at all in windows over the result of a subquery.
 */
export function countWindows(
  counts: StepCounts,
  series: CountedWindows,
  windows: CountedSteps & {
    readonly stepCount: number;
    readonly stepMs: number;
    readonly startMs: Float64Array;
    readonly endMs: Float64Array;
  },
): void {
  const { timestampsMs, histograms, count } = series;
  const { firstStep, stepCount, stepMs, startMs, endMs } = windows;
  if (count === 0 || stepCount === 0) return;
  let lo = firstAfter(timestampsMs, count, startMs[0]!);
  let hi = firstAfter(timestampsMs, count, endMs[0]!);
  let fresh = lo;
  for (let i = 0; i < stepCount; i++) {
    while (hi < count && timestampsMs[hi]! <= endMs[i]!) hi++;
    while (lo < hi && timestampsMs[lo]! <= startMs[i]!) lo++;
    if (hi === lo) continue;
    const step = firstStep + i;
    const queryable = pointsBetween(histograms, lo, hi);
    const isFirst = step === 0 && !counts.isContinued;
    let read = 0;
    if (!windows.isSubquery && (isFirst || !windows.isPinned)) {
      fresh = Math.max(fresh, lo);
      const since = isFirst ? Number.NEGATIVE_INFINITY : endMs[i]! - stepMs;
      while (fresh < hi && timestampsMs[fresh]! <= since) fresh++;
      read = pointsBetween(histograms, fresh, hi);
    }
    counts.add(step, queryable, read);
  }
}

/** Samples [lo, hi); a histogram counts as its size. */
export function pointsBetween(
  histograms: readonly (FloatHistogram | null)[] | null,
  lo: number,
  hi: number,
): number {
  let points = hi - lo;
  if (histograms === null) return points;
  for (let i = lo; i < hi; i++) {
    const histogram = histograms[i] ?? null;
    if (histogram !== null) points += histogramPoints(histogram) - 1;
  }
  return points;
}

/** The first of `count` ascending times that is later. */
export function firstAfter(timestampsMs: Float64Array, count: number, limitMs: number): number {
  let lo = 0;
  let hi = count;
  while (lo < hi) {
    const middle = (lo + hi) >>> 1;
    if (timestampsMs[middle]! <= limitMs) lo = middle + 1;
    else hi = middle;
  }
  return lo;
}
