import { Labels } from '@pollux/model';
import { Batch, FLOAT, type SeriesInfo } from './batch.ts';
import { BATCH_STEPS, BatchCursor, type StepGrid } from './grid.ts';
import type { Operator } from './operator.ts';

/** The one series of a scalar. */
export const SCALAR_SERIES: readonly SeriesInfo[] = [{ labels: Labels.EMPTY, dropName: false }];

/** A scalar that is a function of the step's time. */
export class ScalarOfTime implements Operator {
  readonly #steps: BatchCursor;
  readonly #compute: (timeMs: number) => number;
  readonly #batch: Batch;

  constructor(grid: StepGrid, compute: (timeMs: number) => number) {
    this.#steps = new BatchCursor(grid);
    this.#compute = compute;
    this.#batch = new Batch(1, Math.min(BATCH_STEPS, grid.count));
  }

  async series(): Promise<readonly SeriesInfo[]> {
    return SCALAR_SERIES;
  }

  async next(): Promise<Batch | null> {
    const steps = this.#steps;
    if (!steps.advance()) return null;
    this.#batch.clear(steps.count);
    for (let i = 0; i < steps.count; i++) this.#batch.setFloat(i, this.#compute(steps.timeMs(i)));
    return this.#batch;
  }
}

/** scalar(): the value of a vector of one float series, else NaN. */
export class ScalarOfVector implements Operator {
  readonly #child: Operator;
  #batch: Batch | null = null;
  #count = 0;

  constructor(child: Operator) {
    this.#child = child;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    this.#count = (await this.#child.series()).length;
    return SCALAR_SERIES;
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    if (input === null) return null;
    const { stepCount } = input;
    this.#batch ??= new Batch(1, stepCount);
    this.#batch.clear(stepCount);
    for (let i = 0; i < stepCount; i++) {
      let found = 0;
      let value = Number.NaN;
      for (let s = 0; s < this.#count; s++) {
        if (input.kinds[s * stepCount + i] !== FLOAT) continue;
        found++;
        value = input.values[s * stepCount + i]!;
      }
      this.#batch.setFloat(i, found === 1 ? value : Number.NaN);
    }
    return this.#batch;
  }
}

/** A function of two scalars: the binary operators, min_of and max_of. */
export class ScalarOfTwo implements Operator {
  readonly #left: Operator;
  readonly #right: Operator;
  readonly #compute: (left: number, right: number) => number;
  #batch: Batch | null = null;

  constructor(left: Operator, right: Operator, compute: (left: number, right: number) => number) {
    this.#left = left;
    this.#right = right;
    this.#compute = compute;
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
      this.#batch.setFloat(i, this.#compute(left.values[i]!, right.values[i]!));
    return this.#batch;
  }
}
