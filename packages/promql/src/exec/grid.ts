/** The evaluation times of a (sub)query: `startMs + i * stepMs` for i in [0, count). */
export type StepGrid = {
  readonly startMs: number;
  /** At least 1; of no meaning when count is 1. */
  readonly stepMs: number;
  readonly count: number;
  /** One step that stands for all of a query: what it says of ranges of steps does not hold. */
  readonly isPinned?: boolean;
  /** Steps that operators over it hand over at a time, if not {@link BATCH_STEPS}. */
  readonly batchSteps?: number;
};

/** Steps that operators hand over at a time. */
export const BATCH_STEPS = 64;

/** Most steps of a batch over this grid. */
export function mostSteps({ count, batchSteps = BATCH_STEPS }: StepGrid): number {
  return Math.min(batchSteps, count);
}

export function lastStepMs(grid: StepGrid): number {
  return grid.startMs + (grid.count - 1) * grid.stepMs;
}

export function gridBetween(startMs: number, endMs: number, stepMs: number): StepGrid {
  const step = Math.max(1, stepMs);
  const count = endMs < startMs ? 0 : Math.floor((endMs - startMs) / step) + 1;
  return { startMs, stepMs: step, count };
}

/** Walks a grid in batches; every operator over one grid has its own and they move in step. */
export class BatchCursor {
  readonly grid: StepGrid;
  /** First step of the current batch. */
  first = 0;
  /** Steps in the current batch. */
  count = 0;

  constructor(grid: StepGrid) {
    this.grid = grid;
  }

  /** Moves to the next batch; false at the end. */
  advance(): boolean {
    this.first += this.count;
    this.count = Math.min(mostSteps(this.grid), this.grid.count - this.first);
    return this.count > 0;
  }

  /** Time of step `index` of the current batch. */
  timeMs(index: number): number {
    return this.grid.startMs + (this.first + index) * this.grid.stepMs;
  }
}
