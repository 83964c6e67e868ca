import type { Tracing } from '@pollux/telemetry';
import type { Alert } from '../../alert/alert.ts';
import type { Withheld } from '../../events/notify-event.ts';
import type { NotifyEvents } from '../../events/notify-events.ts';
import type { Inhibitor } from '../../inhibit/inhibitor.ts';
import type { Stage } from '../batch.ts';
import type { NotifyMetrics } from '../metrics.ts';
import { tracedLook } from '../traced.ts';

/** Drops alerts that another alert inhibits. */
export function inhibitStage(
  inhibitor: Inhibitor,
  metrics: NotifyMetrics,
  events: NotifyEvents,
  tracing: Tracing,
): Stage {
  return async (batch) => {
    const { flush } = batch;
    const inhibitedBy = (alert: Alert) => inhibitor.inhibitedBy(alert.identity, flush.nowMs);
    const lookTraced = (alert: Alert) =>
      tracedLook(
        tracing,
        { name: 'inhibit.Inhibitor.Mutes', alert },
        () => inhibitedBy(alert),
        (by) => (by === null ? 'alert not inhibited' : 'alert inhibited'),
      );
    const look = tracing.isWithin ? lookTraced : inhibitedBy;
    const alerts: Alert[] = [];
    const withheld: Withheld[] = [];
    for (const alert of batch.alerts) {
      const by = look(alert);
      if (by === null) alerts.push(alert);
      else withheld.push({ alert, by: [by] });
    }
    metrics.suppressed.with('inhibition').inc(withheld.length);
    if (withheld.length > 0 && events.isHeard) {
      events.tell({ kind: 'withheld', flush, reason: 'inhibition', withheld });
    }
    return { ...batch, alerts };
  };
}
