import type { HttpResponse } from '@pollux/base';
import { text } from '@pollux/http';

/**
 * `starting` until the storage answers anything; `replaying` while it answers for some times only and says so for the
 * others; `stopping` from the first sign of the end.
 */
export type Readiness = 'starting' | 'replaying' | 'ready' | 'stopping';

/** Null when requests may pass, else the answer to give instead. */
export type Guard = () => HttpResponse | null;

/** For whoever needs all of the server. */
export function readinessGuard(readiness: () => Readiness): Guard {
  return () => (readiness() === 'ready' ? null : refusal(readiness()));
}

/** For reads: what is not known yet is refused by the storage, with the reason. */
export function readGuard(readiness: () => Readiness): Guard {
  return () => (readiness() === 'replaying' ? null : readinessGuard(readiness)());
}

function refusal(state: Readiness): HttpResponse {
  const answer = text(503, 'Service Unavailable');
  const stopping = String(state === 'stopping');
  return { ...answer, headers: { ...answer.headers, 'x-prometheus-stopping': stopping } };
}
