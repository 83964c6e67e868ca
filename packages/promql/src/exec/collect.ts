import { type FloatHistogram, type Labels, wordsOf } from '@pollux/model';
import { QueryError } from '../errors.ts';
import type { Plan, RangeNode } from '../plan/nodes.ts';
import type { InstantVector, MatrixSeries, QueryResult, RangeMatrix } from '../result.ts';
import { type Batch, FLOAT, HISTOGRAM, type SeriesInfo } from './batch.ts';
import { buildOperator } from './build-operator.ts';
import type { ExecContext } from './context.ts';
import { gridBetween, type StepGrid } from './grid.ts';
import { MapSeries, sameLabels } from './map-series.ts';
import { asBlocks, type BlockOperator, type Operator } from './operator.ts';
import { pointsBetween } from './query-counts.ts';
import { loadRange, withoutSchema } from './range-source.ts';
import type { RangeSeries } from './series-columns.ts';

type ValuePlan = Extract<Plan, { kind: 'value' }>;

/** Runs a plan for one time. */
export async function collectInstant(plan: ValuePlan, context: ExecContext): Promise<QueryResult> {
  const timestampMs = context.times.startMs;
  const grid = gridBetween(timestampMs, timestampMs, 1);
  context.counts.begin(grid);
  if (plan.root.kind === 'string') return { kind: 'string', timestampMs, value: plan.root.value };
  const operator = rootOperator(plan, grid, context);
  const series = await operator.series();
  const batch = await operator.next();
  if (batch === null) throw QueryError.execution('query gave no step');
  if (plan.type === 'scalar') return { kind: 'scalar', timestampMs, value: batch.values[0]! };
  return vectorOf(series, batch, timestampMs);
}

function vectorOf(series: readonly SeriesInfo[], batch: Batch, timestampMs: number): InstantVector {
  const labels: Labels[] = [];
  const values = new Float64Array(series.length);
  const histograms: (FloatHistogram | null)[] = [];
  let hasHistograms = false;
  for (const [s, info] of series.entries()) {
    const kind = batch.kinds[s];
    if (kind !== FLOAT && kind !== HISTOGRAM) continue;
    values[labels.length] = batch.values[s]!;
    histograms.push(kind === HISTOGRAM ? batch.histogramAt(s) : null);
    hasHistograms ||= kind === HISTOGRAM;
    labels.push(info.labels);
  }
  return {
    kind: 'vector',
    timestampMs,
    labels,
    // Most often all have one, and a view costs as much as some series.
    values: labels.length === values.length ? values : values.subarray(0, labels.length),
    histograms: hasHistograms ? histograms : null,
  };
}

/** Each batch costs some microseconds of waiting for each other. */
const LONE_BATCH_STEPS = 512;

/** Runs a plan over all steps; series come sorted by labels, those without a value are left out. */
export async function collectRange(
  plan: ValuePlan,
  grid: StepGrid,
  context: ExecContext,
): Promise<RangeMatrix> {
  const blocks = loneBlocks(plan, grid, context);
  if (blocks === null) context.counts.begin(grid, context.isContinued);
  const operator = blocks ?? rootOperator(plan, grid, context);
  const result: MatrixSeries[] = [];
  const times = new StepTimes(grid);
  const collect = async (series: readonly SeriesInfo[]): Promise<void> => {
    const columns = series.map(() => new MatrixColumn(times));
    for (let first = 0; ; ) {
      await context.checkpoint();
      const batch = await operator.next();
      if (batch === null) break;
      for (let s = 0; s < series.length; s++) columns[s]!.append(batch, s, first);
      first += batch.stepCount;
    }
    for (const [s, info] of series.entries()) {
      if (columns[s]!.count > 0) result.push(columns[s]!.finish(info.labels));
    }
  };
  if (blocks === null) await collect(await operator.series());
  else await eachBlock(blocks, collect);
  if (!isSorted(result)) result.sort((a, b) => a.labels.compare(b.labels));
  return { kind: 'matrix', series: result };
}

