import {
  type Address,
  assert,
  type Clock,
  type Env,
  errorText,
  type HttpHandler,
  type HttpResponse,
  type Listener,
  OperatingError,
  systemCode,
  type Timer,
} from '@pollux/base';
import { formatAddress, Router, text, withCompression } from '@pollux/http/serving';
import { formatDuration } from '@pollux/model';
import { type Log, type Registry, renderText, TEXT_CONTENT_TYPE } from '@pollux/telemetry';
import type { WebConfig } from './web-config.ts';

const READ_TIMEOUT_MS = 300_000;
/** Of a socket that is open already. */
const NOT_OPENED: Address = { host: '', port: 0 };

/** What is opened, or a listening socket that the process was started with. */
type ListenPlace = Address | { readonly descriptor: number };

export class ListenError extends OperatingError {
  constructor(place: ListenPlace, cause: unknown) {
    const why =
      systemCode(cause) === 'EADDRINUSE'
        ? 'is in use by another program; stop it or give another --web.listen-address'
        : `cannot be bound: ${errorText(cause)}`;
    const what =
      'descriptor' in place
        ? `socket ${place.descriptor} of systemd`
        : `address ${formatAddress(place)}`;
    super('ROLES.LISTEN', `${what} ${why}`, { cause });
  }
}

/** A router that counts and times what it serves under the peer's metric names. */
export function observedRouter(options: {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  /** `prometheus`, `alertmanager`, … */
  readonly namespace: string;
  readonly prefix: string;
  /** Whether times and sizes are told by method (and times by status) too, as Alertmanager's are. */
  readonly isByMethod?: boolean;
  readonly onError?: (error: unknown) => HttpResponse | null;
}): Router {
  const { registry, namespace } = options;
  const requests = registry.counters(
    `${namespace}_http_requests_total`,
    'Counter of HTTP requests.',
    ['handler', 'code'],
  );
  const isByMethod = options.isByMethod === true;
  const durations = registry.histograms(
    `${namespace}_http_request_duration_seconds`,
    'Histogram of latencies for HTTP requests.',
    isByMethod ? ['handler', 'method', 'code'] : ['handler'],
    [0.005, 0.025, 0.1, 0.5, 1, 5, 20, 60],
  );
  const sizes = registry.histograms(
    `${namespace}_http_response_size_bytes`,
    'Histogram of response size for HTTP requests, without those that are written piece by piece.',
    isByMethod ? ['handler', 'method'] : ['handler'],
    [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000],
  );
  return new Router({
    prefix: options.prefix,
    monotonic: () => options.env.clock.monotonic(),
    observe: ({ route, request, response, durationMs }) => {
      const code = String(response.status);
      const of = isByMethod ? [route, request.method.toLowerCase()] : [route];
      requests.with(route, code).inc();
      durations.with(...of, ...(isByMethod ? [code] : [])).observe(durationMs / 1_000);
      const bytes = sizeOf(response.body);
      if (bytes !== null) sizes.with(...of).observe(bytes);
    },
    onError: (error, { request }) => {
      const answer = options.onError?.(error) ?? null;
      if (answer !== null) return answer;
      options.log.error('request failed', {
        method: request.method,
        path: request.target.split('?')[0],
        err: errorText(error),
      });
      return null;
    },
  });
}

/** Null for what is written piece by piece. */
function sizeOf(body: HttpResponse['body']): number | null {
  if (body === undefined) return 0;
  if (typeof body === 'string') return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.length : null;
}

/** Serves the metrics of the role's own registry. */
export function registerMetrics(router: Router, registry: Registry, path = '/metrics'): void {
  router.get(path, async () => ({
    status: 200,
    headers: { 'content-type': TEXT_CONTENT_TYPE },
    body: renderText(registry.gather()),
  }));
}

export async function listen(
  env: Env,
  at: Address,
  router: Pick<Router, 'handler'>,
  maxConnections = 512,
): Promise<Listener> {
  const options = { at, maxConnections, readTimeoutMs: READ_TIMEOUT_MS };
  return listening(at, env.net.serveHttp(options, withCompression(router.handler)));
}

/** Requests that are not answered in time are, with 503; 0 for as long as they take. */
export function withTimeLimit(
  clock: Clock,
  router: Pick<Router, 'handler'>,
  limitMs: number,
): Pick<Router, 'handler'> {
  if (limitMs <= 0) return router;
  const late = text(503, `Exceeded configured timeout of ${formatDuration(limitMs)}.\n`);
  const handler: HttpHandler = async (request) => {
    const answer = router.handler(request);
    let timer: Timer | null = null;
    const limit = new Promise<HttpResponse>((resolve) => {
      timer = clock.after(limitMs, () => resolve(late));
    });
    try {
      return await Promise.race([answer, limit]);
    } finally {
      (timer as Timer | null)?.cancel();
    }
  };
  return { handler };
}

/** As {@link listen}, on each of the places, and by a web configuration where there is one. */
export async function listenOn(
  env: Env,
  places: readonly ListenPlace[],
  router: Pick<Router, 'handler'>,
  { web, maxConnections }: { readonly web: WebConfig | null; readonly maxConnections: number },
): Promise<Listener> {
  const handler = withCompression(router.handler);
  const tls = web?.tls;
  const options = {
    maxConnections,
    readTimeoutMs: READ_TIMEOUT_MS,
    ...(tls === undefined ? {} : { tls }),
  };
  const listeners: Listener[] = [];
  const close = async (graceMs?: number): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close(graceMs)));
  };
  try {
    for (const place of places) {
      const where = 'descriptor' in place ? { ...place, at: NOT_OPENED } : { at: place };
      const serving = env.net.serveHttp({ ...options, ...where }, web?.guard(handler) ?? handler);
      const listener = await listening(place, serving);
      listeners.push(listener);
      web?.serve(listener);
    }
  } catch (error) {
    await close(0);
    throw error;
  }
  const [first] = listeners;
  assert(first !== undefined, 'BUG: no address to listen on');
  return { address: first.address, close };
}

/** As {@link listen}, for a handler of another kind, which also gets requests for other protocols. */
export async function serve(
  env: Env,
  at: Address,
  handler: HttpHandler,
  maxConnections: number,
): Promise<Listener> {
  const options = { at, maxConnections, readTimeoutMs: READ_TIMEOUT_MS, takesUpgrades: true };
  return listening(at, env.net.serveHttp(options, handler));
}

async function listening(place: ListenPlace, bound: Promise<Listener>): Promise<Listener> {
  try {
    return await bound;
  } catch (error) {
    throw new ListenError(place, error);
  }
}

/** `/-/healthy` is true while the process lives, `/-/ready` only when the role can serve. */
export function registerHealth(router: Router, name: string, isReady: () => boolean): void {
  router.get('/-/healthy', async () => text(200, `${name} is Healthy.\n`));
  router.get('/-/ready', async () =>
    isReady() ? text(200, `${name} is Ready.\n`) : text(503, 'Service Unavailable'),
  );
}
