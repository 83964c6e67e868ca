import { scalarResult } from '../../functions/binary-scalar.ts';
import type { BinaryOperator } from '../../parser/ast.ts';
import { Batch, type SeriesInfo } from '../batch.ts';
import type { Operator } from '../operator.ts';
import { SCALAR_SERIES } from '../scalar-operators.ts';

/** An operator between two scalars. */
export class ScalarBinary implements Operator {
  readonly #operator: BinaryOperator;
  readonly #left: Operator;
  readonly #right: Operator;
  #batch: Batch | null = null;

  constructor(operator: BinaryOperator, left: Operator, right: Operator) {
    this.#operator = operator;
    this.#left = left;
    this.#right = right;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    await this.#left.series();
    await this.#right.series();
    return SCALAR_SERIES;
  }

  async next(): Promise<Batch | null> {
    const left = await this.#left.next();
    const right = await this.#right.next();
    if (left === null || right === null) return null;
    this.#batch ??= new Batch(1, left.stepCount);
    this.#batch.clear(left.stepCount);
    for (let i = 0; i < left.stepCount; i++)
      this.#batch.setFloat(i, scalarResult(this.#operator, left.values[i]!, right.values[i]!));
    return this.#batch;
  }
}
