import type { NotifyEvents } from '../../events/notify-events.ts';
import type { TimeIntervals } from '../../time-interval/time-intervals.ts';
import type { Batch, Stage } from '../batch.ts';
import type { NotifyMetrics } from '../metrics.ts';

/** Drops the whole batch unless one of the route's active intervals holds at the flush; none means always. */
export function activeTimeStage(
  intervals: TimeIntervals,
  metrics: NotifyMetrics,
  events: NotifyEvents,
): Stage {
  return async (batch) => {
    const names = batch.flush.route.settings.activeTimeIntervals;
    if (names.length === 0 || intervals.holding(names, batch.flush.nowMs).length > 0) return batch;
    metrics.suppressed.with('active_time_interval').inc(batch.alerts.length);
    tellAll(events, batch, 'active_time_interval', names);
    return null;
  };
}

/** Drops the whole batch while one of the route's mute intervals holds. */
export function muteTimeStage(
  intervals: TimeIntervals,
  metrics: NotifyMetrics,
  events: NotifyEvents,
): Stage {
  return async (batch) => {
    const names = batch.flush.route.settings.muteTimeIntervals;
    const holding = intervals.holding(names, batch.flush.nowMs);
    if (holding.length === 0) return batch;
    metrics.suppressed.with('mute_time_interval').inc(batch.alerts.length);
    tellAll(events, batch, 'mute_time_interval', holding);
    return null;
  };
}

function tellAll(
  events: NotifyEvents,
  { flush, alerts }: Batch,
  reason: 'active_time_interval' | 'mute_time_interval',
  by: readonly string[],
): void {
  if (!events.isHeard) return;
  events.tell({
    kind: 'withheld',
    flush,
    reason,
    withheld: alerts.map((alert) => ({ alert, by })),
  });
}
