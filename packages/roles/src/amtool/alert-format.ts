import { compareText, quoteText } from '@pollux/model';
import { inColumns } from '../command/columns.ts';
import { timeByLayout } from '../command/go-text.ts';

type LabelMap = Readonly<Record<string, string>>;

/** An alert as the API gives it. */
export type AlertJson = {
  readonly annotations: LabelMap;
  readonly endsAt: string;
  readonly fingerprint: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly startsAt: string;
  readonly status: {
    readonly inhibitedBy: readonly string[];
    readonly mutedBy?: readonly string[];
    readonly silencedBy: readonly string[];
    readonly state: string;
  };
  readonly updatedAt: string;
  readonly generatorURL?: string;
  readonly labels: LabelMap;
};

/** Members in the order of amtool's own encoder, so that texts can be compared. */
export function alertsJson(alerts: readonly AlertJson[]): unknown {
  return alerts.map((alert) => ({
    annotations: sorted(alert.annotations),
    endsAt: alert.endsAt,
    fingerprint: alert.fingerprint,
    receivers: alert.receivers,
    startsAt: alert.startsAt,
    status: sorted(alert.status),
    updatedAt: alert.updatedAt,
    ...(alert.generatorURL === undefined || alert.generatorURL === ''
      ? {}
      : { generatorURL: alert.generatorURL }),
    labels: sorted(alert.labels),
  }));
}

/** Oldest first. */
export function alertsTable(
  alerts: readonly AlertJson[],
  output: 'simple' | 'extended',
  dateFormat: string,
): string {
  const date = (text: string): string => timeByLayout(dateFormat, Date.parse(text));
  const ordered = [...alerts].sort((a, b) => Date.parse(a.startsAt) - Date.parse(b.startsAt));
  const lines =
    output === 'simple'
      ? ordered.map(({ labels, startsAt, annotations, status }) => [
          labels.alertname ?? '',
          date(startsAt),
          annotations.summary ?? '',
          status.state,
          '',
        ])
      : ordered.map(({ labels, annotations, startsAt, endsAt, generatorURL, status }) => [
          pairs(labels),
          pairs(annotations),
          date(startsAt),
          date(endsAt),
          generatorURL ?? '',
          status.state,
          '',
        ]);
  return inColumns([HEADERS[output], ...lines], { padding: 2 });
}

const HEADERS = {
  simple: ['Alertname', 'Starts At', 'Summary', 'State', ''],
  extended: ['Labels', 'Annotations', 'Starts At', 'Ends At', 'Generator URL', 'State', ''],
} as const;

function pairs(labels: LabelMap): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${quoteText(value)}`)
    .sort(compareText)
    .join(' ');
}

function sorted<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => compareText(a, b)));
}
