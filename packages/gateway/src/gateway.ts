import {
  type Env,
  type HttpHandler,
  type HttpPool,
  type HttpResponse,
  StopSource,
} from '@pollux/base';
import { type Exchange, json, type RouteHandler, type Router, text } from '@pollux/http';
import { ActiveQueries, activeQueryJson, Engine, RangeCache } from '@pollux/promql';
import type { Log, Registry } from '@pollux/telemetry';
import { BodyBudget } from './balance/body-budget.ts';
import type { GatewayConfig, GroupKind } from './config.ts';
import { Door } from './door/door.ts';
import { type FrontMetrics, frontMetrics } from './front/front-metrics.ts';
import { QueryFront } from './front/query-front.ts';
import { settledChanges } from './front/range-front.ts';
import { Group } from './group.ts';
import { StoredNames } from './long-term/stored-names.ts';
import { storedScrapes } from './long-term/stored-scrapes.ts';
import { MemberCalls } from './merge/member-calls.ts';
import { MergeHandler } from './merge/merge-handler.ts';
import { MERGED_PATHS } from './merge/merged-paths.ts';
import { type Federate, MergedSamples } from './merge/merged-samples.ts';
import { SingleReplicaHandler } from './merge/single-replica-handler.ts';
import { type GatewayMetrics, gatewayMetrics } from './metrics.ts';
import { pairStatus } from './pair-status.ts';
import { PlainMember } from './plain/plain-member.ts';
import { QueryHandler } from './query-handler.ts';
import type { Shard } from './shards/shard.ts';
import { ShardedMerge } from './shards/sharded-merge.ts';
import { SHARDED_LANGUAGE, ShardedQueries } from './shards/sharded-queries.ts';
import { type EngineDefaults, SpliceQueries } from './splice/splice-queries.ts';
import type { Upstream } from './upstream.ts';
import { deliver } from './write/member-writer.ts';
import { type SpoolDestination, Spools } from './write/spools.ts';
import { type LineStamper, WriteFanOut } from './write/write-fan-out.ts';
import { type WriteMetrics, writeMetrics } from './write/write-metrics.ts';
import { WRITE_PATHS } from './write/write-paths.ts';

export type GatewayOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly config: GatewayConfig;
  /** For the error log; 0 where there is none. */
  readonly pid?: number;
  /** Where writes for members that are away are kept; null or absent: nowhere. */
  readonly spoolDirectory?: string | null;
  /** Default: federation goes whole to one member. */
  readonly federate?: Federate;
  /** Default: lines without a time stay as they are. */
  readonly stampLines?: LineStamper;
};

/** All that a configuration is made into; a reload puts another in its place. */
type World = {
  readonly config: GatewayConfig;
  readonly door: Door;
  readonly groups: readonly Group[];
  readonly bodies: BodyBudget;
  readonly servers: Servers | null;
  readonly writes: WriteFanOut;
};

/** What answers Prometheus' API over the group of servers. */
type Servers = {
  readonly front: QueryFront;
  readonly merged: Pick<MergeHandler, 'handle'>;
  readonly samples: MergedSamples;
};

/** Paths of the InfluxDB API that read or manage. */
const STORE_PATHS = ['/query', '/ping', '/api/v1/prom/read'];
/** Without a group of servers. */
const IDLE = { running: 0, waiting: 0 };
/** Splices evaluated at a time; more wait. */
const MAX_SPLICES = 4;
/** Requests under way may use a world that a reload has replaced, for as long. */
const OLD_WORLD_MS = 60_000;

