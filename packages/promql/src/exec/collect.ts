import { type FloatHistogram, type Labels, wordsOf } from '@pollux/model';
import { QueryError } from '../errors.ts';
import { histogramPoints } from '../histogram/size.ts';
import type { Plan, RangeNode } from '../plan/nodes.ts';
import type { InstantVector, MatrixSeries, QueryResult, RangeMatrix } from '../result.ts';
import { type Batch, FLOAT, HISTOGRAM, type SeriesInfo } from './batch.ts';
import { buildOperator } from './build-operator.ts';
import type { ExecContext } from './context.ts';
import { isOutputCounted } from './counted-output.ts';
import { gridBetween, type StepGrid } from './grid.ts';
import { MapSeries, sameLabels } from './map-series.ts';
import type { Operator } from './operator.ts';
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
    values: values.subarray(0, labels.length),
    histograms: hasHistograms ? histograms : null,
  };
}

/** Runs a plan over all steps; series come sorted by labels, those without a value are left out. */
export async function collectRange(
  plan: ValuePlan,
  grid: StepGrid,
  context: ExecContext,
): Promise<RangeMatrix> {
  context.counts.begin(grid, context.isContinued);
  const operator = rootOperator(plan, grid, context);
  const series = await operator.series();
  const columns = series.map(() => new MatrixColumn(grid));
  const isCounted = isOutputCounted(plan.root);
  for (let first = 0; ; ) {
    await context.checkpoint();
    const batch = await operator.next();
    if (batch === null) break;
    let taken = 0;
    for (let s = 0; s < series.length; s++) taken += columns[s]!.append(batch, s, first);
    if (!isCounted) context.samples.take(taken);
    first += batch.stepCount;
  }
  const result: MatrixSeries[] = [];
  for (const [s, info] of series.entries()) {
    if (columns[s]!.count > 0) result.push(columns[s]!.finish(info.labels));
  }
  result.sort((a, b) => a.labels.compare(b.labels));
  return { kind: 'matrix', series: result };
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
    context.samples.take(hi - lo);
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

/** Growing output of one series. */
class MatrixColumn {
  readonly #grid: StepGrid;
  #timestampsMs = new Float64Array(0);
  #values = new Float64Array(0);
  #histograms: (FloatHistogram | null)[] | null = null;
  count = 0;

  constructor(grid: StepGrid) {
    this.#grid = grid;
  }

  /** Takes over the present cells of series `s`; returns how many points they count for. */
  append(batch: Batch, s: number, first: number): number {
    const { stepCount, kinds } = batch;
    let points = 0;
    for (let i = 0; i < stepCount; i++) {
      const cell = s * stepCount + i;
      const kind = kinds[cell];
      if (kind !== FLOAT && kind !== HISTOGRAM) continue;
      if (this.count === this.#values.length) this.#grow();
      this.#timestampsMs[this.count] = this.#grid.startMs + (first + i) * this.#grid.stepMs;
      points++;
      if (kind === HISTOGRAM) {
        const histogram = batch.histogramAt(cell);
        this.#histograms ??= new Array<FloatHistogram | null>(this.count).fill(null);
        this.#histograms.push(histogram);
        points += histogramPoints(histogram) - 1;
      } else {
        this.#values[this.count] = batch.values[cell]!;
        this.#histograms?.push(null);
      }
      this.count++;
    }
    return points;
  }

  finish(labels: Labels): MatrixSeries {
    return {
      labels,
      count: this.count,
      timestampsMs: this.#timestampsMs,
      values: this.#values,
      histograms: this.#histograms,
    };
  }

  #grow(): void {
    const capacity = Math.min(this.#grid.count, Math.max(FIRST_CAPACITY, this.count * 2));
    const timestampsMs = new Float64Array(capacity);
    const values = new Float64Array(capacity);
    timestampsMs.set(this.#timestampsMs);
    wordsOf(values).set(wordsOf(this.#values));
    this.#timestampsMs = timestampsMs;
    this.#values = values;
  }
}
