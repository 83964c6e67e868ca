import type { BlockMeta } from '../format/meta.ts';

/** Blocks of a part of a head are never merged with others: the merged block would seem to hold the whole of its time. */
export const PARTIAL_HINTS = ['from-stale-series', 'from-selected-series'] as const;
/** A block's share of deleted series from which it is rewritten. Source: Prometheus' LeveledCompactor. */
const TOMBSTONE_SHARE = 0.05;
/** Three blocks of a range make the next; Prometheus has at most ten ranges. */
const RANGE_FACTOR = 3;
const MAX_RANGES = 10;

export type PlanOptions = {
  /** Ascending, the first that of a block cut from the head; {@link blockRanges}. */
  readonly rangesMs: readonly number[];
  /** False keeps blocks that end at `maxTime` from being merged to a block of `rangeMs`. Prometheus has no such rule. */
  readonly mayFill?: (rangeMs: number, maxTime: number) => boolean;
  /** False leaves the group as it is for now, and others come to their turn. Prometheus has no such rule. */
  readonly mayMerge?: (group: readonly BlockMeta[]) => boolean;
};

/** min, 3·min, 9·min … up to the largest duration; the first in any case. */
export function blockRanges(minMs: number, maxMs: number): number[] {
  const ranges = [minMs];
  while (ranges.length < MAX_RANGES && ranges.at(-1)! * RANGE_FACTOR <= maxMs) {
    ranges.push(ranges.at(-1)! * RANGE_FACTOR);
  }
  return ranges;
}

/**
 * The blocks that should be made one next, oldest first; empty when nothing is due. The rules are Prometheus' (its
 * `LeveledCompactor.plan`): overlapping blocks first; then, of all but the newest block, groups that fill an aligned
 * range or lie before the newest of them; then a large block with many deleted series. Unlike there, overlapping blocks of
 * which one has failed are left alone, since they would fail again.
 */
export function planCompaction(metas: readonly BlockMeta[], options: PlanOptions): BlockMeta[] {
  for (const group of classes(metas)) {
    const plan = planClass(group, options);
    if (plan.length > 0) return plan;
  }
  return [];
}

/** Whole blocks first, so that partial ones never hold them up. */
function classes(metas: readonly BlockMeta[]): BlockMeta[][] {
  const whole: BlockMeta[] = [];
  const partial = PARTIAL_HINTS.map((): BlockMeta[] => []);
  for (const meta of metas) {
    const kind = PARTIAL_HINTS.findIndex((hint) => meta.compaction.hints?.includes(hint));
    (partial[kind] ?? whole).push(meta);
  }
  return [whole, ...partial];
}

function planClass(metas: readonly BlockMeta[], options: PlanOptions): BlockMeta[] {
  const sorted = [...metas].sort((a, b) => a.minTime - b.minTime);
  const overlapping = selectOverlapping(sorted, options);
  if (overlapping.length > 0) return overlapping;
  // The newest block is left alone: for a block's duration new data can be copied away piece by piece.
  const older = sorted.slice(0, -1);
  const level = selectLevel(older, options);
  return level.length > 0 ? level : selectDeleted(older, options.rangesMs);
}

/** The first group of blocks that overlap each other, directly or in a chain. */
function selectOverlapping(sorted: readonly BlockMeta[], { mayMerge }: PlanOptions): BlockMeta[] {
  let group: BlockMeta[] = [];
  let maxTime = Number.NEGATIVE_INFINITY;
  const isDue = (): boolean => group.length > 1 && !hasFailed(group) && (mayMerge?.(group) ?? true);
  for (const meta of sorted) {
    if (meta.minTime >= maxTime) {
      if (isDue()) return group;
      group = [];
    }
    group.push(meta);
    maxTime = Math.max(maxTime, meta.maxTime);
  }
  return isDue() ? group : [];
}

function selectLevel(sorted: readonly BlockMeta[], options: PlanOptions): BlockMeta[] {
  const newest = sorted.at(-1);
  if (newest === undefined) return [];
  for (const rangeMs of options.rangesMs.slice(1)) {
    for (const group of splitByRange(sorted, rangeMs)) {
      const first = group[0]!;
      const { maxTime } = group.at(-1)!;
      if (group.length < 2 || hasFailed(group)) continue;
      if (maxTime - first.minTime !== rangeMs && maxTime > newest.minTime) continue;
      if (!(options.mayFill?.(rangeMs, maxTime) ?? true)) continue;
      if (options.mayMerge?.(group) ?? true) return group;
    }
  }
  return [];
}

/** Groups of blocks that lie in the same multiple of the range; blocks that cross one are in none. */
export function splitByRange(sorted: readonly BlockMeta[], rangeMs: number): BlockMeta[][] {
  const groups: BlockMeta[][] = [];
  let endMs = Number.NEGATIVE_INFINITY;
  for (const meta of sorted) {
    if (groups.length > 0 && meta.maxTime <= endMs) {
      groups.at(-1)!.push(meta);
      continue;
    }
    const end = Math.floor(meta.minTime / rangeMs) * rangeMs + rangeMs;
    if (meta.maxTime > end) {
      endMs = Number.NEGATIVE_INFINITY;
      continue;
    }
    endMs = end;
    groups.push([meta]);
  }
  return groups;
}

/** The newest block of more than a middling range with many deleted series, or with nothing else. */
function selectDeleted(sorted: readonly BlockMeta[], rangesMs: readonly number[]): BlockMeta[] {
  const largeMs = rangesMs[Math.floor(rangesMs.length / 2)]!;
  for (const meta of sorted.toReversed()) {
    const { numTombstones = 0, numSeries } = meta.stats;
    const isLarge = meta.maxTime - meta.minTime >= largeMs;
    if (!isLarge) return numTombstones > 0 && numTombstones >= numSeries ? unfailed(meta) : [];
    if (numTombstones / (numSeries + 1) > TOMBSTONE_SHARE && meta.compaction.failed !== true) {
      return [meta];
    }
  }
  return [];
}

function unfailed(meta: BlockMeta): BlockMeta[] {
  return meta.compaction.failed === true ? [] : [meta];
}

function hasFailed(metas: readonly BlockMeta[]): boolean {
  return metas.some(({ compaction }) => compaction.failed === true);
}
