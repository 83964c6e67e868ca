import { assert } from '@pollux/base';
import { checkQuantile } from '../../functions/range-annotations.ts';
import { quantileOfSorted, sortedNanFirst } from '../../functions/window/spread.ts';
import type { AggregateNode } from '../../plan/nodes.ts';
import { Batch, FLOAT, HISTOGRAM, type SeriesInfo } from '../batch.ts';
import type { Operator } from '../operator.ts';
import { type Grouping, groupSeries } from './grouping.ts';
import type { AggregateSettings } from './settings.ts';

/** quantile(): interpolated between the sorted values of a group. */
export class QuantileAggregate implements Operator {
  readonly #node: AggregateNode;
  readonly #settings: AggregateSettings;
  #grouping: Grouping | null = null;
  #members: Int32Array[] = [];
  #batch: Batch | null = null;
  #scratch = new Float64Array(0);

  constructor(node: AggregateNode, settings: AggregateSettings) {
    this.#node = node;
    this.#settings = settings;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    await this.#settings.parameter?.series();
    const series = await this.#settings.child.series();
    this.#grouping = groupSeries(this.#node, series, this.#settings.context);
    this.#members = membersOf(this.#grouping);
    this.#scratch = new Float64Array(Math.max(0, ...this.#members.map(({ length }) => length)));
    return this.#grouping.groups;
  }

  async next(): Promise<Batch | null> {
    await this.#settings.context.checkpoint();
    const input = await this.#settings.child.next();
    const parameter = await this.#settings.parameter!.next();
    if (input === null) return null;
    assert(parameter !== null, 'the parameter has the steps of its aggregation');
    const { stepCount } = input;
    this.#batch ??= new Batch(this.#members.length, stepCount);
    this.#batch.clear(stepCount);
    const { annotations } = this.#settings.context;
    for (let i = 0; i < stepCount; i++) {
      const q = parameter.values[i]!;
      checkQuantile(q, this.#node.parameterRange!, annotations);
      for (const [group, members] of this.#members.entries())
        this.#fill(input, i, members, { q, group, output: this.#batch });
    }
    return this.#batch;
  }

  #fill(
    input: Batch,
    step: number,
    members: Int32Array,
    target: { readonly q: number; readonly group: number; readonly output: Batch },
  ): void {
    const { stepCount, kinds, values } = input;
    let count = 0;
    for (let m = 0; m < members.length; m++) {
      const cell = members[m]! * stepCount + step;
      if (kinds[cell] === FLOAT) this.#scratch[count++] = values[cell]!;
      else if (kinds[cell] === HISTOGRAM) {
        this.#settings.context.annotations.info(
          'ignored histogram in quantile aggregation',
          this.#node.childRange,
        );
      }
    }
    if (count === 0) return;
    const sorted = sortedNanFirst(this.#scratch, 0, count);
    target.output.setFloat(target.group * stepCount + step, quantileOfSorted(target.q, sorted));
  }
}

/** The input series of each group, in order. */
export function membersOf({ groups, groupOf }: Grouping): Int32Array[] {
  const lists: number[][] = groups.map(() => []);
  for (const [index, group] of groupOf.entries()) lists[group]!.push(index);
  return lists.map((list) => Int32Array.from(list));
}
