import type { Env, HttpResponse } from '@pollux/base';
import { type Exchange, json, type Router, text } from '@pollux/http';
import type { Log, Registry } from '@pollux/telemetry';
import type { GatewayConfig, GroupConfig, GroupKind } from './config.ts';
import { watchUpstream } from './health.ts';
import { gatewayMetrics } from './metrics.ts';
import { pairStatus } from './pair-status.ts';
import { ProxyHandler } from './proxy-handler.ts';
import { QueryHandler } from './query-handler.ts';
import { Upstream } from './upstream.ts';

export type GatewayOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly config: GatewayConfig;
};

type Group = {
  readonly config: GroupConfig;
  readonly upstreams: readonly Upstream[];
  readonly proxy: ProxyHandler;
};

/** Paths of the InfluxDB API that read or manage; writing is another matter, see {@link Gateway.registerRoutes}. */
const STORE_PATHS = ['/query', '/ping', '/api/v1/prom/read'];
const WRITE_PATHS = ['/write', '/api/v1/prom/write', '/api/v1/write', '/api/v2/write'];

/** One address over the pair. Constructed it can route; `start` begins the health checks. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #groups: readonly Group[];
  readonly #queries: QueryHandler;
  readonly #stop = new AbortController();
  #watches: Promise<void>[] = [];

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { env, log, registry, config } = options;
    const metrics = gatewayMetrics(registry);
    this.#groups = config.groups.map((group) => {
      const upstreams = group.members.map(({ name, url }) => new Upstream(name, url));
      const proxy = new ProxyHandler({
        env,
        metrics,
        upstreams,
        requestTimeoutMs: config.request_timeout,
      });
      return { config: group, upstreams, proxy };
    });
    this.#queries = new QueryHandler({
      env,
      log,
      metrics,
      upstreams: this.#group('server')!.upstreams,
      lookbackMs: config.lookback_delta,
      requestTimeoutMs: config.request_timeout,
    });
    const up = registry.gauges(
      'pollux_gateway_member_up',
      '1 while the member answers its health check.',
      ['group', 'member'],
    );
    registry.collect(() => {
      for (const { config: group, upstreams } of this.#groups) {
        for (const { name, isUp } of upstreams) up.with(group.name, name).set(isUp ? 1 : 0);
      }
      return [];
    });
  }

  /** True once a server is known to answer. */
  get isReady(): boolean {
    return this.#group('server')!.upstreams.some((upstream) => upstream.isUp);
  }

  start(): void {
    const { env, log, config } = this.#options;
    for (const { config: group, upstreams } of this.#groups) {
      for (const upstream of upstreams) {
        const options = { env, log, intervalMs: config.health_interval };
        this.#watches.push(watchUpstream(upstream, group.kind, options, this.#stop.signal));
      }
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#watches);
    this.#watches = [];
  }

  /**
   * Prometheus' API goes to the servers, Alertmanager's (`/api/v2/`, or anything below `/alertmanager/`) to the
   * alertmanagers, InfluxDB's to the stores (also below `/store/`). A write or an alert must reach every member, which
   * one member cannot promise, so those are refused with the remedy.
   */
  registerRoutes(router: Router): void {
    const reading = ['GET', 'HEAD', 'POST'];
    router.on(['GET', 'POST'], '/api/v1/query', (exchange) =>
      this.#queries.handle(exchange, false),
    );
    router.on(['GET', 'POST'], '/api/v1/query_range', (exchange) =>
      this.#queries.handle(exchange, true),
    );
    router.get('/api/v1/pollux/pair', async () =>
      json(200, {
        status: 'success',
        data: pairStatus(this.#options.env.clock.now(), this.#groups),
      }),
    );
    for (const path of WRITE_PATHS) router.post(path, async () => this.#refuseWrite());
    router.post('/api/v2/alerts', async () => this.#refuseWrite());
    for (const path of STORE_PATHS)
      router.on(reading, path, (exchange) => this.#pass('store', exchange, exchange.path));
    router.on(['GET', 'HEAD', 'POST', 'PUT', 'DELETE'], '/api/v2/*', (exchange) =>
      this.#pass('alertmanager', exchange, exchange.path),
    );
    router.on(['GET', 'HEAD', 'POST', 'DELETE'], '/alertmanager/*', (exchange) =>
      this.#pass('alertmanager', exchange, exchange.path.slice('/alertmanager'.length)),
    );
    router.on(reading, '/store/*', (exchange) =>
      this.#pass('store', exchange, exchange.path.slice('/store'.length)),
    );
    router.on(['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS'], '/api/v1/*', (exchange) =>
      this.#pass('server', exchange, exchange.path),
    );
    router.on(reading, '/federate', (exchange) => this.#pass('server', exchange, exchange.path));
  }

  async #pass(kind: GroupKind, exchange: Exchange, path: string): Promise<HttpResponse> {
    const group = this.#group(kind);
    if (group === null) return text(404, `gateway.yml has no group of kind "${kind}"\n`);
    return group.proxy.handle(exchange, path);
  }

  #group(kind: GroupKind): Group | null {
    return this.#groups.find(({ config }) => config.kind === kind) ?? null;
  }

  #refuseWrite(): HttpResponse {
    return json(501, {
      status: 'error',
      errorType: 'bad_data',
      error:
        'the gateway passes no writes and no alerts on: send them to every store or alertmanager',
    });
  }
}
