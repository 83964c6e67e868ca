/** Go's zero time.Time: year 1. */
export const ZERO_TIME_MS = -62_135_596_800_000;

/** Go's RFC3339Nano in UTC: no trailing zeros, year 1 for {@link ZERO_TIME_MS}. */
export function rfc3339Nano(ms: number): string {
  const [whole = '', fraction = ''] = new Date(ms).toISOString().slice(0, -1).split('.');
  const digits = fraction.replace(/0+$/, '');
  return digits === '' ? `${whole}Z` : `${whole}.${digits}Z`;
}
