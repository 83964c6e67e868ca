import type { ByteWriter } from '@pollux/base';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { AlertBytes } from '../alert/alert-bytes.ts';
import { formatDateTime } from '../api/time.ts';
import type { DeliveryEvent, NotifyEvent } from '../events/notify-event.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import { spellMatcher } from '../silence/silence.ts';
import { toMs } from '../wire/timestamp.ts';
import { alertRecordOf, writeAlertRecord } from './alert-record.ts';
import type { History, Recordable } from './history.ts';
import type { AlertRecord, HistoryBody } from './record.ts';

const MAX_ALERTS = 100;

/** Writes down what the room tells. Flushes, verdicts and what was withheld are not kept: explanations ask for them anew. */
export function recordEvents(events: NotifyEvents, history: History, bytes: AlertBytes): void {
  events.subscribe((event) => record(event, history, bytes));
}

function record(event: NotifyEvent, history: History, bytes: AlertBytes): void {
  switch (event.kind) {
    case 'alert': {
      const { change, alert } = event;
      // Annotations often hold a value that is another at every evaluation: kept, they would push all else out.
      if (change === 'changed') return;
      const record = new AlertRecordable(change, alert, bytes);
      // A sender that falls silent ends all it has sent at once.
      if (change === 'timed out') history.addOneOfMany(record, alert.endsAtMs);
      else history.add(record);
      return;
    }
    case 'delivery':
      history.add({ kind: 'notification', body: () => notificationBody(event) });
      return;
    case 'silence': {
      const { change, silence, by, origin } = event;
      const body = (): HistoryBody => ({
        kind: 'silence',
        change,
        silenceId: silence.id,
        by,
        matchers: silence.matchers.map(spellMatcher),
        createdBy: silence.createdBy,
        comment: silence.comment,
        startsAt: formatDateTime(toMs(silence.startsAt)),
        endsAt: formatDateTime(toMs(silence.endsAt)),
        origin,
      });
      history.add({ kind: 'silence', body });
      return;
    }
    case 'reload': {
      const { error } = event;
      const result = error === '' ? 'succeeded' : 'failed';
      history.add({ kind: 'reload', body: () => ({ kind: 'reload', result, error }) });
      return;
    }
    case 'acknowledgement': {
      const { change, acknowledgement, origin } = event;
      const { id, owner, note, matchers, fingerprint, groupKey, untilMs } = acknowledgement;
      const body = (): HistoryBody => ({
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
      });
      history.add({ kind: 'acknowledgement', body });
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

/** Alerts come by the hundred thousand when much goes wrong; a class, since a closure for each would cost more. */
class AlertRecordable implements Recordable {
  readonly kind = 'alert';
  readonly #change: AlertRecord['change'];
  readonly #alert: Alert;
  readonly #bytes: AlertBytes;

  constructor(change: AlertRecord['change'], alert: Alert, bytes: AlertBytes) {
    this.#change = change;
    this.#alert = alert;
    this.#bytes = bytes;
  }

  body(): HistoryBody {
    const { fingerprint } = this.#alert.identity;
    return { kind: 'alert', ...alertRecordOf(this.#change, fingerprint, this.#alert) };
  }

  writeAlert(writer: ByteWriter): void {
    const alert = this.#alert;
    writeAlertRecord(writer, this.#change, alert.identity.fingerprint, this.#bytes.of(alert));
  }
}
