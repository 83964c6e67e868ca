import { assert } from '@pollux/base';
import {
  BUCKET_LABEL,
  type FloatHistogram,
  METRIC_NAME,
  parseFloatText,
  quoteText,
} from '@pollux/model';
import { forMetric } from '../annotations.ts';
import { QueryError } from '../errors.ts';
import { checkQuantile } from '../functions/range-annotations.ts';
import { ClassicBuckets, classicFraction, classicQuantile } from '../histogram/classic.ts';
import { nativeFraction, nativeQuantile } from '../histogram/quantile.ts';
import { printNumber } from '../parser/printer.ts';
import type { CallNode, PlanNode } from '../plan/nodes.ts';
import { Batch, FLOAT, HISTOGRAM, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import { BatchCursor, type StepGrid } from './grid.ts';
import type { Operator } from './operator.ts';
import { withoutName } from './range-source.ts';

/** Series that are the same histogram: buckets of a classic one, or a native one. */
type Group = {
  readonly info: SeriesInfo;
  readonly metricName: string;
  /** Input series with a readable `le`, and its value. */
  readonly buckets: { readonly series: number; readonly upper: number }[];
  /** All input series of the group, for native samples. */
  readonly all: number[];
};

/** histogram_quantile, histogram_quantiles and histogram_fraction, over classic and native histograms alike. */
export class HistogramFunction implements Operator {
  readonly #node: CallNode;
  readonly #context: ExecContext;
  readonly #child: Operator;
  readonly #params: readonly Operator[];
  readonly #steps: BatchCursor;
  /** Which argument is the vector, for positions. */
  readonly #vectorIndex: number;
  #groups: Group[] = [];
  #badBuckets: { readonly series: number; readonly le: string; readonly name: string }[] = [];
  #batch: Batch | null = null;
  #outputs = 1;
  readonly #buckets = new ClassicBuckets();

  constructor(node: CallNode, grid: StepGrid, context: ExecContext) {
    this.#node = node;
    this.#context = context;
    this.#steps = new BatchCursor(grid);
    const isMany = node.func === 'histogram_quantiles';
    this.#vectorIndex = isMany ? 0 : node.args.length - 1;
    const params = isMany ? node.args.slice(2) : node.args.slice(0, -1);
    this.#child = context.build(node.args[this.#vectorIndex]!, grid);
    this.#params = params.map((param) => context.build(param, grid));
    if (isMany) this.#outputs = params.length;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    for (const param of this.#params) await param.series();
    const series = await this.#child.series();
    const byKey = new Map<string, Group>();
    for (const [index, info] of series.entries()) this.#place(index, info, byKey);
    this.#groups = [...byKey.values()];
    if (this.#node.func !== 'histogram_quantiles') return this.#groups.map(({ info }) => info);
    return this.#quantileSeries();
  }

  #place(index: number, info: SeriesInfo, byKey: Map<string, Group>): void {
    const { labels } = info;
    const rest = labels.drop(new Set([BUCKET_LABEL]));
    const key = rest.key();
    let group = byKey.get(key);
    if (group === undefined) {
      group = {
        info: withoutName({ labels: rest, dropName: info.dropName }, this.#context),
        // Without delayed name removal the name is gone before anything is remarked.
        metricName: this.#context.options.delayedNameRemoval ? labels.get(METRIC_NAME) : '',
        buckets: [],
        all: [],
      };
      byKey.set(key, group);
    }
    group.all.push(index);
    const le = labels.get(BUCKET_LABEL);
    const upper = parseFloatText(le);
    if (upper === null) this.#badBuckets.push({ series: index, le, name: group.metricName });
    else group.buckets.push({ series: index, upper });
  }

  /** One series per group and quantile, told apart by a label that names the quantile. */
  #quantileSeries(): SeriesInfo[] {
    const label = this.#node.args[1]!;
    if (label.kind !== 'string') throw QueryError.execution('expected a string literal');
    const quantiles = this.#node.args.slice(2).map(constantOf);
    return this.#groups.flatMap(({ info }) =>
      quantiles.map((q) => ({
        labels: info.labels.with(label.value, quantileLabel(q)),
        dropName: info.dropName,
      })),
    );
  }

  async next(): Promise<Batch | null> {
    await this.#context.checkpoint();
    const input = await this.#child.next();
    const params: Batch[] = [];
    for (const param of this.#params) {
      const batch = await param.next();
      if (batch !== null) params.push(batch);
    }
    if (input === null || !this.#steps.advance()) return null;
    assert(params.length === this.#params.length, 'parameters have the steps of their function');
    const { stepCount } = input;
    this.#batch ??= new Batch(this.#groups.length * this.#outputs, stepCount);
    this.#batch.clear(stepCount);
    this.#checkParams(params, stepCount);
    this.#warnOfBadBuckets(input);
    for (const [g, group] of this.#groups.entries()) {
      for (let i = 0; i < stepCount; i++) this.#evaluate(input, params, { group, g, step: i });
    }
    return this.#batch;
  }

  #checkParams(params: readonly Batch[], stepCount: number): void {
    if (this.#node.func === 'histogram_fraction') return;
    const first = this.#node.func === 'histogram_quantiles' ? 2 : 0;
    for (const [p, param] of params.entries()) {
      for (let i = 0; i < stepCount; i++) {
        const range = this.#node.argRanges[first + p]!;
        checkQuantile(param.values[i]!, range, this.#context.annotations);
      }
    }
  }

  #warnOfBadBuckets(input: Batch): void {
    for (const { series, le, name } of this.#badBuckets) {
      let hasFloat = false;
      for (let i = 0; i < input.stepCount && !hasFloat; i++)
        hasFloat = input.kinds[series * input.stepCount + i] === FLOAT;
      if (!hasFloat) continue;
      this.#context.annotations.warn(
        `bucket label "le" is missing or has a malformed value of ${quoteText(le)}${forMetric(name)}`,
        this.#vectorRange,
      );
    }
  }

  get #vectorRange(): CallNode['range'] {
    return this.#node.argRanges[this.#vectorIndex]!;
  }

  #evaluate(
    input: Batch,
    params: readonly Batch[],
    at: { readonly group: Group; readonly g: number; readonly step: number },
  ): void {
    const { group, g, step } = at;
    const { stepCount, kinds, values } = input;
    const buckets = this.#buckets;
    buckets.clear();
    for (const { series, upper } of group.buckets) {
      const cell = series * stepCount + step;
      if (kinds[cell] === FLOAT) buckets.add(upper, values[cell]!);
    }
    let native: FloatHistogram | null = null;
    if (input.histograms !== null) {
      for (const series of group.all) {
        const cell = series * stepCount + step;
        if (kinds[cell] === HISTOGRAM) native = input.histogramAt(cell);
      }
    }
    if (native !== null && buckets.size > 0) {
      this.#context.annotations.warn(
        `vector contains a mix of classic and native histograms${forMetric(group.metricName)}`,
        this.#vectorRange,
      );
      return;
    }
    if (native === null && buckets.size === 0) return;
    if (native === null) this.#prepare(group, step, params);
    for (let o = 0; o < this.#outputs; o++) {
      const cell = (g * this.#outputs + o) * stepCount + step;
      const first = params[o]!.values[step]!;
      this.#batch!.setFloat(cell, this.#compute(first, params, { ...at, native }));
    }
  }

  #compute(
    first: number,
    params: readonly Batch[],
    at: { readonly group: Group; readonly step: number; readonly native: FloatHistogram | null },
  ): number {
    const { group, step, native } = at;
    if (this.#node.func === 'histogram_fraction') {
      const upper = params[1]!.values[step]!;
      if (native === null) return classicFraction(first, upper, this.#buckets);
      if (Number.isNaN(native.sum)) {
        this.#context.annotations.info(
          `input to histogram_fraction has NaN observations, which are excluded from all fractions${forMetric(group.metricName)}`,
          this.#vectorRange,
        );
      }
      return nativeFraction(first, upper, native);
    }
    if (native === null) return classicQuantile(first, this.#buckets);
    const { value, nan } = nativeQuantile(first, native);
    if (nan !== 'none') {
      const what = nan === 'skewed' ? 'result is skewed higher' : 'result is NaN';
      this.#context.annotations.info(
        `input to histogram_quantile has NaN observations, ${what}${forMetric(group.metricName)}`,
        this.#vectorRange,
      );
    }
    return value;
  }

  #prepare(group: Group, step: number, params: readonly Batch[]): void {
    this.#buckets.normalize();
    // Fractions are of the buckets as they are.
    if (!this.#buckets.endsInInfinity || this.#node.func === 'histogram_fraction') return;
    const fix = this.#buckets.ensureMonotonic();
    // Quantiles out of range are answered without a look at the buckets.
    const isLooked = params.some(({ values }) => values[step]! >= 0 && values[step]! <= 1);
    if (fix === null || !isLooked) return;
    this.#context.annotations.monotonicityFix(group.metricName, this.#vectorRange, {
      ...fix,
      timestampMs: this.#steps.timeMs(step),
    });
  }
}

function constantOf(node: PlanNode): number {
  const inner = node.kind === 'step-invariant' ? node.child : node;
  if (inner.kind === 'number') return inner.value;
  throw QueryError.execution(
    'histogram_quantiles with quantiles that are no number literals is not supported yet',
  );
}

/** The quantile as the `quantile` label of summaries is written. */
function quantileLabel(q: number): string {
  const text = printNumber(q);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
