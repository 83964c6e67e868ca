import { EVERYONE, type HttpRequest, VirtualClock } from '@pollux/base';
import { Router } from '@pollux/http';
import { Labels } from '@pollux/model';
import { Engine } from '@pollux/promql';
import { Log, Registry } from '@pollux/telemetry';
import { EngineQueryPort } from '../engine-query-port.ts';
import type { RuleGroupView, TargetView } from '../ports.ts';
import type { Readiness } from '../readiness.ts';
import { type ApiOptions, registerApi } from '../register.ts';
import { type ListedSeries, ListQueryable } from './list-queryable.ts';

/** 2023-11-14T22:13:20Z. */
export const NOW_MS = 1_700_000_000_000;

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
};

/** The API on a router without a port, over a list of series. */
export class World {
  readonly clock = new VirtualClock(NOW_MS);
  readonly registry = new Registry();
  readonly queryable: ListQueryable;
  readonly targets: TargetView[] = [];
  readonly groups: RuleGroupView[] = [];
  readonly called: string[] = [];
  readiness: Readiness = 'ready';
  reloadFailure: Error | null = null;
  readonly #router: Router;

  constructor(series: readonly ListedSeries[] = [], options: Partial<ApiOptions> = {}) {
    this.queryable = new ListQueryable(series);
    const log = Log.silent();
    const engine = new Engine({ clock: this.clock, registry: new Registry(), log });
    this.#router = new Router({ monotonic: () => this.clock.monotonic() });
    registerApi(this.#router, {
      clock: this.clock,
      log,
      registry: this.registry,
      readiness: () => this.readiness,
      query: new EngineQueryPort(engine, this.queryable),
      queryable: this.queryable,
      targets: {
        pools: () => ['node', 'app'],
        active: () => this.targets,
        dropped: () => [
          { scrapePool: 'app', discoveredLabels: Labels.from({ __address__: 'dropped:1' }) },
        ],
        droppedCounts: () => ({ node: 0, app: 1 }),
      },
      rules: { groups: () => this.groups },
      alertmanagers: {
        alertmanagers: () => ({ active: ['http://a/api/v2/alerts'], dropped: [] }),
      },
      status: {
        buildInfo: {
          version: '3.14.0',
          revision: 'r',
          branch: 'b',
          buildUser: 'u',
          buildDate: 'd',
          goVersion: 'g',
        },
        configYaml: () => 'global: <secret> & more\n',
        flags: () => ({ 'web.listen-address': ':9090', 'config.file': 'prometheus.yml' }),
        runtimeInfo: () => {
          throw new Error('unexpected fault');
        },
        tsdb: async (limit) => ({
          headStats: { numSeries: limit, numLabelPairs: 0, chunkCount: 0, minTime: 0, maxTime: 0 },
          seriesCountByMetricName: [],
          labelValueCountByLabelName: [],
          memoryInBytesByLabelName: [],
          seriesCountByLabelValuePair: [],
        }),
        cardinality: (by, limit, sinceMs) => ({
          by,
          since: sinceMs === null ? null : sinceMs / 1_000,
          entries: [{ name: 'm', value: limit, before: null }],
        }),
        walReplay: () => ({ min: 1, max: 3, current: 2 }),
        features: () => ({ b: { z: true, a: false }, a: {} }),
        details: () => ({ role: 'server' }),
      },
      admin: null,
      lifecycle: null,
      coverage: null,
      ...options,
    });
  }

  get(target: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send('GET', target, { headers });
  }

  post(target: string, form: string): Promise<Answer> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return this.send('POST', target, { headers, body: form });
  }

  async send(
    method: string,
    target: string,
    more: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
  ): Promise<Answer> {
    const bytes = new TextEncoder().encode(more.body ?? '');
    const request: HttpRequest = {
      method,
      target,
      headers: more.headers ?? {},
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => bytes,
      stream: async function* () {
        yield bytes;
      },
      signal: new AbortController().signal,
      principal: EVERYONE,
    };
    const { status, headers = {}, body = '' } = await this.#router.handler(request);
    if (typeof body === 'string') return { status, headers, body };
    if (body instanceof Uint8Array)
      return { status, headers, body: new TextDecoder().decode(body) };
    let text = '';
    for await (const piece of body) text += new TextDecoder().decode(piece);
    return { status, headers, body: text };
  }
}
