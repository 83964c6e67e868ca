import { type FloatHistogram, METRIC_NAME, quoteText } from '@pollux/model';
import { totalHistogram } from '../../histogram/average.ts';
import type { AggregateNode } from '../../plan/nodes.ts';
import { ABSENT, type Batch, HISTOGRAM, type SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';

type Member = { readonly histogram: FloatHistogram; readonly info: SeriesInfo };

/** Where sums go, and how many floats went into each cell of `output`. */
type Groups = {
  readonly groupOf: Int32Array;
  readonly output: Batch;
  readonly floatCounts: Float64Array;
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

  combine(input: Batch, inputs: readonly SeriesInfo[], groups: Groups): void {
    const { groupOf, output, floatCounts } = groups;
    const { stepCount, kinds } = input;
    const cells = new Map<number, Member[]>();
    for (let s = 0, cell = 0; s < groupOf.length; s++) {
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] !== HISTOGRAM) continue;
        const target = groupOf[s]! * stepCount + i;
        const members = cells.get(target);
        const member = { histogram: input.histogramAt(cell), info: inputs[s]! };
        if (members === undefined) cells.set(target, [member]);
        else members.push(member);
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

  #store(target: number, members: readonly Member[], output: Batch): void {
    const { annotations } = this.#context;
    const range = this.#node.childRange;
    const total = totalHistogram(
      members.map(({ histogram }) => histogram),
      this.#isMean,
    );
    if (total.isReconciled)
      annotations.info('mismatched custom buckets were reconciled during aggregation', range);
    if (total.histogram === null) {
      const name = members[total.incompatibleAt]!.info.labels.get(METRIC_NAME);
      annotations.warn(
        `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quoteText(name)}`,
        range,
      );
      return;
    }
    if (total.hasHintConflict)
      annotations.warn('conflicting counter resets during histogram aggregation', range);
    output.setHistogram(target, total.histogram);
  }
}
