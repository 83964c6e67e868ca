import type { ActiveQuery } from './query-life.ts';

/** A query that waits or runs, as `/api/v1/status/active_queries` shows it. */
export function activeQueryJson(active: ActiveQuery): unknown {
  const { id, query, phase, arrivedMs, ageMs, startMs, endMs, stepMs } = active;
  return {
    id,
    query,
    phase,
    startedAt: new Date(arrivedMs).toISOString(),
    age: ageMs / 1_000,
    start: startMs / 1_000,
    end: endMs / 1_000,
    step: stepMs / 1_000,
    steps: active.stepCount,
    samples: active.samples,
    origin: active.origin,
  };
}
