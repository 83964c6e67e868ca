import { CachedQueryPort, EngineQueryPort, type QueryPort } from '@pollux/api';
import { type Engine, RangeCache } from '@pollux/promql';
import type { Queryable } from '@pollux/storage';
import type { Registry } from '@pollux/telemetry';
import type { Tsdb } from '@pollux/tsdb';

export type QueryDoor = {
  readonly port: QueryPort;
  /** At a change of the configuration. */
  readonly clear: () => void;
};

/**
 * How the API reaches the engine: through the cache of results, unless its size is 0. The cache is passed by while answers
 * depend on more than the samples of this database: on remote storage, or on buckets that stand for dropped samples.
 */
export function openQueryDoor(parts: {
  readonly engine: Engine;
  readonly queryable: Queryable;
  readonly tsdb: Tsdb;
  readonly registry: Registry;
  readonly maxBytes: number;
  readonly maxSamples: number;
  readonly lookbackMs: number;
  /** True when the log is replayed and nothing else is read. */
  readonly isLocal: () => boolean;
}): QueryDoor {
  const { engine, queryable, tsdb, registry, maxBytes, maxSamples, lookbackMs, isLocal } = parts;
  const inner = new EngineQueryPort(engine, queryable);
  if (maxBytes <= 0) return { port: inner, clear: () => {} };
  const cache = new RangeCache({ changes: tsdb.changes, registry, maxBytes, maxSamples });
  const isOn = (): boolean => isLocal() && !Number.isFinite(tsdb.extent.oldestBucketMs);
  const port = new CachedQueryPort({ inner, engine, queryable, cache, isOn, lookbackMs });
  return { port, clear: () => cache.clear() };
}
