import type { HttpResponse } from '@pollux/base';
import { text } from '@pollux/http';

/** `starting` until the storage answers; `stopping` from the first sign of the end. */
export type Readiness = 'starting' | 'ready' | 'stopping';

/** Null when requests may pass, else the answer to give instead. */
export type Guard = () => HttpResponse | null;

export function readinessGuard(readiness: () => Readiness): Guard {
  return () => {
    const state = readiness();
    if (state === 'ready') return null;
    const refusal = text(503, 'Service Unavailable');
    const stopping = String(state === 'stopping');
    return { ...refusal, headers: { ...refusal.headers, 'x-prometheus-stopping': stopping } };
  };
}
