import type { SilenceStore } from '../../silence/silence-store.ts';
import type { Stage } from '../batch.ts';
import type { NotifyMetrics } from '../metrics.ts';

/** Drops alerts that a silence applies to. */
export function silenceStage(silences: SilenceStore, metrics: NotifyMetrics): Stage {
  return async (batch) => {
    const alerts = batch.alerts.filter(
      ({ identity }) => silences.silencedBy(identity.labels).length === 0,
    );
    metrics.suppressed.with('silence').inc(batch.alerts.length - alerts.length);
    return { ...batch, alerts };
  };
}
