import type { Clock } from '@pollux/base';
import type { Labels } from '@pollux/model';
import { formatDateTime } from '../api/time.ts';
import type { LiveConfig } from '../live-config.ts';
import { formatMatchers } from '../matcher/format.ts';
import { groupKey, type Route } from '../route/route.ts';
import { mutedBy, nextChangeOf } from '../time-interval/route-times.ts';

/** One node of the tree on the way from the root to the one that takes an alert. */
export type RouteStepView = {
  readonly matchers: string;
  readonly continue: boolean;
};

export type RouteView = {
  readonly path: readonly RouteStepView[];
  readonly receiver: string;
  readonly group: { readonly key: string; readonly labels: Readonly<Record<string, string>> };
  readonly groupWaitSeconds: number;
  readonly groupIntervalSeconds: number;
  readonly repeatIntervalSeconds: number;
  readonly times: {
    readonly isMuted: boolean;
    /** Names of mute intervals that hold, and of active ones when none of them holds. */
    readonly by: readonly string[];
    /** When that changes; null when nothing changes within eight days. */
    readonly until: string | null;
  };
};

/** Where alerts of these labels go and when it may speak: the routing tree and time intervals asked, no copy of them. */
export function explainRoutes(
  live: LiveConfig,
  labels: Labels,
  clock: Clock,
): Promise<readonly RouteView[]> {
  return Promise.all(
    live.route.match(labels).map((route) => explainRoute(live, route, labels, clock)),
  );
}

export async function explainRoute(
  live: LiveConfig,
  route: Route,
  labels: Labels,
  clock: Clock,
): Promise<RouteView> {
  const { settings } = route;
  const groupLabels = route.groupLabels(labels);
  const by = mutedBy(settings, live.timeIntervals, clock.now());
  const untilMs = await nextChangeOf(settings, live.timeIntervals, clock);
  return {
    path: stepsTo(route),
    receiver: settings.receiver,
    group: { key: groupKey(route, groupLabels), labels: groupLabels.toObject() },
    groupWaitSeconds: settings.groupWaitMs / 1000,
    groupIntervalSeconds: settings.groupIntervalMs / 1000,
    repeatIntervalSeconds: settings.repeatIntervalMs / 1000,
    times: {
      isMuted: by.length > 0,
      by,
      until: untilMs === null ? null : formatDateTime(untilMs),
    },
  };
}

function stepsTo(route: Route): RouteStepView[] {
  const step = { matchers: formatMatchers(route.matchers), continue: route.continues };
  return route.parent === null ? [step] : [...stepsTo(route.parent), step];
}
