import type { HttpResponse } from '@pollux/base';
import { type Exchange, type Router, text } from '@pollux/http/serving';
import {
  type Log,
  type MetricFamily,
  Registry,
  renderText,
  TEXT_CONTENT_TYPE,
} from '@pollux/telemetry';
import type { Collector } from './collector.ts';
import { single } from './collector.ts';
import { COLLECTORS } from './collectors/table.ts';
import { Host, type HostOptions } from './host.ts';
import { processFamilies } from './process.ts';
import {
  CollectorRequestError,
  enabledCollectors,
  requestedCollectors,
  runCollectors,
} from './scrape.ts';

export type NodeExporterOptions = HostOptions & {
  readonly log: Log;
  /** Shown as node_exporter_build_info. */
  readonly version: string;
  /** `--web.telemetry-path`, default `/metrics`. */
  readonly telemetryPath?: string;
  /** From `--collector.<name>` (true) and `--no-collector.<name>` (false). */
  readonly collectors?: Readonly<Record<string, boolean>>;
  /** `--collector.disable-defaults`. */
  readonly disableDefaults?: boolean;
  /** `--web.disable-exporter-metrics`: leaves out process_* and promhttp_*. */
  readonly disableExporterMetrics?: boolean;
  /** `--web.max-requests`: parallel scrapes; more get 503. Default 40, 0 = no limit. */
  readonly maxRequests?: number;
};

/**
 * Adds `GET /metrics` (or the configured path) and a landing page at `/` to the router. Throws CollectorRequestError when
 * a flag names a collector that does not exist.
 */
export function registerNodeExporter(router: Router, options: NodeExporterOptions): void {
  const path = options.telemetryPath ?? '/metrics';
  const exporter = new NodeExporter(options);
  router.get(path, (exchange) => exporter.metrics(exchange));
  if (path !== '/') router.get('/', async () => landingPage(path, options.version));
}

class NodeExporter {
  readonly #options: NodeExporterOptions;
  readonly #host: Host;
  readonly #enabled: readonly Collector[];
  readonly #own = new Registry();
  readonly #requests = this.#own.counters(
    'promhttp_metric_handler_requests_total',
    'Total number of scrapes by HTTP status code.',
    ['code'],
  );
  readonly #inFlight = this.#own.gauge(
    'promhttp_metric_handler_requests_in_flight',
    'Current number of scrapes being served.',
  );

  constructor(options: NodeExporterOptions) {
    this.#options = options;
    this.#host = new Host(options);
    this.#enabled = enabledCollectors(COLLECTORS, options.collectors, options.disableDefaults);
    for (const code of ['200', '500', '503']) this.#requests.with(code);
  }

  async metrics(exchange: Exchange): Promise<HttpResponse> {
    const { maxRequests = 40, log } = this.#options;
    if (maxRequests > 0 && this.#inFlight.value >= maxRequests) {
      return this.#counted(
        text(503, `Limit of concurrent requests reached (${maxRequests}), try again later.\n`),
      );
    }
    this.#inFlight.inc();
    try {
      const collectors = requestedCollectors(this.#enabled, exchange.query);
      const families = [...runCollectors(collectors, this.#host, log), ...this.#exporterFamilies()];
      families.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
      const headers = { 'content-type': TEXT_CONTENT_TYPE };
      return this.#counted({ status: 200, headers, body: renderText(families) });
    } catch (error) {
      if (!(error instanceof CollectorRequestError)) throw error;
      return this.#counted(text(400, `${error.message}\n`));
    } finally {
      this.#inFlight.dec();
    }
  }

  #exporterFamilies(): MetricFamily[] {
    const { version, disableExporterMetrics } = this.#options;
    const build = single(
      'node_exporter_build_info',
      'gauge',
      "A metric with a constant '1' value labeled by version, revision, branch, goversion from which node_exporter was built, and the goos and goarch for the build.",
      1,
      ...['branch', '', 'goarch', '', 'goos', 'linux', 'goversion', ''],
      ...['revision', '', 'version', version],
    );
    if (disableExporterMetrics === true) return [build];
    return [build, ...processFamilies(this.#host), ...this.#own.gather()];
  }

  #counted(response: HttpResponse): HttpResponse {
    this.#requests.with(String(response.status)).inc();
    return response;
  }
}

function landingPage(path: string, version: string): HttpResponse {
  return {
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: `<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><title>Node Exporter</title></head>
<body>
<h1>Node Exporter</h1>
<p>Pollux node-exporter, version ${version}</p>
<p><a href="${path}">Metrics</a></p>
</body>
</html>
`,
  };
}
