import { Batch, type SeriesInfo } from './batch.ts';
import { BATCH_STEPS, BatchCursor, type StepGrid } from './grid.ts';
import type { Operator } from './operator.ts';

/** Evaluates a child that is the same at every step once, and repeats it. */
export class StepInvariant implements Operator {
  readonly #child: Operator;
  readonly #steps: BatchCursor;
  readonly #size: number;
  #count = 0;
  #once: Batch | null = null;
  #batch: Batch | null = null;

  /** `child` must be built over a grid of one step. */
  constructor(child: Operator, grid: StepGrid) {
    this.#child = child;
    this.#steps = new BatchCursor(grid);
    this.#size = Math.min(BATCH_STEPS, grid.count);
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const series = await this.#child.series();
    this.#count = series.length;
    return series;
  }

  async next(): Promise<Batch | null> {
    this.#once ??= await this.#child.next();
    const steps = this.#steps;
    if (this.#once === null || !steps.advance()) return null;
    this.#batch ??= new Batch(this.#count, this.#size);
    const batch = this.#batch;
    batch.clear(steps.count);
    for (let s = 0; s < this.#count; s++) {
      for (let i = 0; i < steps.count; i++) batch.copyCell(s * steps.count + i, this.#once, s);
    }
    return batch;
  }
}
