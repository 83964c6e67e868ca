import type { SwimConfig } from './config.ts';

/** A suspected member's clock: the more members confirm, the sooner it is declared dead. */
export type Suspicion = {
  readonly startMs: number;
  /** Confirmations that bring the time-out down to `minMs`; 0 starts there. */
  readonly wanted: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Who suspects; the first accuser does not count as a confirmation. */
  readonly accusers: Set<string>;
};

/** A suspicion in a cluster of `memberCount` known members. */
export function suspect(
  config: SwimConfig,
  memberCount: number,
  accuser: string,
  nowMs: number,
): Suspicion {
  const confirmers = config.suspicionMult - 2;
  const wanted = memberCount - 2 < confirmers ? 0 : confirmers;
  const scale = Math.max(1, Math.log10(Math.max(1, memberCount)));
  const minMs = config.suspicionMult * scale * config.probeIntervalMs;
  const maxMs = config.suspicionMaxTimeoutMult * minMs;
  return { startMs: nowMs, wanted, minMs, maxMs, accusers: new Set([accuser]) };
}

/** Counts a further accuser; false when it adds nothing. */
export function confirm(suspicion: Suspicion, accuser: string): boolean {
  if (suspicion.accusers.size - 1 >= suspicion.wanted) return false;
  if (suspicion.accusers.has(accuser)) return false;
  suspicion.accusers.add(accuser);
  return true;
}

/** When the member is to be declared dead. */
export function suspicionEndMs(suspicion: Suspicion): number {
  return suspicion.startMs + timeoutMs(suspicion);
}

function timeoutMs({ wanted, minMs, maxMs, accusers }: Suspicion): number {
  if (wanted === 0) return minMs;
  const share = Math.log(accusers.size) / Math.log(wanted + 1);
  return Math.max(minMs, Math.floor(maxMs - share * (maxMs - minMs)));
}
