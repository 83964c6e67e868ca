import { assert } from '@pollux/base';
import { QueryError } from '../../errors.ts';
import type { AggregateNode, PlanNode } from '../../plan/nodes.ts';
import { Batch, FLOAT, HISTOGRAM, type SeriesInfo } from '../batch.ts';
import type { Operator } from '../operator.ts';
import { compareValues } from '../sort.ts';
import { groupSeries } from './grouping.ts';
import { membersOf } from './quantile-aggregate.ts';
import type { AggregateSettings } from './settings.ts';

/** topk, bottomk and limitk: so many series of each group at each step, with their own labels. */
export class SelectK implements Operator {
  readonly #node: AggregateNode;
  readonly #operator: 'topk' | 'bottomk' | 'limitk';
  readonly #settings: AggregateSettings;
  #members: Int32Array[] = [];
  #batch: Batch | null = null;
  /** Set for instant queries, where the order of the result tells the ranking. */
  #ordered: Batch | null = null;
  #heap = new Int32Array(0);
  readonly #isNever: boolean;

  constructor(
    node: AggregateNode,
    operator: 'topk' | 'bottomk' | 'limitk',
    settings: AggregateSettings,
  ) {
    this.#node = node;
    this.#operator = operator;
    this.#settings = settings;
    this.#isNever = isBelowOne(node.parameter);
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const { child, parameter, context, grid } = this.#settings;
    await parameter?.series();
    const series = await child.series();
    this.#members = membersOf(groupSeries(this.#node, series, context));
    this.#heap = new Int32Array(Math.max(0, ...this.#members.map(({ length }) => length)));
    if (grid.count !== 1 || !context.isInstant) return series;
    const order: number[] = [];
    const picked = await this.#select(order);
    if (picked === null) return series;
    this.#ordered = new Batch(order.length, 1);
    this.#ordered.clear(1);
    for (const [to, from] of order.entries()) this.#ordered.copyCell(to, picked, from);
    return order.map((index) => series[index]!);
  }

  async next(): Promise<Batch | null> {
    await this.#settings.context.checkpoint();
    const ordered = this.#ordered;
    this.#ordered = null;
    return ordered ?? this.#select(null);
  }

  /** Picks for the next batch; `order` receives the picked series of its first step by rank. */
  async #select(order: number[] | null): Promise<Batch | null> {
    const { child, parameter } = this.#settings;
    const input = await child.next();
    const limits = await parameter!.next();
    if (input === null) return null;
    assert(limits !== null, 'the parameter has the steps of its aggregation');
    const { stepCount } = input;
    this.#batch ??= new Batch(input.seriesCount, stepCount);
    const output = this.#batch;
    output.clear(stepCount);
    for (let i = 0; i < stepCount; i++) {
      const limit = this.#isNever ? 0 : checkedLimit(limits.values[i]!);
      if (limit < 1) continue;
      for (const members of this.#members) {
        const size = this.#pick(input, i, members, limit);
        if (this.#operator !== 'limitk') this.#rank(input, i, size);
        for (let k = 0; k < size; k++) {
          const s = this.#heap[k]!;
          output.copyCell(s * stepCount + i, input, s * stepCount + i);
          if (i === 0) order?.push(s);
        }
      }
    }
    return output;
  }

  /** Fills the heap with the `limit` best of a group, worst on top; returns how many. */
  #pick(input: Batch, step: number, members: Int32Array, limit: number): number {
    const { stepCount, kinds } = input;
    let size = 0;
    for (let m = 0; m < members.length; m++) {
      const s = members[m]!;
      const kind = kinds[s * stepCount + step];
      if (this.#operator === 'limitk') {
        if (kind !== 0 && size < limit) this.#heap[size++] = s;
        continue;
      }
      if (kind === HISTOGRAM) {
        this.#settings.context.annotations.info(
          `ignored histogram in ${this.#operator} aggregation`,
          this.#node.range,
        );
      }
      if (kind !== FLOAT) continue;
      if (size < limit) {
        this.#heap[size] = s;
        this.#siftUp(input, step, size++);
      } else if (this.#isBetter(input, step, s, this.#heap[0]!)) {
        this.#heap[0] = s;
        this.#siftDown(input, step, size);
      }
    }
    return size;
  }

  #isBetter(input: Batch, step: number, a: number, b: number): boolean {
    const x = input.values[a * input.stepCount + step]!;
    const y = input.values[b * input.stepCount + step]!;
    return compareValues(x, y, this.#operator === 'topk') < 0;
  }

  #siftUp(input: Batch, step: number, from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBetter(input, step, this.#heap[parent]!, this.#heap[index]!)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #siftDown(input: Batch, step: number, size: number): void {
    let index = 0;
    for (;;) {
      let worst = index;
      for (let child = 2 * index + 1; child <= 2 * index + 2 && child < size; child++)
        if (this.#isBetter(input, step, this.#heap[worst]!, this.#heap[child]!)) worst = child;
      if (worst === index) return;
      this.#swap(index, worst);
      index = worst;
    }
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a]!;
    this.#heap[a] = this.#heap[b]!;
    this.#heap[b] = held;
  }

  /** Sorts what was picked, best first; equal values stay in the order of the series. */
  #rank(input: Batch, step: number, size: number): void {
    const picked = this.#heap.subarray(0, size);
    picked.sort((a, b) => {
      const x = input.values[a * input.stepCount + step]!;
      const y = input.values[b * input.stepCount + step]!;
      return compareValues(x, y, this.#operator === 'topk') || a - b;
    });
  }
}

/** Prometheus does not look closer at a number that is below one at every step. */
function isBelowOne(parameter: PlanNode | null): boolean {
  return parameter?.kind === 'number' && parameter.value < 1;
}

/** The parameter of topk, bottomk or limitk as a count. */
function checkedLimit(value: number): number {
  if (Number.isNaN(value)) throw QueryError.execution('Parameter value is NaN');
  if (value < -(2 ** 63)) throw QueryError.execution(`Scalar value ${value} underflows int64`);
  if (value >= 2 ** 63) throw QueryError.execution(`Scalar value ${value} overflows int64`);
  return Math.trunc(value);
}
