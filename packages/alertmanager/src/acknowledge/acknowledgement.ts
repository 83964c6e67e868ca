import { Matcher, PatternError } from '@pollux/model';
import type { SilenceMatcher } from '../silence/silence.ts';

/** Longest life, ms; who works on something for longer acknowledges anew. */
export const MAX_LIFE_MS = 30 * 24 * 3_600_000;
/** How long one that has ended is kept, ms, so that no member brings it back. */
export const KEPT_MS = 24 * 3_600_000;

/** Somebody's word that they know of firing alerts and work on them. One version; a change is a later one. */
export type Acknowledgement = {
  readonly id: string;
  /** All must match; none with a fingerprint or a group. */
  readonly matchers: readonly SilenceMatcher[];
  /** Just this alert; empty for no such bound. */
  readonly fingerprint: string;
  /** Just alerts of this group, as the notification log spells its key; empty for no such bound. */
  readonly groupKey: string;
  readonly owner: string;
  readonly note: string;
  readonly createdMs: number;
  /** Alerts that began later are not covered: nobody has seen them yet. */
  readonly coversStartsUntilMs: number;
  /** When it ends by itself; 0 for "when the alerts end". */
  readonly untilMs: number;
  /** When it was ended; 0 while it was not. */
  readonly endedMs: number;
  readonly updatedMs: number;
};

/** When it ends at the latest. */
export function endOf({ endedMs, untilMs, createdMs }: Acknowledgement): number {
  const lastMs = createdMs + MAX_LIFE_MS;
  const plannedMs = untilMs === 0 ? lastMs : Math.min(untilMs, lastMs);
  return endedMs === 0 ? plannedMs : Math.min(endedMs, plannedMs);
}

export function isLiveAt(acknowledgement: Acknowledgement, nowMs: number): boolean {
  return nowMs < endOf(acknowledgement);
}

/** Null when a pattern is no RE2: such a one, from another member, covers nothing. */
export function compileAcknowledgement({ matchers }: Acknowledgement): readonly Matcher[] | null {
  try {
    return matchers.map(({ name, operator, pattern }) => new Matcher(name, operator, pattern));
  } catch (error) {
    if (error instanceof PatternError) return null;
    throw error;
  }
}
