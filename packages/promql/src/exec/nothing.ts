import { Batch, type SeriesInfo } from './batch.ts';
import type { Operator } from './operator.ts';

/** Evaluates a child for its errors and remarks only; there is no result. */
export class Nothing implements Operator {
  readonly #child: Operator;
  readonly #batch = new Batch(0, 0);

  constructor(child: Operator) {
    this.#child = child;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    await this.#child.series();
    return [];
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    if (input === null) return null;
    this.#batch.clear(input.stepCount);
    return this.#batch;
  }
}
