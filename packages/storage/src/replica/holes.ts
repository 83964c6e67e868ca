/** Two scrapes in a row must be missing before another copy is looked at; one late scrape is no hole. */
const HOLE_INTERVALS = 2.5;
/** Distances between samples that are looked at to learn the interval. */
const MAX_DISTANCES = 101;

/** The times of one replica's copy of a series, ascending. Arrays may be longer than `count`. */
export type CopyTimes = { readonly count: number; readonly timestampsMs: Float64Array };

/** A run of one copy: elements [start, end). */
export type Piece<Copy extends CopyTimes> = {
  readonly from: Copy;
  readonly start: number;
  readonly end: number;
};

export type HoleRule = {
  /** A longer stretch without a sample is a hole. */
  readonly holeMs: number;
  /** The same before the first and behind the last sample, as far as the other copy reaches. */
  readonly endHoleMs: number;
  /** Kept free on both sides of a seam. */
  readonly guardMs: number;
};

/** From which length on a stretch without samples is a hole, told by the densest copy; infinite when none has two samples. */
export function holeLengthMs(copies: readonly CopyTimes[]): number {
  let densest = copies[0];
  for (const copy of copies) if (copy.count > (densest?.count ?? 0)) densest = copy;
  return densest === undefined
    ? Number.POSITIVE_INFINITY
    : HOLE_INTERVALS * medianDistance(densest);
}

function medianDistance({ timestampsMs, count }: CopyTimes): number {
  if (count < 2) return Number.POSITIVE_INFINITY;
  const step = Math.max(1, Math.floor((count - 1) / MAX_DISTANCES));
  const distances: number[] = [];
  for (let i = 1; i < count; i += step) distances.push(timestampsMs[i]! - timestampsMs[i - 1]!);
  distances.sort((a, b) => a - b);
  return distances[distances.length >> 1]!;
}

/** The base with the copy's samples in its holes; null when there are none to fill in. */
export function fillHoles<Copy extends CopyTimes>(
  base: Copy,
  copy: Copy,
  { holeMs, endHoleMs, guardMs }: HoleRule,
): Piece<Copy>[] | null {
  const pieces: Piece<Copy>[] = [];
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
    if (base.count > 0 && reachMs <= endHoleMs) continue;
    if (kept < i) pieces.push({ from: base, start: kept, end: i });
    pieces.push({ from: copy, start, end: at });
    kept = i;
  }
  if (pieces.length === 0) return null;
  if (kept < base.count) pieces.push({ from: base, start: kept, end: base.count });
  return pieces;
}