/** One address over the pair, and over any other HTTP service. Constructed it can route; `start` begins the health checks. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #metrics: GatewayMetrics;
  readonly #defaults: EngineDefaults = { evaluationIntervalMs: 60_000 };
  readonly #engine: Engine;
  readonly #active: ActiveQueries;
  readonly #frontMetrics: FrontMetrics;
  readonly #cache: RangeCache | null;
  readonly #closing = new StopSource();
  readonly #stopWrites = new AbortController();
  readonly #writeMetrics: WriteMetrics;
  readonly #spools: Spools | null;
  readonly #replaced = new Set<Promise<void>>();
  #world: World;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#metrics = gatewayMetrics(options.registry);
    const { env, log, registry } = options;
    this.#engine = new Engine({
      clock: env.clock,
      log,
      registry,
      maxConcurrency: MAX_SPLICES,
      features: SHARDED_LANGUAGE,
      defaultStepMs: () => this.#defaults.evaluationIntervalMs,
    });
    this.#active = new ActiveQueries(env.clock);
    this.#frontMetrics = frontMetrics(registry, () => this.#world.servers?.front.gate ?? IDLE);
    this.#cache = this.#openCache();
    this.#writeMetrics = writeMetrics(options.registry);
    this.#spools = this.#openSpools();
    this.#world = this.#worldOf(options.config, []);
    const up = options.registry.gauges(
      'pollux_gateway_member_up',
      '1 while the member answers its health check.',
      ['group', 'member'],
    );
    options.registry.collect(() => {
      up.clear();
      this.#metrics.bodyBytes.set(this.#world.bodies.usedBytes);
      for (const { config: group, upstreams } of this.#world.groups) {
        for (const { name, isUp } of upstreams) up.with(group.name, name).set(isUp ? 1 : 0);
      }
      return [];
    });
  }

  /** True once a server is known to answer; without a group of servers at once. */
  get isReady(): boolean {
    const servers = this.#group('server');
    return servers === null || servers.upstreams.some((upstream) => upstream.isUp);
  }

  start(): void {
    for (const group of this.#world.groups) group.start();
    this.#spools?.start();
  }

  /**
   * Takes another configuration. All that can fail is done first, and nothing changes then; requests under way go on where they are.
   * Members that stay keep what is known of them.
   */
  reload(config: GatewayConfig): void {
    const old = this.#world;
    const known = old.groups.flatMap(({ upstreams }) => upstreams);
    this.#world = this.#worldOf(config, known);
    this.#cache?.clear();
    this.start();
    const leave = this.#leave(old).finally(() => this.#replaced.delete(leave));
    this.#replaced.add(leave);
  }

  /** Log files were moved away: go on in new ones. */
  reopenLogs(): void {
    this.#world.door.reopenLogs();
    this.#world.servers?.front.reopenLogs();
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the gateway closes'));
    this.#stopWrites.abort(new Error('the gateway closes'));
    await this.#spools?.close();
    await Promise.all(this.#world.groups.map((group) => group.close()));
    this.#world.door.close();
    this.#world.servers?.front.close();
    await Promise.all(this.#replaced);
  }

  /** Serves the hosts of gateway.yml, and by `pair`, which has {@link registerRoutes}, what goes to none of their groups. */
  handlerOver(pair: HttpHandler): HttpHandler {
    return (request) =>
      this.#world.door.handle(request, {
        toPair: pair,
        toGroup: async (name, asked) => {
          const group = this.#world.groups.find(({ config }) => config.name === name);
          if (group === undefined) return text(404, `gateway.yml has no group "${name}"\n`);
          return group.forwarder.handle(asked, asked.target);
        },
      });
  }

  /**
   * Prometheus' API goes to the servers, Alertmanager's (`/api/v2/`, or anything below `/alertmanager/`) to the
   * alertmanagers, InfluxDB's to the stores (also below `/store/`). Writes and alerts go to every member.
   */
  registerRoutes(router: Router): void {
    const reading = ['GET', 'HEAD', 'POST'];
    router.on(['GET', 'POST'], '/api/v1/query', this.#query(false));
    router.on(['GET', 'POST'], '/api/v1/query_range', this.#query(true));
    this.#registerActiveQueries(router);
    router.get('/api/v1/pollux/pair', async () =>
      json(200, {
        status: 'success',
        data: pairStatus(this.#options.env.clock.now(), this.#world.groups),
      }),
    );
    for (const path of WRITE_PATHS) {
      router.post(path.path, async (exchange) => {
        // Which shard a sample belongs to only its servers know.
        const { shards } = this.#world.config;
        const kinds = path.groups.filter((kind) => kind !== 'server' || shards.length === 0);
        const [group] = kinds.flatMap((kind) => this.#group(kind) ?? []);
        if (group === undefined) return noGroup(kinds[0] ?? 'store');
        return this.#world.writes.handle(exchange, group, path);
      });
    }
    for (const path of STORE_PATHS)
      router.on(reading, path, (exchange) => this.#pass('store', exchange, exchange.path));
    router.on(['GET', 'HEAD', 'POST', 'PUT', 'DELETE'], '/api/v2/*', (exchange) =>
      this.#pass('alertmanager', exchange, exchange.path),
    );
    router.get('/alertmanager', async () => ({
      status: 302,
      headers: { location: 'alertmanager/' },
    }));
    router.on(['GET', 'HEAD', 'POST', 'DELETE'], '/alertmanager/*', (exchange) =>
      this.#pass('alertmanager', exchange, exchange.path.slice('/alertmanager'.length)),
    );
    router.on(reading, '/store/*', (exchange) =>
      this.#pass('store', exchange, exchange.path.slice('/store'.length)),
    );
    router.on(['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS'], '/api/v1/*', (exchange) =>
      this.#pass('server', exchange, exchange.path),
    );
    for (const merged of MERGED_PATHS) {
      const join = this.#byServers((servers, exchange) => servers.merged.handle(exchange, merged));
      router.on(merged.methods, merged.path, join);
    }
    const federate = this.#byServers(({ samples }, exchange) => samples.federate(exchange));
    router.on(['GET', 'HEAD'], '/federate', federate);
    const read = this.#byServers(({ samples }, exchange) => samples.remoteRead(exchange));
    router.post('/api/v1/read', read);
  }

  #query(isRange: boolean): RouteHandler {
    return this.#byServers(({ front }, exchange) => front.handle(exchange, isRange));
  }

  /** As a server shows and ends its own. */
  #registerActiveQueries(router: Router): void {
    const path = '/api/v1/status/active_queries';
    router.get(path, async () =>
      json(200, { status: 'success', data: this.#active.list().map(activeQueryJson) }),
    );
    router.on(['DELETE', 'POST'], `${path}/:id`, async ({ params: { id = '' } }) => {
      if (this.#active.kill(id)) return json(200, { status: 'success', data: { id } });
      const error = `no query of id ${JSON.stringify(id)} waits or runs`;
      return json(404, { status: 'error', errorType: 'not_found', error });
    });
  }

  #byServers(
    answer: (servers: Servers, exchange: Exchange) => Promise<HttpResponse>,
  ): RouteHandler {
    return async (exchange) => {
      const { servers } = this.#world;
      return servers === null ? noGroup('server') : answer(servers, exchange);
    };
  }

  /** `path` replaces the path of the request, the query stays. */
  async #pass(kind: GroupKind, exchange: Exchange, path: string): Promise<HttpResponse> {
    const group = this.#group(kind);
    if (group === null) return noGroup(kind);
    const { target } = exchange.request;
    const at = target.indexOf('?');
    return group.forwarder.handle(exchange.request, path + (at < 0 ? '' : target.slice(at)));
  }

  #group(kind: GroupKind): Group | null {
    return this.#world.groups.find(({ config }) => config.kind === kind) ?? null;
  }

  #worldOf(config: GatewayConfig, known: Group['upstreams']): World {
    const { env, log, pid = 0 } = this.#options;
    const metrics = this.#metrics;
    const door = new Door({ env, log, metrics, config, pid });
    try {
      const bodies = new BodyBudget(config.max_buffered_bodies);
      const groups = config.groups.map(
        (group) =>
          new Group({
            env,
            log,
            metrics,
            config: group,
            healthIntervalMs: config.health_interval,
            plainLookbackMs: config.plain_lookback,
            onFault: door.onFault,
            bodies,
            known,
          }),
      );
      const writes = new WriteFanOut({
        env,
        log,
        metrics: this.#writeMetrics,
        memberMetrics: metrics,
        bodies,
        config: config.spool,
        stampLines: this.#options.stampLines ?? ((lines) => lines),
        spools: this.#spools,
        signal: this.#stopWrites.signal,
      });
      return { config, door, groups, bodies, servers: this.#serversOf(config, groups), writes };
    } catch (error) {
      door.close();
      throw error;
    }
  }

  /** Kept through reloads, which change all but its size. */
  #openCache(): RangeCache | null {
    const { env, registry, config } = this.#options;
    const { max_bytes: maxBytes } = config.queries.cache;
    if (maxBytes === 0) return null;
    const settledMs = (): number => this.#world.config.queries.cache.settled_after;
    const changes = settledChanges(env.clock, settledMs);
    const maxSamples = Number.POSITIVE_INFINITY;
    // The other half is for answers as they were written.
    return new RangeCache({ changes, registry, maxBytes: maxBytes / 2, maxSamples });
  }

  #openSpools(): Spools | null {
    const { env, log, registry, spoolDirectory = null, config } = this.#options;
    const takesWrites = config.groups.some(({ kind }) => kind !== 'http');
    if (spoolDirectory === null || !takesWrites) return null;
    return new Spools({
      env,
      log,
      registry,
      metrics: this.#writeMetrics,
      directory: spoolDirectory,
      maxBytes: () => this.#world.config.spool.max_bytes,
      destinationOf: (name) => this.#destinationOf(name),
    });
  }

  /** Where writes from the spool go to; null while gateway.yml does not name the member. */
  #destinationOf(name: string): SpoolDestination {
    const { groups, config } = this.#world;
    for (const group of groups) {
      const member = group.upstreams.find((one) => one.name === name);
      if (member === undefined || group.config.kind === 'http') continue;
      const options = { env: this.#options.env, metrics: this.#metrics, tls: group.tls };
      const timeoutMs = group.config.try_timeout;
      return {
        member,
        config: config.spool,
        deliver: (write, signal) => deliver(options, member, write, { timeoutMs, signal }),
      };
    }
    return null;
  }

  #serversOf(config: GatewayConfig, groups: readonly Group[]): Servers | null {
    const { env, log, registry, federate = null } = this.#options;
    const metrics = this.#metrics;
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
        store.plain = longTerm === null ? null : this.#followStore(config, one, store, upstreams);
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
    const evaluating = { ...reading, engine: this.#engine, defaults: this.#defaults };
    const splices = new SpliceQueries(evaluating);
    const storedNames = stores.length === 0 ? null : new StoredNames({ ...reading, stores });
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
      metrics: this.#frontMetrics,
      memberMetrics: metrics,
      config: config.queries,
      lookbackMs,
      cache: config.queries.cache.max_bytes === 0 ? null : this.#cache,
      active: this.#active,
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

  #followStore(
    config: GatewayConfig,
    group: Group,
    store: Upstream,
    servers: readonly Upstream[],
  ): PlainMember {
    const { env, log } = this.#options;
    const { long_term: longTerm, plain_lookback: lookbackMs } = config;
    const pool = group.poolOf(store);
    const storePath = longTerm?.path ?? '';
    const source = storedScrapes({ env, pool, store, storePath, servers });
    return new PlainMember({ env, log, upstream: store, lookbackMs, source });
  }

  /** Gives its requests time to end; its checks end at once, since the same members may be checked already. */
  async #leave({ door, groups, servers }: World): Promise<void> {
    const { clock } = this.#options.env;
    for (const group of groups) group.stopChecks();
    await new Promise<void>((resolve) => {
      const timer = clock.after(OLD_WORLD_MS, resolve);
      this.#closing.addEventListener('abort', () => {
        timer.cancel();
        resolve();
      });
      if (this.#closing.aborted) resolve();
    });
    await Promise.all(groups.map((group) => group.close()));
    door.close();
    servers?.front.close();
  }
}

function noGroup(kind: GroupKind): HttpResponse {
  return text(404, `gateway.yml has no group of kind "${kind}"\n`);
}
