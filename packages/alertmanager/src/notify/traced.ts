import type { SpanAttributes, Tracing } from '@pollux/telemetry';
import type { Alert } from '../alert/alert.ts';
import { DeliveryError } from '../errors.ts';
import type { Batch, Stage } from './batch.ts';
import type { Integration } from './integration.ts';

export type After = (before: Batch, after: Batch | null) => SpanAttributes;

/** A stage as a span under the original's name. What is known behind it is told by `after`. */
export function tracedStage(tracing: Tracing, name: string, stage: Stage, after?: After): Stage {
  return (batch) =>
    tracing.isOn
      ? tracing.within(
          () => ({
            name: `notify.${name}.Exec`,
            attributes: {
              'alerting.group.key': batch.flush.groupKey,
              'alerting.alerts.count': batch.alerts.length,
            },
          }),
          async (span) => {
            const next = await stage(batch);
            if (after !== undefined) span.set(after(batch, next));
            return next;
          },
        )
      : stage(batch);
}

/** A look at one alert as a span under the original's name, which tells as an event what came of it. */
export function tracedLook<T>(
  tracing: Tracing,
  { name, alert }: { readonly name: string; readonly alert: Alert },
  look: () => T,
  outcome: (found: T) => string,
): T {
  const attributes = { 'alerting.alert.fingerprint': alert.identity.fingerprint };
  return tracing.along(
    () => ({ name, attributes }),
    (span) => {
      const found = look();
      span.event(outcome(found));
      return found;
    },
  );
}

/** For a stage that keeps alerts back. */
export function keptBack(reason: string): After {
  return (before, after) => {
    const left = after?.alerts.length ?? 0;
    return {
      'alerting.alerts.muted.count': before.alerts.length - left,
      'alerting.alerts.filtered.count': left,
      ...(left === before.alerts.length ? {} : { 'alerting.suppressed.reason': reason }),
    };
  };
}

export const counted: After = (before) => ({
  'alerting.alerts.firing.count': before.firing.length,
  'alerting.alerts.resolved.count': before.resolved.length,
});

/** Each attempt as a span, of which the requests of the receiver are parts. */
export function tracedIntegration(tracing: Tracing, integration: Integration): Integration {
  const { receiver } = integration;
  return {
    ...integration,
    send: (notification, signal, memory) =>
      tracing.isOn
        ? tracing.within(
            () => ({
              name: 'notify.Integration.Notify',
              kind: 'client',
              attributes: {
                'alerting.notify.integration.name': receiver.integration,
                'alerting.notify.receiver.name': receiver.groupName,
                'alerting.alerts.count': notification.alerts.length,
              },
            }),
            async (span) => {
              try {
                await integration.send(notification, signal, memory);
              } catch (error) {
                const retry = error instanceof DeliveryError && error.retry;
                span.set({ 'alerting.notify.error.recoverable': retry });
                throw error;
              }
            },
          )
        : integration.send(notification, signal, memory),
  };
}
