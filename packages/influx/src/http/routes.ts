import { type Env, type HttpResponse, OperatingError, uuid } from '@pollux/base';
import { type Exchange, type RouteHandler, type Router, text } from '@pollux/http';
import type { InfluxService } from '../service.ts';
import { failure, jsonText, noContent } from './answers.ts';
import type { HttpContext } from './context.ts';
import { serveDebugVars } from './debug-vars.ts';
import { goJsonString } from './json-answer.ts';
import { servePrometheusRead, servePrometheusWrite } from './prometheus-routes.ts';
import { serveQuery } from './query-routes.ts';
import { serveWrite, serveWriteV2 } from './write-routes.ts';

const FLUX_DISABLED =
  'Flux query service disabled. Verify flux-enabled=true in the [http] section of the InfluxDB config.';

/** Gives the routes of InfluxDB 1.8 to a router: /ping, /health, /query, /write, /api/v1/prom/*, /api/v2/*. */
export function registerInflux(
  router: Router,
  service: InfluxService,
  random: Env['random'],
): void {
  const { context } = service;
  const on = (methods: string | readonly string[], path: string, handler: RouteHandler): void => {
    router.on(methods, path, withHeaders(handler, context, random));
  };
  const only = (method: string, path: string, handler: RouteHandler): void => {
    on(method, path, handler);
    on('OPTIONS', path, async (exchange) => preflight(exchange));
    on(['GET', 'HEAD', 'PUT', 'DELETE'], path, async () => notAllowed(`OPTIONS, ${method}`));
  };
  on(['GET', 'HEAD'], '/ping', async (exchange) => {
    const verbose = exchange.query.get('verbose') ?? '';
    if (verbose === '' || verbose === '0' || verbose === 'false') return noContent();
    return jsonText(200, `{"version":${goJsonString(context.version)}}\n`);
  });
  on(['GET', 'HEAD'], '/status', async () => noContent());
  on('GET', '/health', async () => {
    const version = goJsonString(context.version);
    const body = `{"checks":[],"message":"ready for queries and writes","name":"influxdb","status":"pass","version":${version}}`;
    return jsonText(200, body);
  });
  on('GET', '/debug/vars', async () => serveDebugVars(context));
  on(['GET', 'POST'], '/query', (exchange) => serveQuery(context, exchange));
  on('OPTIONS', '/query', async (exchange) => preflight(exchange));
  only('POST', '/write', (exchange) => serveWrite(context, exchange));
  only('POST', '/api/v2/write', (exchange) => serveWriteV2(context, exchange));
  only('POST', '/api/v2/query', async () => text(403, FLUX_DISABLED));
  only('POST', '/api/v1/prom/write', (exchange) => servePrometheusWrite(context, exchange));
  only('POST', '/api/v1/prom/read', (exchange) => servePrometheusRead(context, exchange));
}

function notAllowed(allow: string): HttpResponse {
  return {
    status: 405,
    headers: { 'content-type': 'text/plain; charset=utf-8', allow },
    body: 'Method Not Allowed\n',
  };
}

/** The answer of a browser's question; without an Origin there is nothing to allow. */
function preflight(exchange: Exchange): HttpResponse {
  return { status: 200, headers: crossOrigin(exchange) };
}

/** Of every answer to a page from elsewhere. */
function crossOrigin(exchange: Exchange): Record<string, string> {
  const { origin } = exchange.request.headers;
  if (origin === undefined) return {};
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'DELETE, GET, OPTIONS, POST, PUT',
    'access-control-allow-headers':
      'Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token, X-HTTP-Method-Override',
    'access-control-expose-headers': 'Date, X-InfluxDB-Version, X-InfluxDB-Build',
  };
}

/** Every answer names the version and the request; what a handler throws becomes influxd's error envelope. */
function withHeaders(
  handler: RouteHandler,
  { version, headers }: HttpContext,
  random: Env['random'],
): RouteHandler {
  return async (exchange) => {
    const given = exchange.request.headers;
    const id = given['x-request-id'] ?? given['request-id'] ?? uuid(random);
    let answer: HttpResponse;
    try {
      answer = await handler(exchange);
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      answer = failure(error.code === 'HTTP.BODY_TOO_LARGE' ? 413 : 500, error.message);
    }
    return {
      ...answer,
      headers: {
        ...headers,
        ...crossOrigin(exchange),
        'x-influxdb-version': version,
        'x-influxdb-build': 'OSS',
        'request-id': id,
        'x-request-id': id,
        ...answer.headers,
      },
    };
  };
}
