import type { Env, HttpPool } from '@pollux/base';
import type { ActiveQueries, Engine, RangeCache } from '@pollux/promql';
import type { Log, Registry } from '@pollux/telemetry';
import type { GatewayConfig } from './config.ts';
import type { FrontMetrics } from './front/front-metrics.ts';
import { QueryFront } from './front/query-front.ts';
import type { Group } from './group.ts';
import { StoredNames } from './long-term/stored-names.ts';
import { storedScrapes } from './long-term/stored-scrapes.ts';
import { MemberCalls } from './merge/member-calls.ts';
import { MergeHandler } from './merge/merge-handler.ts';
import { type Federate, MergedSamples } from './merge/merged-samples.ts';
import { SingleReplicaHandler } from './merge/single-replica-handler.ts';
import type { GatewayMetrics } from './metrics.ts';
import { PlainMember } from './plain/plain-member.ts';
import { QueryHandler } from './query-handler.ts';
import type { Shard } from './shards/shard.ts';
import { ShardedMerge } from './shards/sharded-merge.ts';
import { ShardedQueries } from './shards/sharded-queries.ts';
import { type EngineDefaults, SpliceQueries } from './splice/splice-queries.ts';
import type { Upstream } from './upstream.ts';

/** What stays through reloads. */
export type ServersOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly metrics: GatewayMetrics;
  readonly frontMetrics: FrontMetrics;
  readonly engine: Engine;
  readonly defaults: EngineDefaults;
  readonly cache: RangeCache | null;
  readonly active: ActiveQueries;
  readonly federate: Federate | null;
};

/** What answers Prometheus' API over the group of servers, or over several, which are shards. */
export type Servers = {
  readonly front: QueryFront;
  readonly merged: Pick<MergeHandler, 'handle'>;
  readonly samples: MergedSamples;
};

/** Null without a group of servers. */
export function openServers(
  config: GatewayConfig,
  groups: readonly Group[],
  options: ServersOptions,
): Servers | null {
  const { env, log, registry, metrics, frontMetrics, engine, defaults, cache, active, federate } =
    options;
  const servers = groups.filter(({ config: { kind } }) => kind === 'server');
  const [group] = servers;
  if (group === undefined) return null;
  const upstreams = servers.flatMap((one) => one.upstreams);
  const { lookback_delta: lookbackMs, request_timeout: requestTimeoutMs } = config;
  const calls = new MemberCalls({ net: env.net, metrics, requestTimeoutMs });
  const { long_term: longTerm } = config;
  const stored = longTerm === null ? null : groups.find((one) => one.config.kind === 'store');
  for (const one of groups) {
    if (one.config.kind !== 'store') continue;
    for (const store of one.upstreams) {
      store.plain =
        longTerm === null ? null : followStore(config, one, { store, servers: upstreams }, options);
    }
  }
  const stores = stored?.upstreams ?? [];
  const storePath = longTerm?.path ?? '';
  const pools = stored == null ? servers : [...servers, stored];
  const poolOf = (upstream: Upstream): HttpPool =>
    (pools.find((one) => one.upstreams.includes(upstream)) ?? group).poolOf(upstream);
  const reading = {
    env,
    poolOf,
    storePath,
    requestTimeoutMs,
    guardMs: config.seam_guard,
    maxMemoryBytes: config.max_splice_memory,
    replicaLabels: config.replica_labels,
  };
  const evaluating = { ...reading, engine, defaults };
  const splices = new SpliceQueries(evaluating);
  const storedNames =
    stores.length === 0
      ? null
      : new StoredNames({ ...reading, stores, lookbackMs: longTerm?.names_lookback ?? 0 });
  const { replica_labels: replicaLabels } = config;
  const common = { env, log, metrics, lookbackMs, requestTimeoutMs };
  const shards = servers.map(
    ({ config: { name }, upstreams: own }): Shard => ({
      name,
      upstreams: own,
      queries: new QueryHandler({ ...common, upstreams: own, splices, stores, replicaLabels }),
      merged: new MergeHandler({ calls, upstreams: own, replicaLabels, stored: storedNames }),
    }),
  );
  const [only] = shards;
  const isOne = shards.length === 1 && only !== undefined;
  const front = new QueryFront({
    env,
    log,
    metrics: frontMetrics,
    memberMetrics: metrics,
    config: config.queries,
    lookbackMs,
    cache: config.queries.cache.max_bytes === 0 ? null : cache,
    active,
    queries: isOne
      ? only.queries
      : new ShardedQueries({ ...evaluating, metrics, shards, lookbackMs }),
  });
  return {
    front,
    merged: isOne ? only.merged : new ShardedMerge({ shards, replicaLabels }),
    samples: new MergedSamples({
      ...reading,
      log,
      registry,
      metrics,
      shards: shards.map((shard) => shard.upstreams),
      stores,
      lookbackMs,
      single: isOne
        ? new SingleReplicaHandler({ env, calls, metrics, upstreams, lookbackMs })
        : null,
      federate,
    }),
  };
}

/** What a store covers is told from what it holds of the servers' scrapes. */
function followStore(
  config: GatewayConfig,
  group: Group,
  { store, servers }: { readonly store: Upstream; readonly servers: readonly Upstream[] },
  { env, log }: ServersOptions,
): PlainMember {
  const { long_term: longTerm, plain_lookback: lookbackMs } = config;
  const pool = group.poolOf(store);
  const storePath = longTerm?.path ?? '';
  const source = storedScrapes({ env, pool, store, storePath, servers });
  return new PlainMember({ env, log, upstream: store, lookbackMs, source });
}
