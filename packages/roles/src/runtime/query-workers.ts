import { type QueryWorkerEntry, QueryWorkers } from '@pollux/promql';
import type { RoleContext } from './role.ts';

/** More would rather take memory than time: each has a heap and caches of its own. */
const MOST_BY_DEFAULT = 4;

/**
 * Queries that cost no more points are not handed to a thread, where they cost twice the processor time: labels and chunks are packed for it,
 * and its code is compiled apart. So many take 4 to 8 ms, less than one slice of what a heavy query selects may hold the thread; and of one turn of the
 * event loop such queries take a share only. On two busy cores, milliseconds a query with a limit of
 * 26,000 and of this: 1,984 series at one time 10.3 and 6.0 (processor time 11.8 and 5.7), rates of 1,700 by instance 8.5 and 4.4, quantiles of
 * histograms 9.0 and 5.4, many to one 4.9 and 2.8, a ratio of 64 series at 355 steps 16 and 7; peak resident memory of the
 * corpus' middle 249 and 218 MB.
 */
export const SMALL_QUERY_POINTS = 240_000;

/** Threads for queries, which run `entry`, or null where they run in this one; `wanted` is `--query.workers`. */
export function openQueryWorkers(
  { env, log, registry }: Pick<RoleContext, 'env' | 'log' | 'registry'>,
  entry: QueryWorkerEntry,
  wanted: number,
): QueryWorkers | null {
  const count = wanted >= 0 ? wanted : Math.min(env.workers.parallelism, MOST_BY_DEFAULT);
  if (count === 0) return null;
  return new QueryWorkers({
    workers: env.workers,
    clock: env.clock,
    log: log.with({ component: 'query workers' }),
    registry,
    entry,
    count,
  });
}
