import type { Env, HttpResponse } from '@pollux/base';
import { type Exchange, json, type RouteHandler, type Router, text } from '@pollux/http';
import { type ActiveQueries, activeQueryJson } from '@pollux/promql';
import type { GatewayConfig, GroupKind } from './config.ts';
import type { Group } from './group.ts';
import { MERGED_PATHS } from './merge/merged-paths.ts';
import { pairStatus } from './pair-status.ts';
import type { Servers } from './servers.ts';
import type { WriteFanOut } from './write/write-fan-out.ts';
import { WRITE_PATHS } from './write/write-paths.ts';

export type RoutesOptions = {
  readonly env: Env;
  readonly active: ActiveQueries;
  /** What the configuration of the moment was made into. */
  readonly world: () => {
    readonly config: GatewayConfig;
    readonly groups: readonly Group[];
    readonly servers: Servers | null;
    readonly writes: WriteFanOut;
  };
};

/** Paths of the InfluxDB API that read or manage. */
const STORE_PATHS = ['/query', '/ping', '/api/v1/prom/read'];

/**
 * Prometheus' API goes to the servers, Alertmanager's (`/api/v2/`, or anything below `/alertmanager/`) to the alertmanagers, InfluxDB's
 * to the stores (also below `/store/`). Writes and alerts go to every member.
 */
export class Routes {
  readonly #options: RoutesOptions;

  constructor(options: RoutesOptions) {
    this.#options = options;
  }

  register(router: Router): void {
    const reading = ['GET', 'HEAD', 'POST'];
    router.on(['GET', 'POST'], '/api/v1/query', this.#query(false));
    router.on(['GET', 'POST'], '/api/v1/query_range', this.#query(true));
    this.#registerActiveQueries(router);
    router.get('/api/v1/pollux/pair', async () =>
      json(200, {
        status: 'success',
        data: pairStatus(this.#options.env.clock.now(), this.#options.world().groups),
      }),
    );
    for (const path of WRITE_PATHS) {
      router.post(path.path, async (exchange) => {
        // Which shard a sample belongs to only its servers know.
        const { shards } = this.#options.world().config;
        const kinds = path.groups.filter((kind) => kind !== 'server' || shards.length === 0);
        const [group] = kinds.flatMap((kind) => this.#group(kind) ?? []);
        if (group === undefined) return noGroup(kinds[0] ?? 'store');
        return this.#options.world().writes.handle(exchange, group, path);
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
      json(200, { status: 'success', data: this.#options.active.list().map(activeQueryJson) }),
    );
    router.on(['DELETE', 'POST'], `${path}/:id`, async ({ params: { id = '' } }) => {
      if (this.#options.active.kill(id)) return json(200, { status: 'success', data: { id } });
      const error = `no query of id ${JSON.stringify(id)} waits or runs`;
      return json(404, { status: 'error', errorType: 'not_found', error });
    });
  }

  #byServers(
    answer: (servers: Servers, exchange: Exchange) => Promise<HttpResponse>,
  ): RouteHandler {
    return async (exchange) => {
      const { servers } = this.#options.world();
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
    return this.#options.world().groups.find(({ config }) => config.kind === kind) ?? null;
  }
}

function noGroup(kind: GroupKind): HttpResponse {
  return text(404, `gateway.yml has no group of kind "${kind}"\n`);
}
