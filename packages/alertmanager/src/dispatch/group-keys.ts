import type { Alert } from '../alert/alert.ts';
import { groupKeySpellings, type Route } from '../route/route.ts';

/** The keys, in all spellings, of the groups that an alert is in by a routing tree. */
export function groupKeysOf(root: Route, { identity }: Alert): readonly string[] {
  return root
    .match(identity)
    .flatMap((route) => groupKeySpellings(route, route.groupLabels(identity.labels)));
}
