/** Chunks hold distances between times, which must be below 2^53. */
const MAX_START_MS = 2 ** 51;

/** The start timestamp as chunks keep it: one that they cannot hold becomes 0, unknown. */
export function keptStartMs(startTimestampMs: number): number {
  return Math.abs(startTimestampMs) <= MAX_START_MS ? Math.trunc(startTimestampMs) : 0;
}
