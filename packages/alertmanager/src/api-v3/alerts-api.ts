import type { HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import type { Alert } from '../alert/alert.ts';
import { listAlerts } from '../api/get-alerts.ts';
import { formatDateTime } from '../api/time.ts';
import { acknowledgementsOf } from '../explain/explain.ts';
import { groupKey } from '../route/route.ts';
import type { ApiV3 } from './api-v3-options.ts';

/** The alerts of /api/v2/alerts, by the same parameters, with who acknowledged them, their groups and next flushes. */
export function getAlertsV3(api: ApiV3, { query }: Exchange): Promise<HttpResponse> {
  return listAlerts(api, query, (alert) => ({
    acknowledgedBy: acknowledgementsOf(api, alert),
    groups: groupsOf(api, alert),
  }));
}

function groupsOf(api: ApiV3, { identity: { labels } }: Alert): object[] {
  const { route: root, dispatcher } = api.live();
  return root.match(labels).map((route) => {
    const group = dispatcher.groupOf(route, labels);
    return {
      receiver: route.settings.receiver,
      key: groupKey(route, route.groupLabels(labels)),
      nextFlush: group === undefined ? null : formatDateTime(group.nextFlush.atMs),
    };
  });
}
