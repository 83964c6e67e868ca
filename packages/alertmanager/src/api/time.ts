/** A date-time of the API as milliseconds, or null when it is none. Go's zero time counts as not given. */
export function parseDateTime(text: string): number | null {
  const match = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/.exec(
    text,
  );
  if (match === null) return null;
  const [, date, time, fraction = '', zone = 'Z'] = match;
  // Milliseconds are cut, not rounded, so that a time never moves into the future.
  const ms = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${zone.toUpperCase()}`);
  return Number.isNaN(ms) ? null : ms;
}

/** As the API prints times: UTC with three digits of a second. */
export function formatDateTime(ms: number): string {
  return new Date(ms).toISOString();
}
