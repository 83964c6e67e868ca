import { type Clock, Slices } from '@pollux/base';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { Inhibitor } from '../inhibit/inhibitor.ts';
import { groupKey, type Route, type RouteSettings } from '../route/route.ts';

/** What decides about notifications, of one configuration. */
export type Rules = { readonly route: Route; readonly inhibitor: Inhibitor };

/** One place that an alert goes to. */
export type Destination = {
  readonly receiver: string;
  readonly groupKey: string;
} & RouteTimes;

export type RouteTimes = {
  readonly groupWaitSeconds: number;
  readonly groupIntervalSeconds: number;
  readonly repeatIntervalSeconds: number;
  readonly muteTimeIntervals: readonly string[];
  readonly activeTimeIntervals: readonly string[];
};

export type AlertDifference = {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly changes: readonly ('receiver' | 'group' | 'times' | 'inhibition')[];
  readonly before: AlertFate;
  readonly after: AlertFate;
};

export type AlertFate = {
  readonly destinations: readonly Destination[];
  /** The fingerprint of an alert that inhibits it. */
  readonly inhibitedBy: string | null;
};

export type AlertDifferences = {
  /** Alerts that fire. */
  readonly alerts: number;
  readonly changed: number;
  /** The first of those changed. */
  readonly shown: readonly AlertDifference[];
};

/** Asks both configurations about every alert that fires. */
export async function compareAlerts(
  alerts: Iterable<Alert>,
  rules: { readonly before: Rules; readonly after: Rules },
  { clock, limit }: { readonly clock: Clock; readonly limit: number },
): Promise<AlertDifferences> {
  const slices = new Slices(clock);
  const nowMs = clock.now();
  const shown: AlertDifference[] = [];
  let count = 0;
  let changed = 0;
  for (const alert of [...alerts]) {
    if (slices.isOver) await slices.pause();
    if (isResolvedAt(alert, nowMs)) continue;
    count++;
    const before = fateOf(rules.before, alert, nowMs);
    const after = fateOf(rules.after, alert, nowMs);
    const changes = changesBetween(before, after);
    if (changes.length === 0) continue;
    changed++;
    if (shown.length >= limit) continue;
    const { fingerprint, labels } = alert.identity;
    shown.push({ fingerprint, labels: labels.toObject(), changes, before, after });
  }
  return { alerts: count, changed, shown };
}

function fateOf({ route, inhibitor }: Rules, { identity }: Alert, nowMs: number): AlertFate {
  return {
    destinations: route.match(identity).map((found) => ({
      receiver: found.settings.receiver,
      groupKey: groupKey(found, found.groupLabels(identity.labels)),
      ...timesOf(found.settings),
    })),
    inhibitedBy: inhibitor.inhibitedBy(identity, nowMs),
  };
}

export function timesOf(settings: RouteSettings): RouteTimes {
  return {
    groupWaitSeconds: settings.groupWaitMs / 1000,
    groupIntervalSeconds: settings.groupIntervalMs / 1000,
    repeatIntervalSeconds: settings.repeatIntervalMs / 1000,
    muteTimeIntervals: settings.muteTimeIntervals,
    activeTimeIntervals: settings.activeTimeIntervals,
  };
}

function changesBetween(before: AlertFate, after: AlertFate): AlertDifference['changes'] {
  const differs = (part: (place: Destination) => unknown): boolean =>
    JSON.stringify(before.destinations.map(part)) !== JSON.stringify(after.destinations.map(part));
  const changes: AlertDifference['changes'][number][] = [];
  if (differs(({ receiver }) => receiver)) changes.push('receiver');
  if (differs(({ groupKey: key }) => key)) changes.push('group');
  if (differs(({ receiver: _, groupKey: __, ...times }) => times)) changes.push('times');
  if ((before.inhibitedBy === null) !== (after.inhibitedBy === null)) changes.push('inhibition');
  return changes;
}
