import type { FloatHistogram } from '@pollux/model';
import { totalHistogram } from '../../histogram/average.ts';
import type { AggregateNode } from '../../plan/nodes.ts';
import { ABSENT, type Batch, HISTOGRAM } from '../batch.ts';
import type { ExecContext } from '../context.ts';

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
    const cells = new Map<number, FloatHistogram[]>();
    for (let s = 0, cell = 0; s < groupOf.length; s++) {
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] !== HISTOGRAM) continue;
        const target = groupOf[s]! * stepCount + i;
        const members = cells.get(target);
        if (members === undefined) cells.set(target, [input.histogramAt(cell)]);
        else members.push(input.histogramAt(cell));
      }
    }
    for (const [target, members] of cells) {
      if (floatCounts[target]! > 0) this.#dropMixed(target, output);
      else this.#store(target, members, output);
    }
  }

  #dropMixed(target: number, output: Batch): void {
    this.#context.annotations.warn(
      'encountered a mix of histograms and floats for aggregation',
      this.#node.childRange,
    );
    output.kinds[target] = ABSENT;
  }

  #store(target: number, members: readonly FloatHistogram[], output: Batch): void {
    const { annotations } = this.#context;
    const range = this.#node.childRange;
    const total = totalHistogram(members, this.#isMean);
    if (total.isReconciled)
      annotations.info('mismatched custom buckets were reconciled during aggregation', range);
    if (total.histogram === null) {
      annotations.warn(
        'vector contains a mix of histograms with exponential and custom buckets schemas for metric name ""',
        range,
      );
      return;
    }
    if (total.hasHintConflict)
      annotations.warn('conflicting counter resets during histogram aggregation', range);
    output.setHistogram(target, total.histogram);
  }
}
