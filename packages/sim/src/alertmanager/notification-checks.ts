/** One message at the robot. */
export type Notification = {
  readonly atMs: number;
  readonly status: 'firing' | 'resolved';
  /** As `alertname/instance=status`. */
  readonly alerts: readonly string[];
};

/** What is wrong with the messages if each of `expected` must have come once, in this order, and nothing else. */
export function exactly(
  notifications: readonly Notification[],
  expected: readonly Omit<Notification, 'atMs'>[],
): string[] {
  const found = notifications.map(described);
  const wanted = expected.map(described);
  return found.join('\n') === wanted.join('\n')
    ? []
    : [`expected exactly [${wanted.join(', ')}], the robot got [${found.join(', ')}]`];
}

/** What is missing if every one of `alerts` must have been told of at least once while it fired. */
export function atLeastOnce(
  notifications: readonly Notification[],
  alerts: readonly string[],
): string[] {
  const told = new Set(notifications.flatMap((notification) => notification.alerts));
  return alerts.filter((alert) => !told.has(alert)).map((alert) => `nobody told of ${alert}`);
}

/** What is too much if nothing may have come after `sinceMs`. */
export function nothingSince(notifications: readonly Notification[], sinceMs: number): string[] {
  return notifications
    .filter(({ atMs }) => atMs > sinceMs)
    .map((late) => `${described(late)} came ${late.atMs - sinceMs} ms too late`);
}

function described({ status, alerts }: Omit<Notification, 'atMs'>): string {
  return `${status}(${[...alerts].sort().join(' ')})`;
}
