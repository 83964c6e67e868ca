import { assert } from '@pollux/base';
import { type QueryWorkerEntry, serveQueries } from '@pollux/promql';
import type { RawReader } from '@pollux/storage';

/** Evaluates queries over the store, whose columns the main thread reads. */
export const STORE_QUERY: QueryWorkerEntry = {
  name: 'STORE_QUERY',
  module: import.meta.url,
  run: (port, _, world) => serveQueries(port, world.clock, readUndecoded),
};

function readUndecoded(): RawReader {
  assert(false, 'BUG: the store gives no undecoded series');
}
