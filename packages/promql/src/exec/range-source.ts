import type { FloatHistogram } from '@pollux/model';
import { type Labels, wordsOf } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';
import { countsOf } from '../histogram/counts-of.ts';
import type { MatrixSelectNode, RangeNode, SubqueryNode } from '../plan/nodes.ts';
import { FLOAT, HISTOGRAM, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import { gridBetween, lastStepMs, type StepGrid } from './grid.ts';
import { type LoadRequest, loadSeries, openSeries } from './load-series.ts';
import { type RangeSeries, withoutStale } from './series-columns.ts';
import type { SeriesRead } from './shared-series.ts';

/**
 * The samples that the windows of `node` can cover over all steps of `grid`, per series. With `bucketFunc`, a function of
 * BUCKET_FUNCTIONS, series may come as buckets. `isBare`: these samples are the whole answer.
 */
export async function loadRange(
  node: RangeNode,
  grid: StepGrid,
  context: ExecContext,
  how: { readonly bucketFunc?: string | null; readonly isBare?: boolean } = {},
): Promise<readonly RangeSeries[]> {
  if (node.kind === 'subquery') {
    const [firstMs, lastMs] = windowEnds(node, grid);
    const isBare = how.isBare ?? false;
    return evaluateSubquery(node, { firstMs, lastMs, outer: grid, isBare }, context);
  }
  const loaded = await loadSeries(
    context,
    rangeRequest(node, grid, context, how.bucketFunc ?? null),
  );
  return rangeSeries(node, loaded);
}

/** As {@link loadRange}, in batches that are lent until the next. */
export function readRange(
  node: MatrixSelectNode,
  grid: StepGrid,
  context: ExecContext,
  bucketFunc: string | null,
): SeriesRead {
  return openSeries(context, rangeRequest(node, grid, context, bucketFunc), true);
}

/** What storage gave for `node`, as windows take it. */
export function rangeSeries(
  node: MatrixSelectNode,
  loaded: readonly SeriesColumns[],
): readonly RangeSeries[] {
  const series = loaded.map(withoutStale);
  return node.countsOnly ? series.map(withKnownHints) : series;
}

/** Where the windows of the first and of the last step end. */
function windowEnds({ shift }: RangeNode, grid: StepGrid): readonly [number, number] {
  const firstMs = (shift.atMs ?? grid.startMs) - shift.offsetMs;
  return [firstMs, (shift.atMs ?? lastStepMs(grid)) - shift.offsetMs];
}

function rangeRequest(
  node: MatrixSelectNode,
  grid: StepGrid,
  context: ExecContext,
  bucketFunc: string | null,
): LoadRequest {
  const [firstMs, lastMs] = windowEnds(node, grid);
  const { selector, windowMs, hint, sharing, isSparse } = node;
  const { lookbackMs } = context.options;
  const isExtended = selector.anchored || selector.smoothed;
  return {
    selector,
    minMs: firstMs - windowMs + 1 - (isExtended ? lookbackMs : 0),
    maxMs: lastMs + (selector.smoothed ? lookbackMs : 0),
    stepMs: grid.stepMs,
    rangeMs: windowMs,
    hint,
    sharing,
    windows: isSparse ? { firstEndMs: firstMs, stepMs: grid.stepMs, widthMs: windowMs } : null,
    need:
      bucketFunc === null || isExtended
        ? { kind: 'samples' }
        : {
            kind: 'windows',
            func: bucketFunc,
            firstEndMs: firstMs,
            lastEndMs: lastMs,
            stepMs: grid.stepMs,
            rangeMs: windowMs,
          },
  };
}

function withKnownHints(series: RangeSeries): RangeSeries {
  if (series.histograms === null) return series;
  return { ...series, histograms: countsOf(series.histograms.slice(0, series.count)) };
}

/**
 * Runs the inner query of a subquery on the multiples of its step inside (firstMs − window, lastMs] and keeps what it
 * gave as columns.
 */
async function evaluateSubquery(
  node: SubqueryNode,
  around: {
    readonly firstMs: number;
    readonly lastMs: number;
    readonly outer: StepGrid;
    readonly isBare: boolean;
  },
  context: ExecContext,
): Promise<readonly RangeSeries[]> {
  const { stepMs, windowMs } = node;
  const { firstMs, lastMs, outer, isBare } = around;
  const leftMs = firstMs - windowMs;
  const startMs = Math.floor(leftMs / stepMs) * stepMs + stepMs;
  const grid = gridBetween(startMs, lastMs, stepMs);
  if (grid.count === 0) return [];
  const offsetMs = isBare ? 0 : node.shift.offsetMs;
  context.counts.subquery(grid, outer, { offsetMs, windowMs: isBare ? 0 : windowMs, isBare });
  const operator = context.build(node.child, grid);
  const series = await operator.series();
  const collected = series.map((info) => new Collector(info));
  let first = 0;
  for (;;) {
    // Not every operator below has a checkpoint, and a subquery may have more steps than a life has seconds.
    await context.checkpoint();
    const batch = await operator.next();
    if (batch === null) break;
    const { stepCount } = batch;
    for (let s = 0; s < series.length; s++) {
      const collector = collected[s]!;
      for (let i = 0; i < stepCount; i++) {
        const cell = s * stepCount + i;
        const kind = batch.kinds[cell];
        const timeMs = startMs + (first + i) * stepMs;
        if (kind === FLOAT) collector.addFloat(timeMs, batch.values[cell]!);
        else if (kind === HISTOGRAM) collector.addHistogram(timeMs, batch.histogramAt(cell));
      }
    }
    first += stepCount;
  }
  return collected.filter(({ count }) => count > 0).map((collector) => collector.finish());
}

/** Growing columns of one series. */
class Collector {
  readonly info: SeriesInfo;
  count = 0;
  #timestampsMs = new Float64Array(16);
  #values = new Float64Array(16);
  #histograms: (FloatHistogram | null)[] | null = null;

  constructor(info: SeriesInfo) {
    this.info = info;
  }

  addFloat(timeMs: number, value: number): void {
    if (this.count === this.#values.length) this.#grow();
    this.#timestampsMs[this.count] = timeMs;
    this.#values[this.count] = value;
    this.#histograms?.push(null);
    this.count++;
  }

  addHistogram(timeMs: number, histogram: FloatHistogram): void {
    this.#histograms ??= new Array<FloatHistogram | null>(this.count).fill(null);
    this.addFloat(timeMs, 0);
    // The reset hint speaks of the sample before, which a subquery need not hold.
    const isKnown =
      histogram.counterResetHint === 'reset' || histogram.counterResetHint === 'not-reset';
    this.#histograms[this.count - 1] = isKnown
      ? { ...histogram, counterResetHint: 'unknown' }
      : histogram;
  }

  finish(): RangeSeries {
    return {
      labels: this.info.labels,
      dropName: this.info.dropName,
      count: this.count,
      timestampsMs: this.#timestampsMs,
      values: this.#values,
      histograms: this.#histograms,
      startTimestampsMs: null,
      buckets: null,
    };
  }

  #grow(): void {
    const timestampsMs = new Float64Array(this.count * 2);
    const values = new Float64Array(this.count * 2);
    timestampsMs.set(this.#timestampsMs);
    wordsOf(values).set(wordsOf(this.#values));
    this.#timestampsMs = timestampsMs;
    this.#values = values;
  }
}

/** Labels of a series whose name a function takes away: at once, or marked when removal is delayed. */
export function withoutName(info: SeriesInfo, context: ExecContext): SeriesInfo {
  if (context.options.delayedNameRemoval) return { labels: info.labels, dropName: true };
  return { labels: withoutSchema(info.labels, context), dropName: false };
}

/** Without the name, and without type and unit where those are labels. */
export function withoutSchema(labels: Labels, context: ExecContext): Labels {
  return context.options.typeAndUnitLabels
    ? labels.drop(SCHEMA_LABELS)
    : labels.withoutMetricName();
}

const SCHEMA_LABELS: ReadonlySet<string> = new Set(['__name__', '__type__', '__unit__']);
