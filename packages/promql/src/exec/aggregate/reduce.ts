import type { AggregateNode } from '../../plan/nodes.ts';
import { ABSENT, Batch, FLOAT, HISTOGRAM, type SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';
import { BatchCursor, type StepGrid } from '../grid.ts';
import { asBlocks, type BlockOperator, type Operator } from '../operator.ts';
import { type Grouping, GroupTable, groupSeries } from './grouping.ts';
import { HistogramSums } from './histogram-sums.ts';
import type { AggregateSettings } from './settings.ts';

export type Reduction = 'sum' | 'avg' | 'count' | 'min' | 'max' | 'group' | 'stddev' | 'stdvar';

/**
 * Groups times steps that are kept when series come in blocks. Above, all series are held instead and reduced step by step.
 */
const MAX_CELLS = 2 ** 21;
/** Of {@link GroupState}. */
const BYTES_PER_CELL = 32;

/** Aggregations that reduce each group to one value with a constant amount of state. */
export class Reduce implements Operator {
  readonly #node: AggregateNode;
  readonly #reduction: Reduction;
  readonly #child: Operator;
  readonly #context: ExecContext;
  readonly #grid: StepGrid;
  #grouping: Grouping | null = null;
  #inputs: readonly SeriesInfo[] = [];
  #batch: Batch | null = null;
  #state = newState(0);
  /** Not null: the state holds the sums of all steps, of which these were given. */
  #given: BatchCursor | null = null;
  #groupCount = 0;

  constructor(node: AggregateNode, reduction: Reduction, settings: AggregateSettings) {
    this.#node = node;
    this.#reduction = reduction;
    this.#child = settings.child;
    this.#context = settings.context;
    this.#grid = settings.grid;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const blocks = asBlocks(this.#child);
    if (blocks !== null) {
      const groups = await this.#reduceBlocks(blocks);
      if (groups !== null) return groups;
    }
    const series = await this.#child.series();
    this.#inputs = series;
    this.#grouping = groupSeries(this.#node, series, this.#context);
    return this.#grouping.groups;
  }

  async next(): Promise<Batch | null> {
    await this.#context.checkpoint();
    if (this.#given !== null) return this.#nextOfState(this.#given);
    const input = await this.#child.next();
    if (input === null) return null;
    const { groups, groupOf } = this.#grouping!;
    const { stepCount } = input;
    this.#batch ??= new Batch(groups.length, stepCount);
    const cells = groups.length * stepCount;
    if (this.#state.count.length < cells) this.#state = newState(cells);
    const output = this.#batch;
    output.clear(stepCount);
    clearState(this.#state, cells);
    accumulate(this.#reduction, input, groupOf, {
      state: this.#state,
      stride: stepCount,
      first: 0,
    });
    for (let group = 0; group < groups.length; group++)
      this.#finish(output, group, group * stepCount);
    if (input.histograms !== null) this.#addHistograms(input, output, this.#state);
    return output;
  }

  /**
   * Reduces series as they are read, all steps of a block at a time, so that their samples need not be held. Null, and all is
   * as before, when there are histograms or very many groups.
   */
  async #reduceBlocks(child: BlockOperator): Promise<readonly SeriesInfo[] | null> {
    const counts = this.#context.counts.of(this.#grid);
    const countsBefore = counts?.copy() ?? null;
    const table = new GroupTable(this.#node, this.#context);
    const stride = this.#grid.count;
    try {
      for (;;) {
        const series = await child.nextBlock();
        if (series === null) break;
        const groupOf = table.place(series);
        const cells = table.groups.length * stride;
        const isTaken = cells <= MAX_CELLS && (await this.#addBlock(child, groupOf, cells));
        if (isTaken) continue;
        if (countsBefore !== null) counts?.restore(countsBefore);
        return null;
      }
    } finally {
      child.closeBlocks();
    }
    this.#given = new BatchCursor(this.#grid);
    this.#groupCount = table.groups.length;
    return table.groups;
  }

  /** False when there are histograms in the block. */
  async #addBlock(child: Operator, groupOf: Int32Array, cells: number): Promise<boolean> {
    const stride = this.#grid.count;
    if (this.#state.count.length < cells) {
      const size = Math.min(MAX_CELLS, Math.max(cells, this.#state.count.length * 2));
      this.#context.holdMemory((size - this.#state.count.length) * BYTES_PER_CELL);
      this.#state = grownState(this.#state, size);
    }
    for (let first = 0; ; ) {
      const batch = await child.next();
      if (batch === null) return true;
      if (batch.histograms !== null) return false;
      accumulate(this.#reduction, batch, groupOf, { state: this.#state, stride, first });
      first += batch.stepCount;
    }
  }

  #nextOfState(steps: BatchCursor): Batch | null {
    if (!steps.advance()) return null;
    const stride = this.#grid.count;
    const groups = this.#groupCount;
    this.#batch ??= new Batch(groups, steps.count);
    this.#batch.clear(steps.count);
    for (let group = 0; group < groups; group++)
      this.#finish(this.#batch, group, group * stride + steps.first);
    return this.#batch;
  }

  /** Writes the results of a group for the steps of the batch; the state of the first lies at `from`. */
  #finish(output: Batch, group: number, from: number): void {
    const { sum, lost, count, mean } = this.#state;
    const { stepCount, kinds, values } = output;
    for (let i = 0, cell = group * stepCount; i < stepCount; i++, cell++) {
      const at = from + i;
      const n = count[at]!;
      if (n === 0) continue;
      kinds[cell] = FLOAT;
      values[cell] = finalValue(this.#reduction, sum[at]!, lost[at]!, n, mean[at]!);
    }
  }

  /** Histograms take part in sum, avg, count and group only; the others leave them out and say so. */
  #addHistograms(input: Batch, output: Batch, state: GroupState): void {
    const { groupOf } = this.#grouping!;
    const { stepCount, kinds } = input;
    const reduction = this.#reduction;
    if (reduction === 'sum' || reduction === 'avg') {
      const sums = new HistogramSums(this.#node, reduction, this.#context);
      sums.combine(input, this.#inputs, { groupOf, output, floatCounts: state.count });
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

function grownState(state: GroupState, size: number): GroupState {
  const grown = newState(size);
  grown.sum.set(state.sum);
  grown.lost.set(state.lost);
  grown.count.set(state.count);
  grown.mean.set(state.mean);
  return grown;
}

function clearState(state: GroupState, size: number): void {
  state.sum.fill(0, 0, size);
  state.lost.fill(0, 0, size);
  state.count.fill(0, 0, size);
  state.mean.fill(0, 0, size);
}

/** Where a batch goes: the figures of group g and of the batch's step i lie at `g * stride + first + i`. */
type Target = { readonly state: GroupState; readonly stride: number; readonly first: number };

/** The cells of one series in a batch, from `cell` on, and where the figures of their group lie, from `to` on. */
type AddRow = (batch: Batch, cell: number, state: GroupState, to: number) => void;

function accumulate(
  reduction: Reduction,
  input: Batch,
  groupOf: Int32Array,
  { state, stride, first }: Target,
): void {
  const add = ADD_ROW[reduction];
  for (let s = 0; s < groupOf.length; s++)
    add(input, s * input.stepCount, state, groupOf[s]! * stride + first);
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

function addSums(batch: Batch, cell: number, { sum, lost, count }: GroupState, to: number): void {
  const { stepCount, kinds, values } = batch;
  for (let i = 0; i < stepCount; i++) {
    if (kinds[cell + i] !== FLOAT) continue;
    const at = to + i;
    const value = values[cell + i]!;
    const before = sum[at]!;
    const next = before + value;
    count[at]!++;
    if (next - next !== 0) lost[at] = 0;
    else if (Math.abs(before) >= Math.abs(value)) lost[at]! += before - next + value;
    else lost[at]! += value - next + before;
    sum[at] = next;
  }
}

function addMeans(batch: Batch, cell: number, state: GroupState, to: number): void {
  const { sum, lost, count, mean } = state;
  const { stepCount, kinds, values } = batch;
  for (let i = 0; i < stepCount; i++) {
    if (kinds[cell + i] !== FLOAT) continue;
    const at = to + i;
    const value = values[cell + i]!;
    const n = ++count[at]!;
    let before = sum[at]!;
    let term = value;
    if (mean[at] === 0) {
      const next = before + value;
      if (n === 1 || Math.abs(next) !== Number.POSITIVE_INFINITY) {
        lost[at] = n === 1 ? 0 : lost[at]! + lostOf(before, value, next);
        sum[at] = n === 1 ? value : next;
        continue;
      }
      // The sum would overflow: go on with the mean itself.
      mean[at] = 1;
      before /= n - 1;
      lost[at]! /= n - 1;
    }
    const q = (n - 1) / n;
    before *= q;
    term = value / n;
    const next = before + term;
    lost[at] = Number.isFinite(next) ? q * lost[at]! + lostOf(before, term, next) : 0;
    sum[at] = next;
  }
}

function lostOf(a: number, b: number, next: number): number {
  if (next - next !== 0) return 0;
  return Math.abs(a) >= Math.abs(b) ? a - next + b : b - next + a;
}

function addCounts(batch: Batch, cell: number, { count }: GroupState, to: number): void {
  const { stepCount, kinds } = batch;
  for (let i = 0; i < stepCount; i++) if (kinds[cell + i] === FLOAT) count[to + i]!++;
}

function addMinima(batch: Batch, cell: number, state: GroupState, to: number): void {
  addExtremes(batch, cell, state, to, -1);
}

function addMaxima(batch: Batch, cell: number, state: GroupState, to: number): void {
  addExtremes(batch, cell, state, to, 1);
}

/** The greatest value times `sign`; NaN only where there is nothing else. */
function addExtremes(
  batch: Batch,
  cell: number,
  { sum, count }: GroupState,
  to: number,
  sign: number,
): void {
  const { stepCount, kinds, values } = batch;
  for (let i = 0; i < stepCount; i++) {
    if (kinds[cell + i] !== FLOAT) continue;
    const at = to + i;
    const value = values[cell + i]!;
    const best = sum[at]!;
    if (count[at] === 0 || sign * value > sign * best || Number.isNaN(best)) sum[at] = value;
    count[at]!++;
  }
}

/** Welford's update with compensation. */
function addSpreads(batch: Batch, cell: number, state: GroupState, to: number): void {
  const { sum, lost, count, mean } = state;
  const { stepCount, kinds, values } = batch;
  for (let i = 0; i < stepCount; i++) {
    if (kinds[cell + i] !== FLOAT) continue;
    const at = to + i;
    const value = values[cell + i]!;
    const n = ++count[at]!;
    const delta = value - mean[at]!;
    mean[at]! += delta / n;
    const term = delta * (value - mean[at]!);
    const before = sum[at]!;
    const next = before + term;
    lost[at]! += lostOf(before, term, next);
    sum[at] = next;
  }
}

const ADD_ROW: Readonly<Record<Reduction, AddRow>> = {
  sum: addSums,
  avg: addMeans,
  count: addCounts,
  group: addCounts,
  min: addMinima,
  max: addMaxima,
  stddev: addSpreads,
  stdvar: addSpreads,
};
