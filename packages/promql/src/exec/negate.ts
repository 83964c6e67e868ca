import { scaleHistogram } from '../histogram/arithmetic.ts';
import { Batch, FLOAT, HISTOGRAM, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import type { Operator } from './operator.ts';
import { withoutName } from './range-source.ts';

/** Unary minus. */
export class Negate implements Operator {
  readonly #child: Operator;
  readonly #isScalar: boolean;
  readonly #context: ExecContext;
  #count = 0;
  #batch: Batch | null = null;

  constructor(child: Operator, isScalar: boolean, context: ExecContext) {
    this.#child = child;
    this.#isScalar = isScalar;
    this.#context = context;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const series = await this.#child.series();
    this.#count = series.length;
    return this.#isScalar ? series : series.map((info) => withoutName(info, this.#context));
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    if (input === null) return null;
    this.#batch ??= new Batch(this.#count, input.stepCount);
    const output = this.#batch;
    output.clear(input.stepCount);
    for (let cell = 0; cell < this.#count * input.stepCount; cell++) {
      if (input.kinds[cell] === FLOAT) output.setFloat(cell, -input.values[cell]!);
      else if (input.kinds[cell] === HISTOGRAM)
        output.setHistogram(cell, scaleHistogram(input.histogramAt(cell), -1));
    }
    return output;
  }
}
