import { QueryError } from '../errors.ts';
import type { QueryWorkerEntry } from '../workers/query-workers.ts';
import { serveQueries } from '../workers/serve-queries.ts';

/** Evaluates queries over series that come decoded. */
export const QUERY: QueryWorkerEntry = {
  name: 'QUERY',
  module: import.meta.url,
  run: (port, _, world) =>
    serveQueries(port, world.clock, () => {
      throw QueryError.execution('a storage gave what only it can read');
    }),
};
