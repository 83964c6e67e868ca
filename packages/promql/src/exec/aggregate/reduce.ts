import type { AggregateNode } from '../../plan/nodes.ts';
import { ABSENT, Batch, FLOAT, HISTOGRAM, type SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';
import type { Operator } from '../operator.ts';
import { type Grouping, groupSeries } from './grouping.ts';
import { HistogramSums } from './histogram-sums.ts';
import type { AggregateSettings } from './settings.ts';

export type Reduction = 'sum' | 'avg' | 'count' | 'min' | 'max' | 'group' | 'stddev' | 'stdvar';

/** Aggregations that reduce each group to one value with a constant amount of state. */
export class Reduce implements Operator {
  readonly #node: AggregateNode;
  readonly #reduction: Reduction;
  readonly #child: Operator;
  readonly #context: ExecContext;
  #grouping: Grouping | null = null;
  #batch: Batch | null = null;
  #state: GroupState | null = null;

  constructor(node: AggregateNode, reduction: Reduction, settings: AggregateSettings) {
    this.#node = node;
    this.#reduction = reduction;
    this.#child = settings.child;
    this.#context = settings.context;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const series = await this.#child.series();
    this.#grouping = groupSeries(this.#node, series, this.#context);
    return this.#grouping.groups;
  }

  async next(): Promise<Batch | null> {
    await this.#context.checkpoint();
    const input = await this.#child.next();
    if (input === null) return null;
    const { groups, groupOf } = this.#grouping!;
    const { stepCount } = input;
    this.#batch ??= new Batch(groups.length, stepCount);
    this.#state ??= newState(groups.length * stepCount);
    const output = this.#batch;
    output.clear(stepCount);
    clearState(this.#state, groups.length * stepCount);
    accumulate(this.#reduction, input, groupOf, this.#state);
    this.#finish(output, groups.length * stepCount, this.#state);
    if (input.histograms !== null) this.#addHistograms(input, output, this.#state);
    return output;
  }

  #finish(output: Batch, cells: number, state: GroupState): void {
    const { sum, lost, count, mean } = state;
    for (let cell = 0; cell < cells; cell++) {
      const n = count[cell]!;
      if (n === 0) continue;
      output.kinds[cell] = FLOAT;
      output.values[cell] = finalValue(this.#reduction, sum[cell]!, lost[cell]!, n, mean[cell]!);
    }
  }

  /** Histograms take part in sum, avg, count and group only; the others leave them out and say so. */
  #addHistograms(input: Batch, output: Batch, state: GroupState): void {
    const { groupOf } = this.#grouping!;
    const { stepCount, kinds } = input;
    const reduction = this.#reduction;
    if (reduction === 'sum' || reduction === 'avg') {
      const sums = new HistogramSums(this.#node, reduction, this.#context);
      sums.combine(input, groupOf, output, state.count);
      return;
    }
    for (let s = 0, cell = 0; s < groupOf.length; s++) {
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] !== HISTOGRAM) continue;
        const target = groupOf[s]! * stepCount + i;
        if (reduction === 'count') {
          const before = output.kinds[target] === ABSENT ? 0 : output.values[target]!;
          output.setFloat(target, before + 1);
        } else if (reduction === 'group') output.setFloat(target, 1);
        else {
          this.#context.annotations.info(
            `ignored histogram in ${reduction} aggregation`,
            this.#node.childRange,
          );
        }
      }
    }
  }
}

/** Running figures per group and step. */
type GroupState = {
  /** Sum, minimum, maximum, or sum of squared distances. */
  readonly sum: Float64Array;
  /** What rounding lost of `sum`. */
  readonly lost: Float64Array;
  readonly count: Float64Array;
  /** Mean for the spread; for avg a flag that `sum` is a running mean, after an overflow. */
  readonly mean: Float64Array;
};

function newState(size: number): GroupState {
  return {
    sum: new Float64Array(size),
    lost: new Float64Array(size),
    count: new Float64Array(size),
    mean: new Float64Array(size),
  };
}

function clearState(state: GroupState, size: number): void {
  state.sum.fill(0, 0, size);
  state.lost.fill(0, 0, size);
  state.count.fill(0, 0, size);
  state.mean.fill(0, 0, size);
}

function accumulate(
  reduction: Reduction,
  input: Batch,
  groupOf: Int32Array,
  state: GroupState,
): void {
  switch (reduction) {
    case 'sum':
      addSums(input, groupOf, state);
      break;
    case 'avg':
      addMeans(input, groupOf, state);
      break;
    case 'count':
    case 'group':
      addCounts(input, groupOf, state);
      break;
    case 'min':
      addExtremes(input, groupOf, state, -1);
      break;
    case 'max':
      addExtremes(input, groupOf, state, 1);
      break;
    case 'stddev':
    case 'stdvar':
      addSpreads(input, groupOf, state);
      break;
  }
}

