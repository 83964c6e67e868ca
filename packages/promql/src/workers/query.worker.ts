import { QueryError } from '../errors.ts';
import type { QueryWorkerEntry } from './query-workers.ts';
import { serveQueries } from './serve-queries.ts';

/** Evaluates queries over series that come decoded: for storages that are in another thread as a whole. */
export const QUERY: QueryWorkerEntry = {
  name: 'QUERY',
  module: import.meta.url,
  run: (port, _, world) =>
    serveQueries(port, world.clock, () => {
      throw QueryError.execution('a storage gave what only it can read');
    }),
};
