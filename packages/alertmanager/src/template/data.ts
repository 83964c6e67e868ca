import {
  GoList,
  GoMap,
  type GoMapType,
  GoStruct,
  GoTime,
  type GoType,
  type Value,
  ZERO_TIME_NANOS,
} from '@pollux/gotemplate';
import { ALERT_NAME, compareText } from '@pollux/model';
import type { Notification, NotifiedAlert } from '../notify/notification.ts';
import { acknowledgementOf, commonAcknowledgement } from './acknowledged.ts';

/** What {@link dataValue} makes a value of; maps are pairs of names and values. */
export type DataParts = {
  readonly receiver: string;
  readonly status: string;
  readonly alerts: readonly AlertParts[];
  readonly reason: string;
  readonly groupLabels: Iterable<Pair>;
  readonly commonLabels: Iterable<Pair>;
  readonly commonAnnotations: Iterable<Pair>;
  /** Found by name among the common annotations, and not shown with them. */
  readonly hiddenCommonAnnotations?: Iterable<Pair>;
  readonly routeLabels: Iterable<Pair>;
  readonly externalUrl: string;
};

export type AlertParts = {
  readonly status: string;
  readonly labels: Iterable<Pair>;
  readonly annotations: Iterable<Pair>;
  /** Found by name among the annotations, and not shown with them. */
  readonly hiddenAnnotations?: Iterable<Pair>;
  readonly startsAt: GoTime;
  readonly endsAt: GoTime;
  readonly generatorUrl: string;
  readonly fingerprint: string;
};

/** The value that is dot in notification templates: upstream's `template.Data` with its methods. */
export function templateData(notification: Notification): Value {
  const alerts = notification.alerts.map(alertParts);
  const hiddenCommonAnnotations = commonAcknowledgement(notification.alerts);
  return dataValue({ ...notification, alerts, hiddenCommonAnnotations }, { isPointer: true });
}

function alertParts(alert: NotifiedAlert): AlertParts {
  const endsAt = alert.endsAtMs === 0 ? new GoTime(ZERO_TIME_NANOS) : GoTime.fromMs(alert.endsAtMs);
  const hiddenAnnotations = acknowledgementOf(alert);
  return { ...alert, startsAt: GoTime.fromMs(alert.startsAtMs), endsAt, hiddenAnnotations };
}

/** Upstream hands its data to notifications by pointer and to the preview of amtool by value; the types' names show it. */
export function dataValue(parts: DataParts, { isPointer }: { readonly isPointer: boolean }): Value {
  return new GoStruct(isPointer ? DATA_POINTER_TYPE : DATA_TYPE, {
    Receiver: parts.receiver,
    Status: parts.status,
    Alerts: alertList(parts.alerts.map(alertValue)),
    NotificationReason: parts.reason,
    GroupLabels: keyValues(parts.groupLabels),
    CommonLabels: keyValues(parts.commonLabels),
    CommonAnnotations: keyValues(parts.commonAnnotations, parts.hiddenCommonAnnotations),
    RouteLabels: keyValues(parts.routeLabels),
    ExternalURL: parts.externalUrl,
    // Not for templates, but printing the whole shows it, as upstream's does.
    routeLabelsRendered: false,
  });
}

const DATA_TYPE: GoType = {
  name: 'template.Data',
  jsonNames: {
    Receiver: 'receiver',
    Status: 'status',
    Alerts: 'alerts',
    NotificationReason: 'notification_reason',
    GroupLabels: 'groupLabels',
    CommonLabels: 'commonLabels',
    CommonAnnotations: 'commonAnnotations',
    RouteLabels: 'routeLabels',
    ExternalURL: 'externalURL',
  },
};
const DATA_POINTER_TYPE: GoType = { ...DATA_TYPE, name: '*template.Data' };
const ALERT_TYPE: GoType = {
  name: 'template.Alert',
  jsonNames: {
    Status: 'status',
    Labels: 'labels',
    Annotations: 'annotations',
    StartsAt: 'startsAt',
    EndsAt: 'endsAt',
    GeneratorURL: 'generatorURL',
    Fingerprint: 'fingerprint',
  },
};

