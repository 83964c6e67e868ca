import type { TimeIntervals } from '../../time-interval/time-intervals.ts';
import type { Stage } from '../batch.ts';
import type { NotifyMetrics } from '../metrics.ts';

/** Drops the whole batch unless one of the route's active intervals holds at the flush; none means always. */
export function activeTimeStage(intervals: TimeIntervals, metrics: NotifyMetrics): Stage {
  return async (batch) => {
    const names = batch.flush.route.settings.activeTimeIntervals;
    if (names.length === 0 || intervals.holding(names, batch.flush.nowMs).length > 0) return batch;
    metrics.suppressed.with('active_time_interval').inc(batch.alerts.length);
    return null;
  };
}

/** Drops the whole batch while one of the route's mute intervals holds. */
export function muteTimeStage(intervals: TimeIntervals, metrics: NotifyMetrics): Stage {
  return async (batch) => {
    const names = batch.flush.route.settings.muteTimeIntervals;
    if (intervals.holding(names, batch.flush.nowMs).length === 0) return batch;
    metrics.suppressed.with('mute_time_interval').inc(batch.alerts.length);
    return null;
  };
}
