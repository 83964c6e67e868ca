import { type Notification, type NotifiedAlert, withAlerts } from '../../notification.ts';

export type FittingOptions = {
  readonly notification: Notification;
  /** The text for a notification of fewer alerts. */
  readonly textOf: (shown: Notification) => string;
  readonly bodyOf: (text: string) => string;
  readonly fits: (body: string, text: string) => boolean;
};

/**
 * The body for one notification. When it would be too large, alerts are left out from the end, resolved ones first, and
 * their number is told; if not even one fits, its text is cut.
 */
export function fittingBody({ notification, textOf, bodyOf, fits }: FittingOptions): string {
  const alerts = firingFirst(notification.alerts);
  const textFor = (shown: number): string => {
    if (shown === alerts.length) return textOf(notification);
    const rest = `… ${alerts.length - shown} more`;
    return `${textOf(withAlerts(notification, alerts.slice(0, shown)))}\n\n${rest}`;
  };
  const isFitting = (text: string): boolean => fits(bodyOf(text), text);
  const whole = textFor(alerts.length);
  if (isFitting(whole)) return bodyOf(whole);
  const shown = largestFitting(alerts.length - 1, (count) => isFitting(textFor(count)));
  if (shown > 0) return bodyOf(textFor(shown));
  const characters = [...textOf(withAlerts(notification, alerts.slice(0, 1)))];
  const more = alerts.length > 1 ? `\n\n… ${alerts.length - 1} more` : '';
  const cut = (count: number): string => `${characters.slice(0, count).join('')}…${more}`;
  return bodyOf(cut(largestFitting(characters.length, (count) => isFitting(cut(count)))));
}

function firingFirst(alerts: readonly NotifiedAlert[]): NotifiedAlert[] {
  return [
    ...alerts.filter(({ status }) => status === 'firing'),
    ...alerts.filter(({ status }) => status === 'resolved'),
  ];
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
