import { histogramPoints, histogramPointsOfStep } from '../histogram/size.ts';
import { type Batch, FLOAT, HISTOGRAM, pointsIn } from './batch.ts';
import type { StepGrid } from './grid.ts';
import type { WindowTally } from './window-tally.ts';

/** Grids of more steps, which only subqueries have, are not counted step by step. */
const MAX_COUNTED_STEPS = 1_000_000;

/** What a node of the plan gave, as the limit of samples counts it. */
export class NodeTally {
  readonly grid: StepGrid;
  /** All samples of its result; a histogram counts for its size. */
  points = 0;
  /** Per step, if asked for: the samples, a histogram as one. */
  readonly samplesAt: Float64Array | null;
  /** Per step: the same with histograms by their size. Null: none came so far. */
  #pointsAt: Float64Array | null = null;
  /** Of a function over windows. */
  windows: WindowTally | null = null;

  constructor(grid: StepGrid, isStepwise: boolean) {
    this.grid = grid;
    this.samplesAt =
      isStepwise && grid.count <= MAX_COUNTED_STEPS ? new Float64Array(grid.count) : null;
  }

  /** Per step; null unless the tally is stepwise. */
  get pointsAt(): Float64Array | null {
    return this.#pointsAt ?? this.samplesAt;
  }

  /** For a node that begins anew. */
  clear(): void {
    this.points = 0;
    this.samplesAt?.fill(0);
    this.#pointsAt = null;
  }

  /** The first `seriesCount` series of a batch whose first step is `first`. */
  add(batch: Batch, seriesCount: number, first: number): void {
    const { samplesAt } = this;
    if (samplesAt === null) {
      this.points += pointsIn(batch, seriesCount);
      return;
    }
    if (batch.histograms !== null || this.#pointsAt !== null) {
      this.#addHistograms(batch, seriesCount, first, samplesAt);
      return;
    }
    const { kinds, stepCount } = batch;
    let points = 0;
    for (let s = 0, cell = 0; s < seriesCount; s++) {
      for (let step = first; step < first + stepCount; step++, cell++) {
        // Absent cells are 0, floats 1.
        const present = kinds[cell]!;
        samplesAt[step]! += present;
        points += present;
      }
    }
    this.points += points;
  }

  #addHistograms(batch: Batch, seriesCount: number, first: number, samplesAt: Float64Array): void {
    this.#pointsAt ??= samplesAt.slice();
    const { kinds, stepCount } = batch;
    for (let s = 0, cell = 0; s < seriesCount; s++) {
      for (let step = first; step < first + stepCount; step++, cell++) {
        const kind = kinds[cell];
        if (kind !== FLOAT && kind !== HISTOGRAM) continue;
        samplesAt[step]!++;
        const histogram = kind === HISTOGRAM ? batch.histogramAt(cell) : null;
        this.#pointsAt[step]! += histogram === null ? 1 : histogramPointsOfStep(histogram);
        this.points += histogram === null ? 1 : histogramPoints(histogram);
      }
    }
  }
}
