import { OperatingError } from '@pollux/base';

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since 1970 of an RFC 3339 time. Throws OperatingError in Go's words. */
export function timeOf(text: string): number {
  const parsed = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(parsed)) return parsed;
  throw new OperatingError(
    'ROLES.AMTOOL',
    `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`,
  );
}
