/** An alert of `POST /api/v2/alerts`, as far as its life is concerned. */
type PostedAlert = { readonly endsAt?: unknown };

/** Null for what is no list of alerts. */
export function parseAlerts(body: Uint8Array): readonly PostedAlert[] | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch {
    // What is wrong with it an alertmanager says in its own words.
    return null;
  }
  const isList = Array.isArray(value) && value.every((one) => typeof one === 'object' && one);
  return isList ? (value as readonly PostedAlert[]) : null;
}

/**
 * Those that are still worth delivering at `nowMs`, and how many are not. An alert lives until its end; one without an end, and
 * the news that an alert had ended when it was posted, for `resolveTimeoutMs` from the posting: by then the alertmanagers
 * have ended it themselves.
 */
export function liveAlerts(
  body: Uint8Array,
  arrivedMs: number,
  at: { readonly nowMs: number; readonly resolveTimeoutMs: number },
): { readonly body: Uint8Array; readonly liveCount: number; readonly expiredCount: number } {
  const alerts = parseAlerts(body);
  if (alerts === null) return { body, liveCount: 1, expiredCount: 0 };
  const live = alerts.filter(({ endsAt }) => {
    const endMs = typeof endsAt === 'string' ? Date.parse(endsAt) : Number.NaN;
    const isAhead = endMs > arrivedMs;
    return at.nowMs < (isAhead ? endMs : arrivedMs + at.resolveTimeoutMs);
  });
  const expiredCount = alerts.length - live.length;
  if (expiredCount === 0) return { body, liveCount: live.length, expiredCount };
  const rest = new TextEncoder().encode(JSON.stringify(live));
  return { body: rest, liveCount: live.length, expiredCount };
}
