import type { Inhibitor } from '../../inhibit/inhibitor.ts';
import type { Stage } from '../batch.ts';
import type { NotifyMetrics } from '../metrics.ts';

/** Drops alerts that another alert inhibits. */
export function inhibitStage(inhibitor: Inhibitor, metrics: NotifyMetrics): Stage {
  return async (batch) => {
    const alerts = batch.alerts.filter(
      ({ identity }) => inhibitor.inhibitedBy(identity.labels, batch.flush.nowMs) === null,
    );
    metrics.suppressed.with('inhibition').inc(batch.alerts.length - alerts.length);
    return { ...batch, alerts };
  };
}