/** A selector or function that is the whole query: no other operator waits for its batches, which have few series each. */
function loneBlocks(plan: ValuePlan, grid: StepGrid, context: ExecContext): BlockOperator | null {
  const { root } = plan;
  // Parameters have batches of their own.
  const isLone =
    root.kind === 'vector-select' || (root.kind === 'range-call' && root.args.length === 0);
  if (!isLone) return null;
  const wide = { ...grid, batchSteps: LONE_BATCH_STEPS };
  const blocks = asBlocks(rootOperator(plan, wide, context));
  if (blocks !== null) context.counts.begin(wide, context.isContinued);
  return blocks;
}

async function eachBlock(
  blocks: BlockOperator,
  take: (series: readonly SeriesInfo[]) => Promise<void>,
): Promise<void> {
  try {
    for (;;) {
      const series = await blocks.nextBlock();
      if (series === null) return;
      await take(series);
    }
  } finally {
    blocks.closeBlocks();
  }
}

function isSorted(series: readonly MatrixSeries[]): boolean {
  for (let i = 1; i < series.length; i++) {
    if (series[i - 1]!.labels.compare(series[i]!.labels) > 0) return false;
  }
  return true;
}

/** The times of a grid's steps, as far as they are asked for: columns of all series share them. */
class StepTimes {
  readonly #grid: StepGrid;
  #times = new Float64Array(0);

  constructor(grid: StepGrid) {
    this.#grid = grid;
  }

  get count(): number {
    return this.#grid.count;
  }

  timeOf(step: number): number {
    return this.#grid.startMs + step * this.#grid.stepMs;
  }

  /** Of `count` steps from step `from` on. */
  between(from: number, count: number): Float64Array {
    const known = this.#times.length;
    if (from + count > known) {
      const { startMs, stepMs } = this.#grid;
      const times = new Float64Array(Math.min(this.count, Math.max(from + count, known * 2)));
      for (let i = 0; i < times.length; i++) times[i] = startMs + i * stepMs;
      this.#times = times;
    }
    return this.#times.subarray(from, from + count);
  }
}

/** The samples of a bare range selector or subquery at one time. */
export async function collectMatrixSource(
  source: RangeNode,
  context: ExecContext,
): Promise<RangeMatrix> {
  const grid = gridBetween(context.times.startMs, context.times.startMs, 1);
  context.counts.begin(grid);
  const loaded = await loadRange(source, grid, context, { isBare: true });
  const endMs = (source.shift.atMs ?? grid.startMs) - source.shift.offsetMs;
  const startMs = endMs - source.windowMs;
  const result: MatrixSeries[] = [];
  const seen = new Set<string>();
  for (const series of loaded) {
    const { timestampsMs } = series;
    let lo = 0;
    let hi = series.count;
    while (lo < hi && timestampsMs[lo]! <= startMs) lo++;
    while (hi > lo && timestampsMs[hi - 1]! > endMs) hi--;
    if (hi === lo) continue;
    if (source.kind === 'matrix-select') countBare(context, grid, series, lo, hi);
    const labels = series.dropName ? withoutSchema(series.labels, context) : series.labels;
    const key = labels.key();
    if (seen.has(key)) throw sameLabels();
    seen.add(key);
    result.push({
      labels,
      count: hi - lo,
      timestampsMs: timestampsMs.subarray(lo, hi),
      values: series.values.subarray(lo, hi),
      histograms: series.histograms?.slice(lo, hi) ?? null,
    });
  }
  result.sort((a, b) => a.labels.compare(b.labels));
  return { kind: 'matrix', series: result };
}

function countBare(
  context: ExecContext,
  grid: StepGrid,
  series: RangeSeries,
  lo: number,
  hi: number,
): void {
  const points = pointsBetween(series.histograms, lo, hi);
  context.counts.of(grid)?.add(0, points, points);
  context.held.takeBare(points);
}

