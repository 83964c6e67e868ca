/** Timers fire a little late; within this the sample carries the scheduled time, so that intervals compress well. */
const TOLERANCE_MS = 2;
const TOLERANCE_SHARE = 0.01;

/** Where in its interval a loop runs, in whole ms: `hash` spreads targets over the interval and replicas apart. */
export function gridPhase(hash: bigint, intervalMs: number): number {
  return Number(BigInt.asUintN(64, hash) % BigInt(intervalMs));
}

/** The first instant at or after `nowMs` that lies `phaseMs` behind a multiple of the interval since 1970. */
export function gridAfter(nowMs: number, intervalMs: number, phaseMs: number): number {
  return Math.ceil((nowMs - phaseMs) / intervalMs) * intervalMs + phaseMs;
}

/** The time samples get: the scheduled one when the scrape began within tolerance of it, else when it began. */
export function sampleTime(startMs: number, scheduledMs: number, intervalMs: number): number {
  const toleranceMs = Math.min(TOLERANCE_MS, intervalMs * TOLERANCE_SHARE);
  return Math.abs(startMs - scheduledMs) <= toleranceMs ? scheduledMs : startMs;
}
