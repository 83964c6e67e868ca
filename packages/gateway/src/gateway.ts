import { type Env, type HttpHandler, StopSource } from '@pollux/base';
import { type Router, text } from '@pollux/http';
import { ActiveQueries, Engine, RangeCache } from '@pollux/promql';
import type { Log, Registry } from '@pollux/telemetry';
import { BodyBudget } from './balance/body-budget.ts';
import type { GatewayConfig } from './config.ts';
import { Door } from './door/door.ts';
import { type FrontMetrics, frontMetrics } from './front/front-metrics.ts';
import { settledChanges } from './front/range-front.ts';
import { Group } from './group.ts';
import type { Federate } from './merge/merged-samples.ts';
import { type GatewayMetrics, gatewayMetrics } from './metrics.ts';
import { Routes } from './routes.ts';
import { openServers, type Servers } from './servers.ts';
import { SHARDED_LANGUAGE } from './shards/sharded-queries.ts';
import type { EngineDefaults } from './splice/splice-queries.ts';
import { deliver } from './write/member-writer.ts';
import { type SpoolDestination, Spools } from './write/spools.ts';
import { type LineStamper, WriteFanOut } from './write/write-fan-out.ts';
import { type WriteMetrics, writeMetrics } from './write/write-metrics.ts';

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
    const servers = this.#world.groups.find(({ config: { kind } }) => kind === 'server');
    return servers === undefined || servers.upstreams.some((upstream) => upstream.isUp);
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

  registerRoutes(router: Router): void {
    new Routes({
      env: this.#options.env,
      active: this.#active,
      world: () => this.#world,
    }).register(router);
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

  #serversOf(config: GatewayConfig, groups: readonly Group[]): Servers | null {
    return openServers(config, groups, {
      ...this.#options,
      metrics: this.#metrics,
      frontMetrics: this.#frontMetrics,
      engine: this.#engine,
      defaults: this.#defaults,
      cache: this.#cache,
      active: this.#active,
      federate: this.#options.federate ?? null,
    });
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
