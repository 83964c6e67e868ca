import type { Clock } from '@pollux/base';
import { Slices } from '@pollux/base';
import type { RouteSettings } from '../route/route.ts';
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

const MINUTE_MS = 60_000;
const STEP_MINUTES = 15;
/** How far ahead a change is looked for. */
const HORIZON_MS = 8 * 24 * 3_600_000;

/**
 * When the route's being muted or not changes next, to the minute; null when not within eight days. Intervals shorter than
 * a quarter of an hour that lie inside one are seen only when they touch its end. Gives the thread away between steps.
 */
export async function nextChangeOf(
  settings: RouteSettings,
  intervals: TimeIntervals,
  clock: Clock,
): Promise<number | null> {
  if (settings.muteTimeIntervals.length + settings.activeTimeIntervals.length === 0) return null;
  const slices = new Slices(clock);
  const nowMs = clock.now();
  const isMuted = (timeMs: number): boolean => mutedBy(settings, intervals, timeMs).length > 0;
  const was = isMuted(nowMs);
  const firstMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  const stepMs = STEP_MINUTES * MINUTE_MS;
  // From the next full quarter of an hour on, steps fall on the bounds that people write.
  let knownMs = firstMs;
  let atMs = Math.ceil((firstMs + 1) / stepMs) * stepMs;
  for (; atMs <= nowMs + HORIZON_MS; atMs += stepMs) {
    if (slices.isOver) await slices.pause();
    if (isMuted(atMs) !== was) {
      for (let ms = knownMs + MINUTE_MS; ms < atMs; ms += MINUTE_MS)
        if (isMuted(ms) !== was) return ms;
      return atMs;
    }
    knownMs = atMs;
  }
  return null;
}
