import type { Route, RouteSettings } from '../route/route.ts';
import { timesOf } from './compare-alerts.ts';

export type RouteDifference = {
  /** The matchers from the root on. */
  readonly route: string;
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
};

export type RouteDifferences = {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly RouteDifference[];
};

/** The nodes of two trees by their matchers; of several with the same ones the first is looked at. */
export function compareRoutes(before: Route, after: Route): RouteDifferences {
  const old = byKey(before);
  const wanted = byKey(after);
  const changed: RouteDifference[] = [];
  for (const [route, node] of wanted) {
    const known = old.get(route);
    if (known === undefined) continue;
    const was = fieldsOf(known);
    for (const [field, value] of Object.entries(fieldsOf(node))) {
      if (JSON.stringify(was[field]) === JSON.stringify(value)) continue;
      changed.push({ route, field, before: was[field], after: value });
    }
  }
  return {
    added: [...wanted.keys()].filter((key) => !old.has(key)),
    removed: [...old.keys()].filter((key) => !wanted.has(key)),
    changed,
  };
}

function byKey(root: Route): ReadonlyMap<string, Route> {
  const nodes = new Map<string, Route>();
  for (const node of root.walk()) if (!nodes.has(node.key)) nodes.set(node.key, node);
  return nodes;
}

function fieldsOf({ settings, continues }: Route): Readonly<Record<string, unknown>> {
  return {
    receiver: settings.receiver,
    groupBy: groupByOf(settings),
    continue: continues,
    ...timesOf(settings),
    labels: settings.labels,
  };
}

function groupByOf({ groupBy, groupByAll }: RouteSettings): readonly string[] {
  return groupByAll ? ['...'] : [...groupBy].sort();
}
