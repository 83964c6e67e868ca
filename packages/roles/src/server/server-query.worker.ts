import { type QueryWorkerEntry, serveQueries } from '@pollux/promql';
import { rawSamplesOpener } from '@pollux/tsdb';

/** Evaluates the queries of a server: the database gives its chunks as they are, and they are decoded here. */
export const SERVER_QUERY: QueryWorkerEntry = {
  name: 'SERVER_QUERY',
  module: import.meta.url,
  run: (port, _, world) => serveQueries(port, world.clock, rawSamplesOpener()),
};
