import type { FloatHistogram, Labels } from '@pollux/model';
import { histogramPoints } from '../histogram/size.ts';

/** What a cell of a batch holds. */
export const ABSENT = 0;
export const FLOAT = 1;
export const HISTOGRAM = 2;

/**
 * The values of all series of an operator over a run of steps, series-major: cell (s, i) lies at `s * stepCount + i`.
 * `kinds` says what a cell holds. The arrays belong to the operator that made them and are overwritten by its next call.
 */
export class Batch {
  readonly seriesCount: number;
  stepCount: number;
  values: Float64Array;
  kinds: Uint8Array;
  /** Null while no cell is a histogram. */
  histograms: (FloatHistogram | null)[] | null = null;

  constructor(seriesCount: number, maxSteps: number) {
    this.seriesCount = seriesCount;
    this.stepCount = maxSteps;
    this.values = new Float64Array(seriesCount * maxSteps);
    this.kinds = new Uint8Array(seriesCount * maxSteps);
  }

  /** Empties all cells for a run of `stepCount` steps, at most what the batch was made for. */
  clear(stepCount: number): void {
    this.stepCount = stepCount;
    this.kinds.fill(ABSENT, 0, this.seriesCount * stepCount);
    this.histograms = null;
  }

  setFloat(cell: number, value: number): void {
    this.values[cell] = value;
    this.kinds[cell] = FLOAT;
  }

  setHistogram(cell: number, histogram: FloatHistogram): void {
    this.histograms ??= new Array<FloatHistogram | null>(this.seriesCount * this.stepCount).fill(
      null,
    );
    this.histograms[cell] = histogram;
    this.kinds[cell] = HISTOGRAM;
  }

  histogramAt(cell: number): FloatHistogram {
    return this.histograms![cell]!;
  }

  /** Copies a cell whatever it holds. */
  copyCell(cell: number, from: Batch, fromCell: number): void {
    const kind = from.kinds[fromCell]!;
    if (kind === FLOAT) this.setFloat(cell, from.values[fromCell]!);
    else if (kind === HISTOGRAM) this.setHistogram(cell, from.histogramAt(fromCell));
  }
}

/** An output series. `dropName` marks a name that goes at the end of the query (delayed name removal). */
export type SeriesInfo = { readonly labels: Labels; readonly dropName: boolean };

/** What the cells of the first `seriesCount` series count for under the limit of samples: a histogram for its size. */
export function pointsIn(batch: Batch, seriesCount: number): number {
  return pointsOfCells(batch, 0, seriesCount * batch.stepCount);
}

/** As {@link pointsIn}, of one series. */
export function pointsOfRow(batch: Batch, s: number): number {
  return pointsOfCells(batch, s * batch.stepCount, (s + 1) * batch.stepCount);
}

function pointsOfCells({ kinds, histograms }: Batch, from: number, to: number): number {
  let points = 0;
  if (histograms === null) {
    // Absent cells are 0, floats 1.
    let cell = from;
    for (; cell + 8 <= to; cell += 8)
      points +=
        kinds[cell]! +
        kinds[cell + 1]! +
        kinds[cell + 2]! +
        kinds[cell + 3]! +
        kinds[cell + 4]! +
        kinds[cell + 5]! +
        kinds[cell + 6]! +
        kinds[cell + 7]!;
    for (; cell < to; cell++) points += kinds[cell]!;
    return points;
  }
  for (let cell = from; cell < to; cell++) {
    if (kinds[cell] === FLOAT) points++;
    else if (kinds[cell] === HISTOGRAM) points += histogramPoints(histograms[cell]!);
  }
  return points;
}
