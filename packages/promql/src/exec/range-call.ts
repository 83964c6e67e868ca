import { assert } from '@pollux/base';
import { BUCKET_FUNCTIONS } from '@pollux/storage';
import { QueryError } from '../errors.ts';
import { annotateRangeCall, checkQuantile } from '../functions/range-annotations.ts';
import { fillFromBuckets } from '../functions/window/buckets.ts';
import { WINDOW_KERNELS } from '../functions/window/kernels.ts';
import { mixedFunctionFor } from '../functions/window/mixed.ts';
import type { MixedFunction } from '../functions/window/mixed-input.ts';
import type { WindowKernel, WindowSet } from '../functions/window/window-set.ts';
import { printNumber } from '../parser/printer.ts';
import type { RangeCallNode, RangeNode } from '../plan/nodes.ts';
import { Batch, FLOAT, pointsOfRow, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import { extendedFunction } from './extended-range.ts';
import { BATCH_STEPS, BatchCursor, mostSteps, type StepGrid } from './grid.ts';
import type { BlockOperator, Operator } from './operator.ts';
import { type CountedSteps, countWindows, firstAfter } from './query-counts.ts';
import { loadRange, rangeSeries, readRange, withoutName } from './range-source.ts';
import type { RangeSeries } from './series-columns.ts';
import type { SeriesRead } from './shared-series.ts';
import { WindowEdges } from './window-edges.ts';
import { heldByWindows, WindowTally } from './window-tally.ts';

/** Functions that give a sample of the window itself and so keep the name. */
const KEEPS_NAME: ReadonlySet<string> = new Set(['first_over_time', 'last_over_time']);

/** A function over the windows of a range selector or subquery. */
export class RangeCall implements BlockOperator {
  readonly #node: RangeCallNode;
  readonly #context: ExecContext;
  readonly #grid: StepGrid;
  #steps: BatchCursor;
  readonly #params: readonly Operator[];
  readonly #kernel: WindowKernel;
  readonly #windows: WindowSet;
  #series: readonly RangeSeries[] = [];
  readonly #edges = new WindowEdges();
  /** Of the current batch. */
  #counted: CountedSteps = { firstStep: 0, isPinned: false, isSubquery: false };
  #batch: Batch | null = null;
  #reader: SeriesRead | null = null;
  #areParamsRead = false;
  readonly #held = new WindowTally();
  readonly #checkedQuantiles = new Set<number>();

  constructor(node: RangeCallNode, grid: StepGrid, context: ExecContext) {
    const kernel = WINDOW_KERNELS.get(node.func);
    assert(kernel !== undefined, `range function ${node.func} has a kernel`);
    this.#node = node;
    this.#context = context;
    this.#grid = grid;
    this.#steps = new BatchCursor(grid);
    this.#params = node.args.map((arg) => context.build(arg, grid));
    this.#kernel = kernel;
    const tally = context.held.of(node);
    if (tally !== null) tally.windows = this.#held;
    const size = mostSteps(grid);
    this.#windows = {
      timestampsMs: new Float64Array(0),
      values: new Float64Array(0),
      lo: new Int32Array(size),
      hi: new Int32Array(size),
      startMs: new Float64Array(size),
      endMs: new Float64Array(size),
      evalMs: new Float64Array(size),
      count: 0,
      params: node.args.map(() => new Float64Array(size)),
    };
  }

  get hasBlocks(): boolean {
    const { source, args } = this.#node;
    // Parameters come step by step, once.
    return (
      source.kind === 'matrix-select' && (args.length === 0 || this.#grid.count <= BATCH_STEPS)
    );
  }

  async series(): Promise<readonly SeriesInfo[]> {
    await this.#openParams();
    // Blocks may have been given before, of which nobody made use.
    this.#held.clear();
    return this.#begin(
      await loadRange(this.#node.source, this.#grid, this.#context, {
        bucketFunc: this.#bucketFunc(),
      }),
    );
  }

  async nextBlock(): Promise<readonly SeriesInfo[] | null> {
    const { source } = this.#node;
    assert(source.kind === 'matrix-select', 'subqueries have no blocks');
    if (this.#reader === null) {
      await this.#openParams();
      this.#reader = readRange(source, this.#grid, this.#context, this.#bucketFunc());
    }
    const loaded = await this.#reader.next();
    return loaded === null ? null : this.#begin(rangeSeries(source, loaded));
  }

  closeBlocks(): void {
    this.#reader?.close();
    this.#reader = null;
  }

  /** Null where buckets cannot stand for samples: they do not know of start timestamps. */
  #bucketFunc(): string | null {
    const { func } = this.#node;
    return BUCKET_FUNCTIONS.has(func) && !this.#context.options.useStartTimestamps ? func : null;
  }

  async #openParams(): Promise<void> {
    if (this.#areParamsRead) return;
    for (const param of this.#params) await param.series();
  }

  /** Stands before the first step of these series. */
  #begin(series: readonly RangeSeries[]): readonly SeriesInfo[] {
    this.#series = series;
    this.#steps = new BatchCursor(this.#grid);
    this.#edges.begin(series.length);
    this.#held.begin(series.length);
    if (this.#batch === null || this.#batch.seriesCount !== series.length)
      this.#batch = new Batch(series.length, mostSteps(this.#grid));
    if (KEEPS_NAME.has(this.#node.func)) return series;
    return series.map((each) => withoutName(each, this.#context));
  }

  async next(): Promise<Batch | null> {
    await this.#context.checkpoint();
    const steps = this.#steps;
    const batch = this.#batch!;
    if (!steps.advance()) return null;
    batch.clear(steps.count);
    if (this.#params.length > 0) await this.#readParams();
    this.#placeWindows();
    for (let s = 0; s < this.#series.length; s++) {
      this.#fill(batch, s, this.#series[s]!);
      this.#held.given(s, pointsOfRow(batch, s));
    }
    return batch;
  }

  async #readParams(): Promise<void> {
    // The steps of a grid that fits into one batch are the same for every block.
    if (this.#areParamsRead && this.#grid.count <= BATCH_STEPS) return;
    this.#areParamsRead = true;
    for (const [p, param] of this.#params.entries()) {
      const batch = await param.next();
      assert(batch !== null, 'parameters have the steps of their function');
      this.#windows.params[p]!.set(batch.values.subarray(0, batch.stepCount));
    }
  }

  #placeWindows(): void {
    const { kind, shift, windowMs } = this.#node.source;
    const windows = this.#windows;
    this.#counted = {
      firstStep: this.#steps.first,
      isPinned: shift.atMs !== null,
      isSubquery: kind === 'subquery',
    };
    windows.count = this.#steps.count;
    const { atMs, offsetMs } = shift;
    const { startMs, stepMs } = this.#grid;
    const { first } = this.#steps;
    for (let i = 0; i < windows.count; i++) {
      const timeMs = startMs + (first + i) * stepMs;
      const endMs = (atMs === null ? timeMs : atMs) - offsetMs;
      windows.evalMs[i] = timeMs;
      windows.endMs[i] = endMs;
      windows.startMs[i] = endMs - windowMs;
    }
  }

  #fill(batch: Batch, s: number, series: RangeSeries): void {
    const windows = this.#windows;
    const { source, func } = this.#node;
    windows.timestampsMs = series.timestampsMs;
    windows.values = series.values;
    const base = s * batch.stepCount;
    const extended = source.kind === 'matrix-select' ? extendedFunction(source) : null;
    if (extended !== null) {
      this.#countExtended(s, series, source);
      extended({ series, windows, batch, base, call: this.#node, context: this.#context });
    } else if (series.buckets !== null) {
      this.#moveEdges(s, series);
      fillFromBuckets(func, { windows, buckets: series.buckets }, batch, base);
    } else {
      this.#moveEdges(s, series);
      const mixed = mixedFunctionFor(func, series, this.#context);
      if (mixed === null) this.#kernel(windows, batch.values, batch.kinds, base);
      else this.#fillMixed(batch, base, series, mixed);
    }
    if (func === 'quantile_over_time') this.#warnOfQuantiles(batch, base);
    if (func === 'double_exponential_smoothing') this.#checkFactors();
    let hasFloats = false;
    for (let i = 0; i < batch.stepCount && !hasFloats; i++)
      hasFloats = batch.kinds[base + i] === FLOAT;
    if (hasFloats) annotateRangeCall(this.#node, series.labels, this.#context);
  }

  /** As in Prometheus, of windows that hold floats alone: a function is not called for others. */
  #warnOfQuantiles(batch: Batch, base: number): void {
    const quantiles = this.#windows.params[0]!;
    for (let i = 0; i < batch.stepCount; i++) {
      const quantile = quantiles[i]!;
      if (batch.kinds[base + i] !== FLOAT || this.#checkedQuantiles.has(quantile)) continue;
      this.#checkedQuantiles.add(quantile);
      checkQuantile(quantile, this.#node.argRanges[1]!, this.#context.annotations);
    }
  }

  /** As {@link #warnOfQuantiles}, of windows that hold anything. */
  #checkFactors(): void {
    const { lo, hi, count, params } = this.#windows;
    const [smoothing, trend] = params;
    for (let i = 0; i < count; i++) {
      if (hi[i] === lo[i]) continue;
      checkFactor('smoothing', smoothing![i]!);
      checkFactor('trend', trend![i]!);
    }
  }

  /** Sets the windows over the samples of series `s` and counts what they hold. */
  #moveEdges(s: number, series: RangeSeries): void {
    const { histograms } = series;
    const counts = this.#context.counts.of(this.#grid);
    const previousEnd = this.#previousEnd(s, series);
    const widest = this.#edges.place(this.#windows, s, series.count);
    if (histograms === null) counts?.addWindows(this.#windows, this.#counted, previousEnd);
    else this.#count(series, this.#windows);
    const { lo, hi, count } = this.#windows;
    if (histograms === null) this.#held.held(s, widest, hi[count - 1]! - lo[count - 1]!);
    else {
      const held = heldByWindows(series, this.#windows);
      this.#held.held(s, held.widest, held.last);
    }
  }

  /** Where the window before the next one ended. */
  #previousEnd(s: number, { timestampsMs, count }: RangeSeries): number {
    if (this.#steps.first > 0 || !this.#context.isContinued) return this.#edges.endOf(s);
    return firstAfter(timestampsMs, count, this.#windows.endMs[0]! - this.#grid.stepMs);
  }

  /** Counts the windows of an extended selector, which hold what lies before and behind them as well. */
  #countExtended(s: number, series: RangeSeries, source: RangeNode): void {
    const { lookbackMs } = this.#context.options;
    const isSmoothed = source.kind === 'matrix-select' && source.selector.smoothed;
    const windows = {
      startMs: this.#windows.startMs.map((startMs) => startMs - lookbackMs),
      endMs: this.#windows.endMs.map((endMs) => (isSmoothed ? endMs + lookbackMs : endMs)),
      count: this.#windows.count,
    };
    this.#count(series, windows);
    const { widest, last } = heldByWindows(series, windows);
    this.#held.held(s, widest, last);
  }

  /** Counts windows over a series of which not each sample is one point, or whose windows are not its own. */
  #count(series: RangeSeries, windows: Pick<WindowSet, 'startMs' | 'endMs' | 'count'>): void {
    const counts = this.#context.counts.of(this.#grid);
    if (counts === null) return;
    const { startMs, endMs, count: stepCount } = windows;
    const { stepMs } = this.#grid;
    countWindows(counts, series, { ...this.#counted, stepCount, stepMs, startMs, endMs });
  }

  #fillMixed(batch: Batch, base: number, series: RangeSeries, compute: MixedFunction): void {
    const { lo, hi, count } = this.#windows;
    for (let i = 0; i < count; i++) {
      if (hi[i] === lo[i]) continue;
      const result = compute({
        series,
        windows: this.#windows,
        index: i,
        lo: lo[i]!,
        hi: hi[i]!,
        call: this.#node,
        context: this.#context,
      });
      if (result === null) continue;
      if (typeof result === 'number') batch.setFloat(base + i, result);
      else batch.setHistogram(base + i, result);
    }
  }
}

/** NaN passes, as in Prometheus, and gives NaN. */
function checkFactor(name: 'smoothing' | 'trend', factor: number): void {
  if (!(factor <= 0 || factor >= 1)) return;
  const short = name === 'smoothing' ? 'sf' : 'tf';
  const got = Number.isFinite(factor) ? factor.toFixed(6) : printNumber(factor);
  throw QueryError.execution(`invalid ${name} factor. Expected: 0 < ${short} < 1, got: ${got}`);
}
