import type { FloatHistogram, Labels } from '@pollux/model';
import type { MatrixSeries, RangeMatrix } from '../result.ts';

/** Labels and the object around, roughly; samples are counted as they are. */
const SERIES_BYTES = 400;

export function matrixBytes(matrix: RangeMatrix): number {
  return matrix.series.reduce(
    (sum, { timestampsMs, values }) =>
      sum + SERIES_BYTES + timestampsMs.byteLength + values.byteLength,
    0,
  );
}

export function pointsOf(matrix: RangeMatrix): number {
  return matrix.series.reduce((sum, { count }) => sum + count, 0);
}

/** The samples of [startMs, endMs]; series without one are left out. Shares memory with the whole. */
export function slicedMatrix(matrix: RangeMatrix, startMs: number, endMs: number): RangeMatrix {
  const series: MatrixSeries[] = [];
  for (const { labels, count, timestampsMs, values } of matrix.series) {
    const lo = firstAtLeast(timestampsMs, count, startMs);
    const hi = firstAtLeast(timestampsMs, count, endMs + 1);
    if (lo === hi) continue;
    series.push({
      labels,
      count: hi - lo,
      timestampsMs: timestampsMs.subarray(lo, hi),
      values: values.subarray(lo, hi),
      histograms: null,
    });
  }
  return { kind: 'matrix', series };
}

/** Matrices over times that follow one another, as one, sorted by labels; in memory of its own, bits as they are. */
export function joinedMatrix(parts: readonly RangeMatrix[]): RangeMatrix {
  const runs = new Map<string, { readonly labels: Labels; readonly pieces: MatrixSeries[] }>();
  for (const { series } of parts) {
    for (const piece of series) {
      const key = piece.labels.key();
      const run = runs.get(key);
      if (run === undefined) runs.set(key, { labels: piece.labels, pieces: [piece] });
      else run.pieces.push(piece);
    }
  }
  const series = [...runs.values()].map(({ labels, pieces }) => joinedSeries(labels, pieces));
  series.sort((a, b) => a.labels.compare(b.labels));
  return { kind: 'matrix', series };
}

function joinedSeries(labels: Labels, pieces: readonly MatrixSeries[]): MatrixSeries {
  const count = pieces.reduce((sum, piece) => sum + piece.count, 0);
  const timestampsMs = new Float64Array(count);
  const values = new Float64Array(count);
  let at = 0;
  for (const piece of pieces) {
    timestampsMs.set(piece.timestampsMs.subarray(0, piece.count), at);
    // Between arrays of one type `set` copies bytes, so NaN payloads stay.
    values.set(piece.values.subarray(0, piece.count), at);
    at += piece.count;
  }
  return { labels, count, timestampsMs, values, histograms: joinedHistograms(pieces, count) };
}

function joinedHistograms(
  pieces: readonly MatrixSeries[],
  count: number,
): MatrixSeries['histograms'] {
  if (pieces.every(({ histograms }) => histograms === null)) return null;
  const joined = new Array<FloatHistogram | null>(count).fill(null);
  let at = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.count; i++) joined[at + i] = piece.histograms?.[i] ?? null;
    at += piece.count;
  }
  return joined;
}

function firstAtLeast(timestampsMs: Float64Array, count: number, limitMs: number): number {
  let lo = 0;
  let hi = count;
  while (lo < hi) {
    const middle = (lo + hi) >>> 1;
    if (timestampsMs[middle]! < limitMs) lo = middle + 1;
    else hi = middle;
  }
  return lo;
}
