import type { ColumnData } from '@pollux/storage';
import { checkBuckets, filled, transformed } from '../calls.ts';
import type { Point } from '../functions.ts';
import type { Pace } from '../pace.ts';
import type { ColumnPlan, Reduction, Stream } from './column-plan.ts';
import type { PlacedSeries, SeriesReader } from './column-reader.ts';
import { KERNELS, type Kernel } from './kernels.ts';
import { createLanes, type Lanes, resetLanes } from './lanes.ts';
import { createRuns, cutRuns, MAX_RUN_ROWS } from './runs.ts';
import { type WindowGrid, wholeTime, windowGrid } from './window-grid.ts';

/** Windows that have arrays at most. */
const MAX_WINDOWS = 262_144;

/** Reductions of one field and lower bound: their windows are cut once. */
type Lot = {
  readonly min: bigint | null;
  readonly grid: WindowGrid;
  readonly works: Work[];
};
type Work = {
  readonly reduction: Reduction;
  readonly grid: WindowGrid;
  readonly lanes: Lanes;
  /** Of the type that the field has in the group. */
  kernel: Kernel | null;
};

/** Evaluates a plan, one group after the other, in the same arrays. */
export class ColumnEvaluation {
  readonly #plan: ColumnPlan;
  readonly #lotsByField: ReadonlyMap<string, readonly Lot[]>;
  readonly #works: readonly Work[];
  readonly #runs = createRuns();

  /** Null when there are too many windows for arrays. */
  static create(plan: ColumnPlan): ColumnEvaluation | null {
    const lotsByField = new Map<string, Lot[]>();
    const works: Work[] = [];
    for (const reduction of plan.reductions) {
      const { field, min } = reduction;
      const lots = lotsByField.get(field) ?? [];
      lotsByField.set(field, lots);
      let lot = lots.find((one) => one.min === min);
      if (lot === undefined) {
        const grid = gridOf(plan, min);
        if (grid === null) return null;
        lot = { min, grid, works: [] };
        lots.push(lot);
      }
      const { grid } = lot;
      const work: Work = { reduction, grid, lanes: createLanes(grid.count), kernel: null };
      lot.works.push(work);
      works.push(work);
    }
    return new ColumnEvaluation(plan, lotsByField, works);
  }

  private constructor(
    plan: ColumnPlan,
    lotsByField: ReadonlyMap<string, readonly Lot[]>,
    works: readonly Work[],
  ) {
    this.#plan = plan;
    this.#lotsByField = lotsByField;
    this.#works = works;
  }

  /** The values of each stream over the series of a group, in order of time; no time comes twice. Rejects with what stopped the query. */
  async streams(
    group: readonly PlacedSeries[],
    reader: SeriesReader,
    pace: Pace,
  ): Promise<(readonly Point[])[]> {
    for (const work of this.#works) {
      resetLanes(work.lanes);
      work.kernel = null;
    }
    for (const series of group) {
      pace.check();
      reader.enter();
      for (const [field, lots] of this.#lotsByField) {
        const data = reader.read(series, field);
        if (data !== null) for (const lot of lots) await this.#add(lot, data, pace);
      }
      if (pace.isOver) await pace.pause();
    }
    return this.#plan.streams.map((stream) => this.#pointsOf(stream));
  }

  async #add({ grid, min, works }: Lot, data: ColumnData, pace: Pace): Promise<void> {
    const kind = data.kind === 'integer' ? 'integer' : 'float';
    for (const work of works) work.kernel = KERNELS[work.reduction.kernel]![kind];
    const runs = this.#runs;
    let window = 0;
    for (let from = firstRow(data, min); from < data.count; from += MAX_RUN_ROWS) {
      const to = Math.min(data.count, from + MAX_RUN_ROWS);
      window = cutRuns(runs, data, from, to, grid, window);
      if (runs.count === 0) return;
      for (const { kernel, lanes } of works) {
        kernel!.add(lanes, data, runs);
        lanes.low = Math.min(lanes.low, runs.windows[0]!);
        lanes.high = Math.max(lanes.high, window + 1);
      }
      if (to < data.count && pace.isOver) await pace.pause();
    }
  }

  #pointsOf({ call, reduction, isTransformed }: Stream): readonly Point[] {
    const points = this.#reduced(this.#works[reduction]!);
    return isTransformed ? transformed(call, points, this.#plan.scope) : points;
  }

  #reduced({ reduction, grid, lanes, kernel }: Work): readonly Point[] {
    const { windows, fill, keepTimes, maxBuckets } = this.#plan.scope;
    const { counts } = lanes;
    let first = lanes.low;
    while (first < lanes.high && counts[first] === 0) first++;
    if (kernel === null || first >= lanes.high) return [];
    if (windows === null) {
      const time = keepTimes ? timeOf(lanes, 0) : grid.starts[0]!;
      return [{ time, value: kernel.cellOf(lanes, 0), row: null }];
    }
    const points: Point[] = [];
    const isFilled = fill.kind !== 'none';
    const end = isFilled ? grid.count : lanes.high;
    for (let window = isFilled ? 0 : first; window < end; window++) {
      const hasValue = counts[window] !== 0;
      if (!hasValue && !isFilled) continue;
      const value = hasValue ? kernel.cellOf(lanes, window) : null;
      points.push({ time: grid.starts[window]!, value, row: null });
      checkBuckets(points.length, maxBuckets);
    }
    return isFilled ? filled(points, fill, reduction.kernel) : points;
  }
}

function gridOf({ scope }: ColumnPlan, min: bigint | null): WindowGrid | null {
  const { windows, max } = scope;
  if (windows === null) return wholeTime(min ?? 0n);
  return min === null || max === null ? null : windowGrid(windows, min, max, MAX_WINDOWS);
}

/** The first row at or behind `min`. Mostly all of them are: what was read begins at the least bound of the statement. */
function firstRow(data: ColumnData, min: bigint | null): number {
  if (min === null) return 0;
  let low = 0;
  let high = data.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (nanosAt(data.timesMs[middle]!, data.nanos === null ? 0 : data.nanos[middle]!) < min)
      low = middle + 1;
    else high = middle;
  }
  return low;
}

function timeOf({ timesMs, nanos }: Lanes, window: number): bigint {
  return nanosAt(timesMs[window]!, nanos[window]!);
}

function nanosAt(ms: number, nanos: number): bigint {
  return BigInt(ms) * 1_000_000n + BigInt(nanos);
}
