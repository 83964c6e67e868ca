import type { Value } from '@pollux/gotemplate';
import { templateData } from '../../../template/data.ts';
import { type Notification, type NotifiedAlert, withAlerts } from '../../notification.ts';
import type { DingtalkSettings } from './config.ts';

/** The service refuses larger bodies. */
export const MAX_BODY_BYTES = 20_000;

type Texts = { readonly title: string; readonly text: string; readonly more: number };

/**
 * The body for one notification. When it would be too large, alerts are left out from the end, resolved ones first, and
 * their number is told; if not even one fits, its text is cut.
 */
export function dingtalkMessage(
  config: DingtalkSettings,
  notification: Notification,
  expand: (text: string, data: Value) => string,
): string {
  const whole = templateData(notification);
  const title = expand(config.title, whole);
  const link = { title: expand(config.button_title, whole), url: expand(config.button_url, whole) };
  const alerts = firingFirst(notification.alerts);
  const bodyOf = (shown: number): string => {
    const data = templateData(withAlerts(notification, alerts.slice(0, shown)));
    const text = expand(config.text, data);
    return bodyFor(config, { title, text, more: alerts.length - shown }, link);
  };
  const all = bodyFor(config, { title, text: expand(config.text, whole), more: 0 }, link);
  if (fits(all)) return all;
  const shown = largestFitting(alerts.length - 1, (count) => fits(bodyOf(count)));
  if (shown > 0) return bodyOf(shown);
  const first = expand(config.text, templateData(withAlerts(notification, alerts.slice(0, 1))));
  return cutToFit(first, (text) =>
    bodyFor(config, { title: cutTitle(title), text, more: alerts.length - 1 }, link),
  );
}

function firingFirst(alerts: readonly NotifiedAlert[]): NotifiedAlert[] {
  return [
    ...alerts.filter(({ status }) => status === 'firing'),
    ...alerts.filter(({ status }) => status === 'resolved'),
  ];
}

function bodyFor(
  config: DingtalkSettings,
  { title, text, more }: Texts,
  link: { readonly title: string; readonly url: string },
): string {
  const whole = more > 0 ? `${text}\n\n… ${more} more` : text;
  switch (config.message_type) {
    case 'markdown':
      return JSON.stringify({
        msgtype: 'markdown',
        markdown: { title, text: whole + mentions(config) },
        at: at(config),
      });
    case 'text':
      return JSON.stringify({
        msgtype: 'text',
        text: { content: whole + mentions(config) },
        at: at(config),
      });
    case 'actionCard':
      return JSON.stringify({
        msgtype: 'actionCard',
        actionCard: {
          title,
          text: whole,
          singleTitle: link.title,
          singleURL: link.url,
          btnOrientation: '0',
        },
      });
  }
}

function at({ mention }: DingtalkSettings): Record<string, unknown> {
  return { atMobiles: mention.mobiles, atUserIds: mention.user_ids, isAtAll: mention.all };
}

/** A mention takes effect only when the text itself holds it. */
function mentions({ mention }: DingtalkSettings): string {
  const names = [...mention.mobiles, ...mention.user_ids].map((name) => `@${name}`);
  return names.length === 0 ? '' : `\n\n${names.join(' ')}`;
}

function fits(body: string): boolean {
  return Buffer.byteLength(body) <= MAX_BODY_BYTES;
}

/** The largest count in [0, limit] for which `test` holds, given that it holds up to some count and not above. */
function largestFitting(limit: number, test: (count: number) => boolean): number {
  let low = 0;
  let high = limit;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (test(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function cutTitle(title: string): string {
  const characters = [...title];
  return characters.length > 200 ? `${characters.slice(0, 199).join('')}…` : title;
}

function cutToFit(text: string, bodyOf: (text: string) => string): string {
  const whole = bodyOf(text);
  if (fits(whole)) return whole;
  const characters = [...text];
  const cut = (count: number): string => bodyOf(`${characters.slice(0, count).join('')}…`);
  return cut(largestFitting(characters.length, (count) => fits(cut(count))));
}
