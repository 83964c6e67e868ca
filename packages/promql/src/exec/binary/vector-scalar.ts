import { isComparison } from '../../parser/ast.ts';
import type { BinaryNode } from '../../plan/nodes.ts';
import { Batch, FLOAT, HISTOGRAM, type SeriesInfo } from '../batch.ts';
import type { ExecContext } from '../context.ts';
import type { Operator } from '../operator.ts';
import { withoutName } from '../range-source.ts';
import {
  type ElementResult,
  type FloatCode,
  floatCodeOf,
  floatResult,
  mixedResult,
} from './element-operation.ts';

/** An operator between a vector and a scalar, either way round. */
export class VectorScalar implements Operator {
  readonly #node: BinaryNode;
  readonly #left: Operator;
  readonly #right: Operator;
  readonly #context: ExecContext;
  readonly #code: FloatCode;
  readonly #isScalarLeft: boolean;
  #count = 0;
  #batch: Batch | null = null;

  constructor(node: BinaryNode, left: Operator, right: Operator, context: ExecContext) {
    this.#node = node;
    this.#left = left;
    this.#right = right;
    this.#context = context;
    this.#code = floatCodeOf(node.operator);
    this.#isScalarLeft = node.leftType === 'scalar';
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const left = await this.#left.series();
    const right = await this.#right.series();
    const series = this.#isScalarLeft ? right : left;
    this.#count = series.length;
    const { operator, bool } = this.#node;
    const keepsName = operator === '</' || operator === '>/' || (isComparison(operator) && !bool);
    return keepsName ? series : series.map((info) => withoutName(info, this.#context));
  }

  async next(): Promise<Batch | null> {
    const left = await this.#left.next();
    const right = await this.#right.next();
    if (left === null || right === null) return null;
    const vector = this.#isScalarLeft ? right : left;
    const scalar = this.#isScalarLeft ? left : right;
    this.#batch ??= new Batch(this.#count, vector.stepCount);
    this.#batch.clear(vector.stepCount);
    if (this.#code.kind === 'arithmetic' && vector.histograms === null)
      this.#fillArithmetic(vector, scalar, this.#batch, this.#code.compute);
    else this.#fillGeneral(vector, scalar, this.#batch);
    return this.#batch;
  }

  #fillArithmetic(
    vector: Batch,
    scalar: Batch,
    output: Batch,
    compute: (left: number, right: number) => number,
  ): void {
    const { stepCount, values, kinds } = vector;
    const constants = scalar.values;
    const isScalarLeft = this.#isScalarLeft;
    for (let s = 0, cell = 0; s < this.#count; s++) {
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] !== FLOAT) continue;
        const constant = constants[i]!;
        output.values[cell] = isScalarLeft
          ? compute(constant, values[cell]!)
          : compute(values[cell]!, constant);
        output.kinds[cell] = FLOAT;
      }
    }
  }

  #fillGeneral(vector: Batch, scalar: Batch, output: Batch): void {
    const { stepCount, kinds } = vector;
    for (let s = 0, cell = 0; s < this.#count; s++) {
      for (let i = 0; i < stepCount; i++, cell++) {
        if (kinds[cell] === 0) continue;
        this.#store(output, cell, vector, this.#element(vector, cell, scalar.values[i]!));
      }
    }
  }

  #element(vector: Batch, cell: number, constant: number): ElementResult {
    const sample = {
      value: vector.values[cell]!,
      histogram: vector.kinds[cell] === HISTOGRAM ? vector.histogramAt(cell) : null,
    };
    const fixed = { value: constant, histogram: null };
    const left = this.#isScalarLeft ? fixed : sample;
    const right = this.#isScalarLeft ? sample : fixed;
    return sample.histogram === null
      ? floatResult(this.#node, this.#code, left.value, right.value, this.#context.annotations)
      : mixedResult(this.#node, left, right, this.#context.annotations);
  }

  #store(output: Batch, cell: number, vector: Batch, result: ElementResult): void {
    if (this.#code.kind === 'comparison') {
      const wasHistogram = vector.kinds[cell] === HISTOGRAM;
      // A histogram never compares to a float; with bool that is no false but no answer.
      if (this.#node.bool) {
        if (!wasHistogram) output.setFloat(cell, result.keep ? 1 : 0);
      } else if (result.keep) output.copyCell(cell, vector, cell);
      return;
    }
    if (!result.keep) return;
    if (result.histogram === null) output.setFloat(cell, result.value);
    else output.setHistogram(cell, result.histogram);
  }
}
