import { assert } from '@pollux/base';
import type { BinaryNode } from '../../plan/nodes.ts';
import { Batch, type SeriesInfo } from '../batch.ts';
import type { Operator } from '../operator.ts';
import { matchKey } from './match-key.ts';

/** and, or, unless: series of the left (and for `or` of the right) by whether the other side has their match group. */
export class SetBinary implements Operator {
  readonly #node: BinaryNode;
  readonly #left: Operator;
  readonly #right: Operator;
  #leftGroup = new Int32Array(0);
  #rightGroup = new Int32Array(0);
  #groupCount = 0;
  #batch: Batch | null = null;
  #marks = new Uint8Array(0);

  constructor(node: BinaryNode, left: Operator, right: Operator) {
    this.#node = node;
    this.#left = left;
    this.#right = right;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const left = await this.#left.series();
    const right = await this.#right.series();
    const { matching, operator } = this.#node;
    assert(matching !== null, 'set operators match vectors');
    const keyOf = matchKey(matching);
    const groups = new Map<string, number>();
    const groupOf = ({ labels }: SeriesInfo): number => {
      const key = keyOf(labels);
      const known = groups.get(key);
      if (known !== undefined) return known;
      groups.set(key, groups.size);
      return groups.size - 1;
    };
    this.#leftGroup = Int32Array.from(left, groupOf);
    this.#rightGroup = Int32Array.from(right, groupOf);
    this.#groupCount = groups.size;
    return operator === 'or' ? [...left, ...right] : left;
  }

  async next(): Promise<Batch | null> {
    const left = await this.#left.next();
    const right = await this.#right.next();
    if (left === null || right === null) return null;
    const { stepCount } = left;
    const isUnion = this.#node.operator === 'or';
    const count = this.#leftGroup.length + (isUnion ? this.#rightGroup.length : 0);
    this.#batch ??= new Batch(count, stepCount);
    const output = this.#batch;
    output.clear(stepCount);
    if (isUnion) {
      this.#mark(left, this.#leftGroup);
      this.#copy(left, this.#leftGroup, output, 0, null);
      this.#copy(right, this.#rightGroup, output, this.#leftGroup.length * stepCount, 0);
    } else {
      this.#mark(right, this.#rightGroup);
      const wanted = this.#node.operator === 'and' ? 1 : 0;
      this.#copy(left, this.#leftGroup, output, 0, wanted);
    }
    return output;
  }

  /** Notes for each group and step whether a side has a sample. */
  #mark(side: Batch, groups: Int32Array): void {
    const { stepCount, kinds } = side;
    const size = this.#groupCount * stepCount;
    if (this.#marks.length < size) this.#marks = new Uint8Array(size);
    else this.#marks.fill(0, 0, size);
    for (let s = 0, cell = 0; s < groups.length; s++) {
      const base = groups[s]! * stepCount;
      for (let i = 0; i < stepCount; i++, cell++) if (kinds[cell] !== 0) this.#marks[base + i] = 1;
    }
  }

  /** Copies samples whose group's mark is `wanted`; null copies all. */
  #copy(
    side: Batch,
    groups: Int32Array,
    output: Batch,
    outputBase: number,
    wanted: number | null,
  ): void {
    const { stepCount, kinds } = side;
    for (let s = 0, cell = 0; s < groups.length; s++) {
      const base = groups[s]! * stepCount;
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] === 0) continue;
        if (wanted === null || this.#marks[base + i] === wanted)
          output.copyCell(outputBase + cell, side, cell);
      }
    }
  }
}
