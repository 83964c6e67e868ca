import type { Alert } from '../../alert/alert.ts';
import type { Withheld } from '../../events/notify-event.ts';
import type { NotifyEvents } from '../../events/notify-events.ts';
import type { Inhibitor } from '../../inhibit/inhibitor.ts';
import type { Stage } from '../batch.ts';
import type { NotifyMetrics } from '../metrics.ts';

/** Drops alerts that another alert inhibits. */
export function inhibitStage(
  inhibitor: Inhibitor,
  metrics: NotifyMetrics,
  events: NotifyEvents,
): Stage {
  return async (batch) => {
    const { flush } = batch;
    const alerts: Alert[] = [];
    const withheld: Withheld[] = [];
    for (const alert of batch.alerts) {
      const by = inhibitor.inhibitedBy(alert.identity, flush.nowMs);
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
