import { QUERY, QueryWorkers } from '@pollux/promql';
import type { RoleContext } from '../runtime/role.ts';

/** More would rather take memory than time: each has a heap and caches of its own. */
const MOST_BY_DEFAULT = 4;

/** Threads for queries, or null where they run in this one; `wanted` is `--query.workers`. */
export function startQueryWorkers(
  { env, log, registry }: RoleContext,
  wanted: number,
): QueryWorkers | null {
  const count = wanted >= 0 ? wanted : Math.min(env.workers.parallelism, MOST_BY_DEFAULT);
  if (count === 0) return null;
  const workers = new QueryWorkers({
    workers: env.workers,
    clock: env.clock,
    log: log.with({ component: 'query workers' }),
    registry,
    entry: QUERY,
    count,
  });
  workers.start();
  return workers;
}
