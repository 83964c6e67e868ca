import { Labels as LabelSet, type Labels } from '@pollux/model';
import type { Alert } from '../alert/alert.ts';
import { isResolvedAt } from '../alert/alert.ts';

/** Why a notification is sent, in the words of Alertmanager's webhook message. */
export type NotificationReason =
  | 'first notification'
  | 'new alerts added'
  | 'all alerts resolved'
  | 'some alerts resolved'
  | 'repeat interval elapsed'
  | 'unknown'
  /** Then the reason why the receiver itself was to be notified. */
  | `fallback for "${string}": ${string}`;

/** Texts by name, in the order of their names. */
export type Texts = Iterable<readonly [string, string]> & {
  get(name: string): string | undefined;
};

/** Somebody's word that they work on an alert, as far as messages may tell of it. */
export type AcknowledgementNote = {
  readonly owner: string;
  readonly note: string;
  /** 0 for "until the alerts end". */
  readonly untilMs: number;
};

/** One alert as receivers and templates see it. */
export type NotifiedAlert = {
  readonly status: 'firing' | 'resolved';
  readonly labels: Labels;
  readonly annotations: Texts;
  readonly startsAtMs: number;
  /** 0 while firing. */
  readonly endsAtMs: number;
  readonly generatorUrl: string;
  readonly fingerprint: string;
  /** Who works on it, or, of one that has ended, who did when it ended. */
  readonly acknowledgedBy: readonly AcknowledgementNote[];
};

/** All that a receiver is given: the content of templates and of webhook messages. */
export type Notification = {
  /** Name of the receiver as a pattern that matches just it: `web\\.hook`. */
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
  readonly alerts: readonly NotifiedAlert[];
  readonly reason: NotificationReason;
  readonly groupLabels: Labels;
  readonly commonLabels: Labels;
  readonly commonAnnotations: Texts;
  readonly routeLabels: Labels;
  readonly externalUrl: string;
  readonly groupKey: string;
};

export type NotificationContext = {
  /** Name as in the configuration. */
  readonly receiver: string;
  readonly reason: NotificationReason;
  readonly groupLabels: Labels;
  readonly routeLabels: Labels;
  readonly externalUrl: string;
  readonly groupKey: string;
  /** Flush time: what has ended by then is resolved. */
  readonly nowMs: number;
  /** Nobody for all alerts if missing. */
  readonly acknowledgedBy?: (alert: Alert) => readonly AcknowledgementNote[];
};

export function notificationOf(
  alerts: readonly Alert[],
  context: NotificationContext,
): Notification {
  const { nowMs, receiver, acknowledgedBy = () => [], ...rest } = context;
  const shown = alerts.map((alert) => notifiedAlert(alert, nowMs, acknowledgedBy(alert)));
  return { ...rest, receiver: quotePattern(receiver), ...summaryOf(shown) };
}

/** The same notification of fewer alerts: what the alerts have in common is found anew. */
export function withAlerts(
  notification: Notification,
  alerts: readonly NotifiedAlert[],
): Notification {
  return { ...notification, ...summaryOf(alerts) };
}

function summaryOf(
  alerts: readonly NotifiedAlert[],
): Pick<Notification, 'status' | 'alerts' | 'commonLabels' | 'commonAnnotations'> {
  return {
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    alerts,
    commonLabels: LabelSet.from(shared(alerts.map(({ labels }) => labels))),
    commonAnnotations: shared(alerts.map(({ annotations }) => annotations)),
  };
}

/** Go's regexp.QuoteMeta: receivers get their name as a pattern, for links to the list of alerts. */
function quotePattern(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}

function notifiedAlert(
  alert: Alert,
  nowMs: number,
  acknowledgedBy: readonly AcknowledgementNote[],
): NotifiedAlert {
  return {
    status: isResolvedAt(alert, nowMs) ? 'resolved' : 'firing',
    labels: alert.identity.labels,
    annotations: alert.annotations,
    startsAtMs: alert.startsAtMs,
    endsAtMs: alert.endsAtMs,
    generatorUrl: alert.generatorUrl,
    fingerprint: alert.identity.fingerprint,
    acknowledgedBy,
  };
}

/** The pairs that all have. */
function shared(all: readonly Texts[]): ReadonlyMap<string, string> {
  const [first, ...rest] = all;
  const common = new Map(first);
  for (const texts of rest) {
    for (const [name, value] of common) if (texts.get(name) !== value) common.delete(name);
  }
  return common;
}
