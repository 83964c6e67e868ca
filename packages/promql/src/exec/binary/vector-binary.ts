import { assert } from '@pollux/base';
import { QueryError } from '../../errors.ts';
import type { VectorMatching } from '../../parser/ast.ts';
import type { BinaryNode } from '../../plan/nodes.ts';
import { Batch, FLOAT, HISTOGRAM, type SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';
import type { StepGrid } from '../grid.ts';
import type { Operator } from '../operator.ts';
import {
  type FloatCode,
  floatCodeOf,
  floatResult,
  mixedResult,
  type Operand,
} from './element-operation.ts';
import { matchedLabels } from './match-key.ts';
import { buildMatchTable, type MatchTable } from './match-table.ts';
import { StepRemarks } from './step-remarks.ts';

/**
 * An arithmetic, comparison or trim operator between two vectors. As in Prometheus, fill_left stands for the many side also
 * with group_right, where that is the right one.
 */
export class VectorBinary implements Operator {
  readonly #node: BinaryNode;
  readonly #matching: VectorMatching;
  readonly #left: Operator;
  readonly #right: Operator;
  readonly #context: ExecContext;
  readonly #code: FloatCode;
  /** group_right: the right side is the many. */
  readonly #isSwapped: boolean;
  #many: readonly SeriesInfo[] = [];
  #one: readonly SeriesInfo[] = [];
  readonly #remarks = new StepRemarks();
  #table: MatchTable | null = null;
  #batch: Batch | null = null;
  /** Per group and step: 1 + the `one` series present. */
  #present = new Int32Array(0);
  /** Per group and step: whether a result was given. */
  #matched = new Uint8Array(0);

  constructor(
    node: BinaryNode,
    settings: {
      readonly left: Operator;
      readonly right: Operator;
      readonly grid: StepGrid;
      readonly context: ExecContext;
    },
  ) {
    assert(node.matching !== null, 'operators between vectors have a matching');
    this.#node = node;
    this.#matching = node.matching;
    this.#left = settings.left;
    this.#right = settings.right;
    this.#context = settings.context;
    this.#code = floatCodeOf(node.operator);
    this.#isSwapped = node.matching.cardinality === 'one-to-many';
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const left = await this.#left.series();
    const right = await this.#right.series();
    this.#many = this.#isSwapped ? right : left;
    this.#one = this.#isSwapped ? left : right;
    const sides = { many: this.#many, one: this.#one };
    this.#table = buildMatchTable(this.#node, this.#matching, sides, this.#context);
    return this.#table.output;
  }

  async next(): Promise<Batch | null> {
    await this.#context.checkpoint();
    const left = await this.#left.next();
    const right = await this.#right.next();
    if (left === null || right === null) return null;
    const many = this.#isSwapped ? right : left;
    const one = this.#isSwapped ? left : right;
    const table = this.#table!;
    const { stepCount } = many;
    this.#batch ??= new Batch(table.output.length, stepCount);
    this.#batch.clear(stepCount);
    const cells = table.groupCount * stepCount;
    if (this.#present.length < cells) {
      this.#present = new Int32Array(cells);
      this.#matched = new Uint8Array(cells);
    } else {
      this.#present.fill(0, 0, cells);
      this.#matched.fill(0, 0, cells);
    }
    this.#indexOne(one, table);
    this.#joinMany(many, one, table, this.#batch);
    const fill = this.#matching.fillLeft;
    if (fill !== null) this.#fillMany(one, table, this.#batch, fill);
    this.#remarks.flush(this.#context.annotations);
    return this.#batch;
  }

  #indexOne(one: Batch, table: MatchTable): void {
    const { stepCount, kinds } = one;
    for (let r = 0, cell = 0; r < table.oneGroup.length; r++) {
      const base = table.oneGroup[r]! * stepCount;
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] === 0) continue;
        const other = this.#present[base + i]!;
        if (other !== 0) throw this.#duplicate(other - 1, r);
        this.#present[base + i] = r + 1;
      }
    }
  }

  #joinMany(many: Batch, one: Batch, table: MatchTable, output: Batch): void {
    const { stepCount, kinds } = many;
    const fill = this.#matching.fillRight;
    const isFast =
      this.#code.kind === 'arithmetic' && many.histograms === null && one.histograms === null;
    const compute = this.#code.kind === 'arithmetic' ? this.#code.compute : null;
    for (let l = 0, cell = 0; l < table.manyGroup.length; l++) {
      const group = table.manyGroup[l]!;
      const base = group * stepCount;
      const pairBase = table.pairBase[l]!;
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] === 0) continue;
        const r = this.#present[base + i]! - 1;
        if (r < 0 && fill === null) continue;
        const rank = r < 0 ? table.groupSize[group]! : table.oneRank[r]!;
        const target = table.pairOutput[pairBase + rank]! * stepCount + i;
        if (isFast && compute !== null && r >= 0) {
          const a = many.values[cell]!;
          const b = one.values[r * stepCount + i]!;
          this.#claim(base + i, target, output);
          output.values[target] = this.#isSwapped ? compute(b, a) : compute(a, b);
          output.kinds[target] = FLOAT;
          continue;
        }
        const partner =
          r < 0 ? { value: fill!, histogram: null } : operandAt(one, r * stepCount + i);
        this.#remarks.step = i;
        this.#store(operandAt(many, cell), partner, { output, target, slot: base + i });
      }
    }
  }

  /** Gives samples of the one side that met nobody a filled-in partner. */
  #fillMany(one: Batch, table: MatchTable, output: Batch, fill: number): void {
    const { stepCount, kinds } = one;
    for (let r = 0, cell = 0; r < table.oneGroup.length; r++) {
      const base = table.oneGroup[r]! * stepCount;
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] === 0 || this.#present[base + i] === 0) continue;
        if (this.#hasMany(base + i)) continue;
        const target = table.fillOutput[r]! * stepCount + i;
        this.#remarks.step = i;
        this.#store({ value: fill, histogram: null }, operandAt(one, cell), {
          output,
          target,
          slot: base + i,
        });
      }
    }
  }

  #hasMany(slot: number): boolean {
    return (this.#matched[slot]! & 2) !== 0;
  }

  #store(
    many: Operand,
    one: Operand,
    place: { readonly output: Batch; readonly target: number; readonly slot: number },
  ): void {
    const { output, target, slot } = place;
    this.#matched[slot]! |= 2;
    const left = this.#isSwapped ? one : many;
    const right = this.#isSwapped ? many : one;
    const result =
      left.histogram === null && right.histogram === null
        ? floatResult(this.#node, this.#code, left.value, right.value, this.#remarks)
        : mixedResult(this.#node, left, right, this.#remarks);
    const isMixed = (left.histogram === null) !== (right.histogram === null);
    if (this.#node.bool) {
      if (isMixed || !this.#isBoolable(left, right)) return;
      this.#claim(slot, target, output);
      output.setFloat(target, result.keep ? 1 : 0);
      return;
    }
    // A second match of a one-to-one group is an error even when the filter lets neither pass.
    if (!result.keep) {
      if (this.#code.kind === 'comparison' && this.#isOneToOne) this.#claim(slot, target, output);
      return;
    }
    this.#claim(slot, target, output);
    if (result.histogram === null) output.setFloat(target, result.value);
    else output.setHistogram(target, result.histogram);
  }

  /** Histograms know only equality. */
  #isBoolable(left: Operand, right: Operand): boolean {
    if (left.histogram === null || right.histogram === null) return true;
    return this.#node.operator === '==' || this.#node.operator === '!=';
  }

  get #isOneToOne(): boolean {
    return this.#matching.cardinality === 'one-to-one';
  }

  /** Notes a result of a group at a step; a second one is an error. */
  #claim(slot: number, target: number, output: Batch): void {
    if (this.#isOneToOne) {
      if ((this.#matched[slot]! & 1) !== 0) {
        throw QueryError.execution(
          'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
        );
      }
    } else if (output.kinds[target] !== 0) {
      throw QueryError.execution(
        'multiple matches for labels: grouping labels must ensure unique matches',
      );
    }
    this.#matched[slot] = 3;
  }

  #duplicate(first: number, second: number): QueryError {
    const side = this.#isSwapped ? 'left' : 'right';
    const labels = this.#one[second]!.labels;
    const group = matchedLabels(this.#matching, labels);
    const pair = `${this.#one[first]!.labels.toString()}, ${labels.toString()}`;
    return QueryError.execution(
      `found duplicate series for the match group ${group.toString()} on the ${side} hand-side of the operation: [${pair}];many-to-many matching not allowed: matching labels must be unique on one side`,
    );
  }
}

function operandAt(batch: Batch, cell: number): Operand {
  return {
    value: batch.values[cell]!,
    histogram: batch.kinds[cell] === HISTOGRAM ? batch.histogramAt(cell) : null,
  };
}
