import { QueryWorkers } from '@pollux/promql';
import type { RoleContext } from '../runtime/role.ts';
import { SERVER_QUERY } from './server-query.worker.ts';

/** More would rather take memory than time: each has a heap and caches of its own. */
const MOST_BY_DEFAULT = 4;

/**
 * Queries that cost no more points, each about 0.1 µs, are not handed to a thread: that would cost them half a millisecond, several
 * times what one series at one time takes.
 */
export const SMALL_QUERY_POINTS = 26_000;

/** Threads for queries, or null where they run in this one; `wanted` is `--query.workers`. */
export function openQueryWorkers(
  { env, log, registry }: Pick<RoleContext, 'env' | 'log' | 'registry'>,
  wanted: number,
): QueryWorkers | null {
  const count = wanted >= 0 ? wanted : Math.min(env.workers.parallelism, MOST_BY_DEFAULT);
  if (count === 0) return null;
  return new QueryWorkers({
    workers: env.workers,
    clock: env.clock,
    log: log.with({ component: 'query workers' }),
    registry,
    entry: SERVER_QUERY,
    count,
  });
}
