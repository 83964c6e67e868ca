import { type Clock, Slices } from '@pollux/base';
import type { RouteSettings } from '../route/route.ts';
import { nextChange } from './next-change.ts';
import type { TimeIntervals } from './time-intervals.ts';

/** The time intervals that mute a route now: mute intervals that hold, or its active ones when none of them holds. */
export function mutedBy(
  { muteTimeIntervals, activeTimeIntervals }: RouteSettings,
  intervals: TimeIntervals,
  nowMs: number,
): string[] {
  const muted = intervals.holding(muteTimeIntervals, nowMs);
  const isActive =
    activeTimeIntervals.length === 0 || intervals.holding(activeTimeIntervals, nowMs).length > 0;
  return isActive ? muted : [...muted, ...activeTimeIntervals];
}

/** How far ahead a change is looked for. */
const HORIZON_MS = 8 * 24 * 3_600_000;

/** When the route's being muted or not changes next, to the minute; null when not within eight days. */
export async function nextChangeOf(
  settings: RouteSettings,
  intervals: TimeIntervals,
  clock: Clock,
): Promise<number | null> {
  if (settings.muteTimeIntervals.length + settings.activeTimeIntervals.length === 0) return null;
  const fromMs = clock.now();
  return nextChange(
    (timeMs) => mutedBy(settings, intervals, timeMs).length > 0,
    { fromMs, untilMs: fromMs + HORIZON_MS },
    new Slices(clock),
  );
}
