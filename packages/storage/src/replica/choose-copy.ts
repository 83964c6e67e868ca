import { defined } from '@pollux/base';
import { compareText, type FloatHistogram } from '@pollux/model';
import { afterSeam } from '../after-seam.ts';
import type { SeriesColumns } from '../queryable.ts';
import { fillHoles, holeLengthMs, type Piece } from './holes.ts';

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
 * 1. The base is the preferred copy if it has a sample. Else it is the first, as replicas sort, that covers: in whose holes
 *    no other has samples. So all series of a query come from the same replica while that one is whole, every store answers
 *    alike, and so does one that has given the others' copies up (`coveringCopy`). If none covers, it is the copy with most
 *    samples; of equals the one that begins first, then the one whose replica sorts first.
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
  const filled = copies.filter(({ count }) => count > 0);
  const [only = defined(copies[0], 'a copy of the series')] = filled;
  if (filled.length < 2) return only;
  const holeMs = holeLengthMs(filled);
  const preferred = filled.find(({ replica }) => replica === choice.preferredReplica);
  if (preferred === undefined) {
    const byName = [...filled].sort(compareReplicas);
    const covering = byName.find((copy) =>
      filled.every((other) => other === copy || !hasHoleFor(copy, other, holeMs, choice.guardMs)),
    );
    if (covering !== undefined) return covering;
  }
  const [base, ...others] = [...filled].sort(
    (a, b) => Number(b === preferred) - Number(a === preferred) || compareCopies(a, b),
  );
  let result = defined(base, 'a copy with samples');
  for (const copy of others) {
    const pieces = fillHoles(result, copy, { holeMs, endHoleMs: holeMs, guardMs: choice.guardMs });
    if (pieces !== null) result = join(result, pieces);
  }
  return result;
}

function hasHoleFor(
  base: SeriesColumns,
  copy: SeriesColumns,
  holeMs: number,
  guardMs: number,
): boolean {
  return fillHoles(base, copy, { holeMs, endHoleMs: holeMs, guardMs }) !== null;
}

function compareReplicas(a: SeriesColumns, b: SeriesColumns): number {
  return compareText(a.replica, b.replica);
}

function compareCopies(a: SeriesColumns, b: SeriesColumns): number {
  if (a.count !== b.count) return b.count - a.count;
  if (a.timestampsMs[0] !== b.timestampsMs[0]) return a.timestampsMs[0]! - b.timestampsMs[0]!;
  return compareReplicas(a, b);
}

/** Values move as 32-bit words: NaN payloads stay. */
function join(base: SeriesColumns, pieces: readonly Piece<SeriesColumns>[]): SeriesColumns {
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