/** The plan's operator with delayed names removed at last. */
function rootOperator(plan: ValuePlan, grid: StepGrid, context: ExecContext): Operator {
  const operator = buildOperator(plan.root, grid, context);
  if (!context.options.delayedNameRemoval) return operator;
  return new MapSeries(operator, (info) =>
    info.dropName ? { labels: withoutSchema(info.labels, context), dropName: false } : info,
  );
}

/** Steps that a series has room for at first; most ranges have no more, and most series a value at each. */
const FIRST_CAPACITY = 512;

/** Output of one series. Its times are the grid's own for as long as it has a value at each step from its first on. */
class MatrixColumn {
  /** All steps of the grid; the columns of all series share them. */
  readonly #steps: StepTimes;
  /** Of the first value. */
  #firstStep = 0;
  /** Null as long as no step was left out. */
  #timestampsMs: Float64Array | null = null;
  #values = new Float64Array(0);
  #histograms: (FloatHistogram | null)[] | null = null;
  count = 0;

  constructor(steps: StepTimes) {
    this.#steps = steps;
  }

  /** Takes over the present cells of series `s`. */
  append(batch: Batch, s: number, first: number): void {
    const { stepCount, kinds } = batch;
    if (batch.histograms === null && this.#takeRow(batch, s, first)) return;
    for (let i = 0; i < stepCount; i++) {
      const cell = s * stepCount + i;
      const kind = kinds[cell];
      if (kind !== FLOAT && kind !== HISTOGRAM) continue;
      this.#placeAt(first + i);
      if (kind === HISTOGRAM) {
        const histogram = batch.histogramAt(cell);
        this.#histograms ??= new Array<FloatHistogram | null>(this.count).fill(null);
        this.#histograms.push(histogram);
      } else {
        this.#values[this.count] = batch.values[cell]!;
        this.#histograms?.push(null);
      }
      this.count++;
    }
  }

  /** Takes over a row of floats that goes on where the column ends; false, and nothing, when a step is left out. */
  #takeRow(batch: Batch, s: number, first: number): boolean {
    if (this.#timestampsMs !== null || this.#histograms !== null) return false;
    if (this.count > 0 && first !== this.#firstStep + this.count) return false;
    const { stepCount, kinds, values } = batch;
    const from = s * stepCount;
    for (let i = 0; i < stepCount; i++) if (kinds[from + i] !== FLOAT) return false;
    if (this.count === 0) this.#firstStep = first;
    if (this.count + stepCount > this.#values.length) this.#grow(first, stepCount);
    this.#values.set(values.subarray(from, from + stepCount), this.count);
    this.count += stepCount;
    return true;
  }

  finish(labels: Labels): MatrixSeries {
    return {
      labels,
      count: this.count,
      timestampsMs: this.#timestampsMs ?? this.#steps.between(this.#firstStep, this.count),
      values: this.#values,
      histograms: this.#histograms,
    };
  }

  /** Makes room for one more value, which is of this step. */
  #placeAt(step: number): void {
    if (this.count === 0) this.#firstStep = step;
    if (this.count === this.#values.length) this.#grow(step, 1);
    if (this.#timestampsMs === null) {
      if (step === this.#firstStep + this.count) return;
      this.#timestampsMs = new Float64Array(this.#values.length);
      this.#timestampsMs.set(this.#steps.between(this.#firstStep, this.count));
    }
    this.#timestampsMs[this.count] = this.#steps.timeOf(step);
  }

  /** Makes room for `least` values more, from this step on. */
  #grow(step: number, least: number): void {
    const left = this.#steps.count - step;
    const more = Math.min(left, Math.max(FIRST_CAPACITY, this.count, least));
    const values = new Float64Array(this.count + more);
    wordsOf(values).set(wordsOf(this.#values.subarray(0, this.count)));
    this.#values = values;
    if (this.#timestampsMs === null) return;
    const timestampsMs = new Float64Array(this.count + more);
    timestampsMs.set(this.#timestampsMs);
    this.#timestampsMs = timestampsMs;
  }
}
