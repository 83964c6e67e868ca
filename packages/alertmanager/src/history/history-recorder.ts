import { isResolvedAt } from '../alert/alert.ts';
import { formatDateTime } from '../api/time.ts';
import type { DeliveryEvent, NotifyEvent } from '../events/notify-event.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import { spellMatcher } from '../silence/silence.ts';
import { toMs } from '../wire/timestamp.ts';
import type { History } from './history.ts';
import type { HistoryBody } from './record.ts';

const MAX_ALERTS = 100;

/** Writes down what the room tells. Flushes, verdicts and what was withheld are not kept: explanations ask for them anew. */
export function recordEvents(events: NotifyEvents, history: History): void {
  events.subscribe((event) => record(event, history));
}

function record(event: NotifyEvent, history: History): void {
  switch (event.kind) {
    case 'alert': {
      const { change, alert } = event;
      // Annotations often hold a value that is another at every evaluation: kept, they would push all else out.
      if (change === 'changed') return;
      const body = (): HistoryBody => ({
        kind: 'alert',
        change,
        fingerprint: alert.identity.fingerprint,
        labels: alert.identity.labels.toObject(),
        annotations: Object.fromEntries(alert.annotations),
        startsAt: formatDateTime(alert.startsAtMs),
        endsAt: formatDateTime(alert.endsAtMs),
        generatorURL: alert.generatorUrl,
      });
      history.add('alert', body, change === 'timed out' ? alert.endsAtMs : undefined);
      return;
    }
    case 'delivery':
      history.add('notification', () => notificationBody(event));
      return;
    case 'silence': {
      const { change, silence, origin } = event;
      history.add('silence', () => ({
        kind: 'silence',
        change,
        silenceId: silence.id,
        matchers: silence.matchers.map(spellMatcher),
        createdBy: silence.createdBy,
        comment: silence.comment,
        startsAt: formatDateTime(toMs(silence.startsAt)),
        endsAt: formatDateTime(toMs(silence.endsAt)),
        origin,
      }));
      return;
    }
    case 'reload': {
      const { error } = event;
      const result = error === '' ? 'succeeded' : 'failed';
      history.add('reload', () => ({ kind: 'reload', result, error }));
      return;
    }
    case 'acknowledgement': {
      const { change, acknowledgement, origin } = event;
      const { id, owner, note, matchers, fingerprint, groupKey, untilMs } = acknowledgement;
      history.add('acknowledgement', () => ({
        kind: 'acknowledgement',
        change,
        acknowledgementId: id,
        owner,
        note,
        matchers: matchers.map(spellMatcher),
        fingerprint,
        groupKey,
        until: untilMs === 0 ? null : formatDateTime(untilMs),
        origin,
      }));
      return;
    }
    case 'acknowledged':
    case 'flush':
    case 'withheld':
    case 'verdict':
    case 'failed attempt':
      return;
  }
}

function notificationBody({ outcome, flush, alerts }: DeliveryEvent): HistoryBody {
  const { timeMs: _, ...fields } = outcome;
  return {
    kind: 'notification',
    ...fields,
    groupLabels: flush.groupLabels.toObject(),
    alerts: alerts.slice(0, MAX_ALERTS).map((alert) => ({
      fingerprint: alert.identity.fingerprint,
      status: isResolvedAt(alert, flush.nowMs) ? 'resolved' : 'firing',
      labels: alert.identity.labels.toObject(),
    })),
  };
}
