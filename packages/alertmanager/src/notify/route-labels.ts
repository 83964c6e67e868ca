import { Labels } from '@pollux/model';
import type { Route } from '../route/route.ts';
import { templateData } from '../template/data.ts';
import type { NotificationTemplates } from '../template/templates.ts';
import type { Notification } from './notification.ts';

/** The labels of a route, their templates filled in from a notification and from one another. Throws a TemplateError. */
export function routeLabels(
  route: Route,
  templates: NotificationTemplates,
  notification: Notification,
): Labels {
  const written = Object.entries(route.settings.labels);
  if (written.length === 0) return Labels.EMPTY;
  const data = templateData({ ...notification, routeLabels: Labels.from(written) });
  const labelOf = templates.routeLabels(data);
  return Labels.from(written.map(([name]) => [name, labelOf(name)] as const));
}