function finalValue(
  reduction: Reduction,
  sum: number,
  lost: number,
  count: number,
  mean: number,
): number {
  switch (reduction) {
    case 'sum':
      return Number.isFinite(sum) ? sum + lost : sum;
    case 'avg':
      return mean === 0 ? sum / count + lost / count : sum + lost;
    case 'count':
      return count;
    case 'group':
      return 1;
    case 'min':
    case 'max':
      return sum;
    case 'stdvar':
      return (sum + lost) / count;
    case 'stddev':
      return Math.sqrt((sum + lost) / count);
  }
}

function addSums(input: Batch, groupOf: Int32Array, { sum, lost, count }: GroupState): void {
  const { stepCount, kinds, values } = input;
  for (let s = 0, cell = 0; s < groupOf.length; s++) {
    const base = groupOf[s]! * stepCount;
    for (let i = 0; i < stepCount; i++, cell++) {
      if (kinds[cell] !== FLOAT) continue;
      const to = base + i;
      const value = values[cell]!;
      const before = sum[to]!;
      const next = before + value;
      count[to]!++;
      if (next - next !== 0) lost[to] = 0;
      else if (Math.abs(before) >= Math.abs(value)) lost[to]! += before - next + value;
      else lost[to]! += value - next + before;
      sum[to] = next;
    }
  }
}

function addMeans(input: Batch, groupOf: Int32Array, { sum, lost, count, mean }: GroupState): void {
  const { stepCount, kinds, values } = input;
  for (let s = 0, cell = 0; s < groupOf.length; s++) {
    const base = groupOf[s]! * stepCount;
    for (let i = 0; i < stepCount; i++, cell++) {
      if (kinds[cell] !== FLOAT) continue;
      const to = base + i;
      const value = values[cell]!;
      const n = ++count[to]!;
      let before = sum[to]!;
      let term = value;
      if (mean[to] === 0) {
        const next = before + value;
        if (n === 1 || Math.abs(next) !== Number.POSITIVE_INFINITY) {
          lost[to] = n === 1 ? 0 : lost[to]! + lostOf(before, value, next);
          sum[to] = n === 1 ? value : next;
          continue;
        }
        // The sum would overflow: go on with the mean itself.
        mean[to] = 1;
        before /= n - 1;
        lost[to]! /= n - 1;
      }
      const q = (n - 1) / n;
      before *= q;
      term = value / n;
      const next = before + term;
      lost[to] = Number.isFinite(next) ? q * lost[to]! + lostOf(before, term, next) : 0;
      sum[to] = next;
    }
  }
}

function lostOf(a: number, b: number, next: number): number {
  if (next - next !== 0) return 0;
  return Math.abs(a) >= Math.abs(b) ? a - next + b : b - next + a;
}

function addCounts(input: Batch, groupOf: Int32Array, { count }: GroupState): void {
  const { stepCount, kinds } = input;
  for (let s = 0, cell = 0; s < groupOf.length; s++) {
    const base = groupOf[s]! * stepCount;
    for (let i = 0; i < stepCount; i++, cell++) if (kinds[cell] === FLOAT) count[base + i]!++;
  }
}

/** The greatest value times `sign`; NaN only where there is nothing else. */
function addExtremes(
  input: Batch,
  groupOf: Int32Array,
  { sum, count }: GroupState,
  sign: number,
): void {
  const { stepCount, kinds, values } = input;
  for (let s = 0, cell = 0; s < groupOf.length; s++) {
    const base = groupOf[s]! * stepCount;
    for (let i = 0; i < stepCount; i++, cell++) {
      if (kinds[cell] !== FLOAT) continue;
      const to = base + i;
      const value = values[cell]!;
      const best = sum[to]!;
      if (count[to] === 0 || sign * value > sign * best || Number.isNaN(best)) sum[to] = value;
      count[to]!++;
    }
  }
}

/** Welford's update with compensation. */
function addSpreads(
  input: Batch,
  groupOf: Int32Array,
  { sum, lost, count, mean }: GroupState,
): void {
  const { stepCount, kinds, values } = input;
  for (let s = 0, cell = 0; s < groupOf.length; s++) {
    const base = groupOf[s]! * stepCount;
    for (let i = 0; i < stepCount; i++, cell++) {
      if (kinds[cell] !== FLOAT) continue;
      const to = base + i;
      const value = values[cell]!;
      const n = ++count[to]!;
      const delta = value - mean[to]!;
      mean[to]! += delta / n;
      const term = delta * (value - mean[to]!);
      const before = sum[to]!;
      const next = before + term;
      lost[to]! += lostOf(before, term, next);
      sum[to] = next;
    }
  }
}
