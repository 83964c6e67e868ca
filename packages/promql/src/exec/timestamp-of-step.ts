import { Batch, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import { BatchCursor, type StepGrid } from './grid.ts';
import type { Operator } from './operator.ts';
import { withoutName } from './range-source.ts';

/** timestamp() of anything computed: the time of the step, in seconds. */
export class TimestampOfStep implements Operator {
  readonly #child: Operator;
  readonly #context: ExecContext;
  readonly #steps: BatchCursor;
  #count = 0;
  #batch: Batch | null = null;

  constructor(child: Operator, grid: StepGrid, context: ExecContext) {
    this.#child = child;
    this.#context = context;
    this.#steps = new BatchCursor(grid);
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const series = await this.#child.series();
    this.#count = series.length;
    return series.map((info) => withoutName(info, this.#context));
  }

  async next(): Promise<Batch | null> {
    const input = await this.#child.next();
    if (input === null || !this.#steps.advance()) return null;
    const { stepCount, kinds } = input;
    this.#batch ??= new Batch(this.#count, stepCount);
    this.#batch.clear(stepCount);
    for (let s = 0, cell = 0; s < this.#count; s++) {
      for (let i = 0; i < stepCount; i++, cell++)
        if (kinds[cell] !== 0) this.#batch.setFloat(cell, this.#steps.timeMs(i) / 1000);
    }
    return this.#batch;
  }
}
