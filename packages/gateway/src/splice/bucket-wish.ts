import type { BucketWish } from '@pollux/remote';
import type { SampleNeed } from '@pollux/storage';
import type { Segment } from './segments.ts';

/** With more of them, there is little in a bucket. */
const MAX_EDGES = 32;

/**
 * Functions whose result over buckets is, bit for bit, that over the samples, and whether a bucket begins where a counter was reset: sums
 * would be added up in another order.
 */
const FUNCTIONS: ReadonlyMap<string, { readonly isCounter: boolean }> = new Map([
  ['count_over_time', { isCounter: false }],
  ['delta', { isCounter: false }],
  ['increase', { isCounter: true }],
  ['last_over_time', { isCounter: false }],
  ['present_over_time', { isCounter: false }],
  ['rate', { isCounter: true }],
]);

/** The edges of all windows and segments; null where samples are needed. `segments`: of all series that may come. */
export function bucketWishOf(
  need: SampleNeed | undefined,
  segments: readonly (readonly Segment[])[],
): BucketWish | null {
  if (need?.kind !== 'windows') return null;
  const known = FUNCTIONS.get(need.func);
  if (known === undefined) return null;
  const { firstEndMs, lastEndMs, stepMs, rangeMs } = need;
  const steps = lastEndMs === firstEndMs ? 1 : Math.floor((lastEndMs - firstEndMs) / stepMs) + 1;
  if (steps * 2 > MAX_EDGES) return null;
  const edges = new Set<number>();
  for (let i = 0; i < steps; i++) {
    const endMs = firstEndMs + i * stepMs;
    edges.add(endMs - rangeMs).add(endMs);
  }
  for (const { startMs, endMs } of segments.flat()) {
    edges.add(startMs - 1).add(endMs - 1);
    if (edges.size > MAX_EDGES) return null;
  }
  return { edgesMs: [...edges].sort((a, b) => a - b), isCounter: known.isCounter };
}
