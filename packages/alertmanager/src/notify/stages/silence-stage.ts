import type { Tracing } from '@pollux/telemetry';
import type { Alert } from '../../alert/alert.ts';
import type { Withheld } from '../../events/notify-event.ts';
import type { NotifyEvents } from '../../events/notify-events.ts';
import type { SilenceStore } from '../../silence/silence-store.ts';
import type { Stage } from '../batch.ts';
import type { NotifyMetrics } from '../metrics.ts';
import { tracedLook } from '../traced.ts';

/** Drops alerts that a silence applies to. */
export function silenceStage(
  silences: SilenceStore,
  metrics: NotifyMetrics,
  events: NotifyEvents,
  tracing: Tracing,
): Stage {
  const silencedBy = (alert: Alert) => silences.silencedBy(alert.identity);
  const lookTraced = (alert: Alert) =>
    tracedLook(
      tracing,
      { name: 'silence.Silencer.Mutes', alert },
      () => silencedBy(alert),
      (by) => (by.length > 0 ? 'Silencer mutes alert' : 'Silencer does not mute alert'),
    );
  return async (batch) => {
    const { flush } = batch;
    const alerts: Alert[] = [];
    const withheld: Withheld[] = [];
    const look = tracing.isWithin ? lookTraced : silencedBy;
    for (const alert of batch.alerts) {
      const by = look(alert);
      if (by.length === 0) alerts.push(alert);
      else withheld.push({ alert, by });
    }
    metrics.suppressed.with('silence').inc(withheld.length);
    if (withheld.length > 0 && events.isHeard) {
      events.tell({ kind: 'withheld', flush, reason: 'silence', withheld });
    }
    return { ...batch, alerts };
  };
}
