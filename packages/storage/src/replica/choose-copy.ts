import { defined } from '@pollux/base';
import type { FloatHistogram } from '@pollux/model';
import { afterSeam } from '../after-seam.ts';
import type { SeriesColumns } from '../queryable.ts';

/** Two scrapes in a row must be missing before another copy is looked at; one late scrape is no hole. */
const HOLE_INTERVALS = 2.5;
/** Distances between samples that are looked at to learn the interval. */
const MAX_DISTANCES = 101;

export type CopyChoice = {
  /** From {@link splitReplica}; null when the reader does not care. */
  readonly preferredReplica: string | null;
  /**
   * Time kept free on both sides of a seam, ms: at least the difference of the replicas' clocks, so that a counter never
   * steps back where the copies meet.
   */
  readonly guardMs: number;
};

export const DEFAULT_COPY_CHOICE: CopyChoice = { preferredReplica: null, guardMs: 1_000 };

/**
 * Makes one series out of its replicas' copies (equal labels, each ascending in time).
 *
 *     preferred   ──x──x──x──────────────────────x──x──
 *     other       ────o──o──o──o──o──o──o──o──o──o──o──
 *     result      ──x──x──x────o──o──o──o──o─────x──x──
 *                         └ guard            └ guard
 *
 * 1. The base is the preferred copy if it has a sample, else the copy with most samples; of equals the one that begins
 *    first, then the one whose replica sorts first, so that every store answers alike.
 * 2. A hole is a stretch of the base, also before its first and behind its last sample, longer than 2.5 scrape intervals
 *    (the median distance of the densest copy).
 * 3. Each hole is filled with all samples of the next best copy that lie in it, guard kept; what is still a hole with
 *    those of the copy after it. Copies are never interleaved: between two samples of one copy in the base there are
 *    samples of another only if they stand in a hole.
 *
 * The result's `replica` is the base's, or empty when copies were joined.
 */
export function chooseCopy(
  copies: readonly SeriesColumns[],
  choice: CopyChoice = DEFAULT_COPY_CHOICE,
): SeriesColumns {
  const [best, ...others] = [...copies].sort(
    (a, b) => rankOf(b, choice) - rankOf(a, choice) || compareCopies(a, b),
  );
  const first = defined(best, 'a copy of the series');
  if (others.length === 0 || others.every(({ count }) => count === 0)) return first;
  let densest = first;
  for (const copy of others) if (copy.count > densest.count) densest = copy;
  const holeMs = HOLE_INTERVALS * medianDistance(densest);
  let result = first;
  for (const copy of others) result = fillHoles(result, copy, holeMs, choice.guardMs);
  return result;
}

function rankOf(copy: SeriesColumns, choice: CopyChoice): number {
  return copy.count > 0 && copy.replica === choice.preferredReplica ? 1 : 0;
}

function compareCopies(a: SeriesColumns, b: SeriesColumns): number {
  if (a.count !== b.count) return b.count - a.count;
  if (a.count > 0 && a.timestampsMs[0] !== b.timestampsMs[0]) {
    return a.timestampsMs[0]! - b.timestampsMs[0]!;
  }
  return a.replica < b.replica ? -1 : a.replica > b.replica ? 1 : 0;
}

/** Infinite when the copy has no two samples: nothing then counts as a hole inside it. */
function medianDistance({ timestampsMs, count }: SeriesColumns): number {
  if (count < 2) return Number.POSITIVE_INFINITY;
  const step = Math.max(1, Math.floor((count - 1) / MAX_DISTANCES));
  const distances: number[] = [];
  for (let i = 1; i < count; i += step) distances.push(timestampsMs[i]! - timestampsMs[i - 1]!);
  distances.sort((a, b) => a - b);
  return distances[distances.length >> 1]!;
}

/** A run of one column set: elements [start, end). */
type Piece = { readonly from: SeriesColumns; readonly start: number; readonly end: number };

function fillHoles(
  base: SeriesColumns,
  copy: SeriesColumns,
  holeMs: number,
  guardMs: number,
): SeriesColumns {
  const pieces: Piece[] = [];
  let kept = 0;
  let at = 0;
  for (let i = 0; i <= base.count; i++) {
    const afterMs = i === 0 ? Number.NEGATIVE_INFINITY : base.timestampsMs[i - 1]!;
    const beforeMs = i === base.count ? Number.POSITIVE_INFINITY : base.timestampsMs[i]!;
    if (beforeMs - afterMs <= holeMs) continue;
    while (at < copy.count && copy.timestampsMs[at]! <= afterMs + guardMs) at++;
    const start = at;
    while (at < copy.count && copy.timestampsMs[at]! < beforeMs - guardMs) at++;
    if (start === at) continue;
    // At the open ends the hole is as long as the other copy reaches, not endless.
    const reachMs =
      i === 0
        ? beforeMs - copy.timestampsMs[start]!
        : i === base.count
          ? copy.timestampsMs[at - 1]! - afterMs
          : Number.POSITIVE_INFINITY;
    if (base.count > 0 && reachMs <= holeMs) continue;
    if (kept < i) pieces.push({ from: base, start: kept, end: i });
    pieces.push({ from: copy, start, end: at });
    kept = i;
  }
  if (pieces.length === 0) return base;
  if (kept < base.count) pieces.push({ from: base, start: kept, end: base.count });
  return join(base, pieces);
}

/** Values move as 32-bit words: NaN payloads stay. */
function join(base: SeriesColumns, pieces: readonly Piece[]): SeriesColumns {
  let count = 0;
  for (const { start, end } of pieces) count += end - start;
  const timestampsMs = new Float64Array(count);
  const words = new Uint32Array(count * 2);
  const hasHistograms = pieces.some(({ from }) => from.histograms !== null);
  const hasStarts = pieces.some(({ from }) => from.startTimestampsMs !== null);
  const histograms: (FloatHistogram | null)[] = [];
  const starts = hasStarts ? new Float64Array(count) : null;
  let to = 0;
  for (const { from, start, end } of pieces) {
    timestampsMs.set(from.timestampsMs.subarray(start, end), to);
    const source = new Uint32Array(
      from.values.buffer,
      from.values.byteOffset,
      from.values.length * 2,
    );
    words.set(source.subarray(start * 2, end * 2), to * 2);
    if (hasHistograms) {
      for (let i = start; i < end; i++) {
        const histogram = from.histograms?.[i] ?? null;
        histograms.push(i === start && to > 0 ? afterSeam(histogram) : histogram);
      }
    }
    if (from.startTimestampsMs !== null) {
      starts?.set(from.startTimestampsMs.subarray(start, end), to);
    }
    to += end - start;
  }
  return {
    labels: base.labels,
    count,
    timestampsMs,
    values: new Float64Array(words.buffer),
    histograms: hasHistograms ? histograms : null,
    startTimestampsMs: starts,
    replica: '',
  };
}
