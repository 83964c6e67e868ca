/** The first multiple of `rangeMs` after `timestampMs`. */
export function rangeEndMs(timestampMs: number, rangeMs: number): number {
  return Math.floor(timestampMs / rangeMs) * rangeMs + rangeMs;
}

/**
 * When a chunk that is 1 / `timesToFull` full should end, so that chunks of equal length fill the time up to `maxMs`.
 * Source: Prometheus' computeChunkEndTime.
 */
export function chunkEndMs(
  startMs: number,
  currentMs: number,
  maxMs: number,
  timesToFull: number,
): number {
  const chunks = (maxMs - startMs) / ((currentMs - startMs + 1) * timesToFull);
  if (chunks <= 1) return maxMs;
  return Math.trunc(startMs + (maxMs - startMs) / Math.floor(chunks));
}