function alertValue(alert: AlertParts): GoStruct {
  return new GoStruct(ALERT_TYPE, {
    Status: alert.status,
    Labels: keyValues(alert.labels),
    Annotations: keyValues(alert.annotations, alert.hiddenAnnotations),
    StartsAt: alert.startsAt,
    EndsAt: alert.endsAt,
    GeneratorURL: alert.generatorUrl,
    Fingerprint: alert.fingerprint,
  });
}

const ALERTS_TYPE: GoType = {
  name: 'template.Alerts',
  methods: {
    Firing: { params: [], call: (self) => withStatus(self, 'firing') },
    Resolved: { params: [], call: (self) => withStatus(self, 'resolved') },
  },
};

function alertList(items: readonly Value[]): GoList {
  return new GoList(ALERTS_TYPE, items);
}

/** What Firing and Resolved give has no methods of its own. */
const ALERT_LIST_TYPE: GoType = { name: '[]template.Alert' };

function withStatus(self: Value, status: string): GoList {
  const alerts = self instanceof GoList ? self.items : [];
  return new GoList(
    ALERT_LIST_TYPE,
    alerts.filter((item) => item instanceof GoStruct && item.fields.Status === status),
  );
}

type Pair = readonly [name: string, value: string];

const KV_TYPE: GoMapType = {
  name: 'template.KV',
  zero: '',
  methods: {
    SortedPairs: { params: [], call: (self) => pairList(sortedPairs(self)) },
    Remove: {
      params: ['[]string'],
      call: (self, [names]) => {
        const dropped = new Set(
          names instanceof GoList ? names.items : (names as readonly Value[]),
        );
        return keyValues(pairsOf(self).filter(([name]) => !dropped.has(name)));
      },
    },
    Names: { params: [], call: (self) => texts(sortedPairs(self).map(([name]) => name)) },
    Values: { params: [], call: (self) => texts(sortedPairs(self).map(([, value]) => value)) },
    String: { params: [], call: (self) => pairText(sortedPairs(self)) },
  },
};

/** A `template.KV`. */
export function keyValues(pairs: Iterable<Pair>, hidden: Iterable<Pair> = []): GoMap {
  return new GoMap(KV_TYPE, new Map(pairs), new Map(hidden));
}

function pairsOf(self: Value): Pair[] {
  if (!(self instanceof GoMap)) return [];
  return [...self.entries].map(([name, value]) => [String(name), String(value)] as const);
}

/** By name, alertname first. */
function sortedPairs(self: Value): Pair[] {
  const rank = (name: string): number => (name === ALERT_NAME ? 0 : 1);
  return pairsOf(self).sort(([a], [b]) => rank(a) - rank(b) || compareText(a, b));
}

const PAIR_TYPE: GoType = { name: 'template.Pair' };

const PAIRS_TYPE: GoType = {
  name: 'template.Pairs',
  methods: {
    Names: { params: [], call: (self) => texts(listed(self).map(([name]) => name)) },
    Values: { params: [], call: (self) => texts(listed(self).map(([, value]) => value)) },
    String: { params: [], call: (self) => pairText(listed(self)) },
  },
};

function pairList(pairs: readonly Pair[]): GoList {
  const items = pairs.map(([name, value]) => new GoStruct(PAIR_TYPE, { Name: name, Value: value }));
  return new GoList(PAIRS_TYPE, items);
}

function listed(self: Value): Pair[] {
  if (!(self instanceof GoList)) return [];
  return self.items.flatMap((item) =>
    item instanceof GoStruct
      ? [[String(item.fields.Name), String(item.fields.Value)] as const]
      : [],
  );
}

function pairText(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${name}=${value}`).join(', ');
}

const STRINGS_TYPE: GoType = {
  name: 'template.Strings',
  methods: {
    Join: {
      params: ['string'],
      call: (self, [separator]) =>
        self instanceof GoList ? self.items.map(String).join(String(separator)) : '',
    },
  },
};

/** Upstream's `Strings` is a `[]string` with a method; functions that take a `[]string` take it too. */
function texts(items: readonly string[]): GoList {
  return new GoList(STRINGS_TYPE, items);
}
