import { HistogramAccumulator } from '../../histogram/accumulator.ts';
import { divideHistogram } from '../../histogram/arithmetic.ts';
import type { AggregateNode } from '../../plan/nodes.ts';
import { ABSENT, type Batch, HISTOGRAM } from '../batch.ts';
import type { ExecContext } from '../context.ts';

type Cell = {
  readonly accumulator: HistogramAccumulator;
  count: number;
  hasReset: boolean;
  hasNotReset: boolean;
  isIncompatible: boolean;
};

/** sum and avg of native histograms. A group that mixes floats and histograms, or bucket layouts, has no result. */
export class HistogramSums {
  readonly #node: AggregateNode;
  readonly #isMean: boolean;
  readonly #context: ExecContext;

  constructor(node: AggregateNode, reduction: 'sum' | 'avg', context: ExecContext) {
    this.#node = node;
    this.#isMean = reduction === 'avg';
    this.#context = context;
  }

  /** `floatCounts` says how many floats went into each cell of `output`. */
  combine(input: Batch, groupOf: Int32Array, output: Batch, floatCounts: Float64Array): void {
    const { stepCount, kinds } = input;
    const cells = new Map<number, Cell>();
    for (let s = 0, cell = 0; s < groupOf.length; s++) {
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] === HISTOGRAM)
          this.#add(cells, groupOf[s]! * stepCount + i, input.histogramAt(cell));
      }
    }
    for (const [target, cell] of cells) this.#finish(target, cell, output, floatCounts);
  }

  #add(
    cells: Map<number, Cell>,
    target: number,
    histogram: ReturnType<Batch['histogramAt']>,
  ): void {
    const { counterResetHint } = histogram;
    let cell = cells.get(target);
    if (cell === undefined) {
      cell = {
        accumulator: new HistogramAccumulator(histogram),
        count: 0,
        hasReset: false,
        hasNotReset: false,
        isIncompatible: false,
      };
      cells.set(target, cell);
    } else {
      const outcome = cell.accumulator.add(histogram);
      if (outcome.isIncompatible) cell.isIncompatible = true;
      if (outcome.isReconciled) {
        this.#context.annotations.info(
          'mismatched custom buckets were reconciled during aggregation',
          this.#node.childRange,
        );
      }
    }
    cell.count++;
    cell.hasReset ||= counterResetHint === 'reset';
    cell.hasNotReset ||= counterResetHint === 'not-reset';
  }

  #finish(target: number, cell: Cell, output: Batch, floatCounts: Float64Array): void {
    const { annotations } = this.#context;
    const range = this.#node.childRange;
    if (floatCounts[target]! > 0) {
      annotations.warn('encountered a mix of histograms and floats for aggregation', range);
      output.kinds[target] = ABSENT;
      return;
    }
    if (cell.isIncompatible) {
      annotations.warn(
        'vector contains a mix of histograms with exponential and custom buckets schemas for metric name ""',
        range,
      );
      return;
    }
    if (cell.hasReset && cell.hasNotReset)
      annotations.warn('conflicting counter resets during histogram aggregation', range);
    const sum = cell.accumulator.finish();
    output.setHistogram(target, this.#isMean ? divideHistogram(sum, cell.count) : sum);
  }
}
