import { type HttpResponse, InputError, LimitError } from '@pollux/base';
import { type Exchange, type RouteHandler, type Router, text } from '@pollux/http';
import { SilenceNotFoundError } from '../errors.ts';
import { goJson } from '../wire/go-json.ts';
import type { ApiOptions } from './api-options.ts';
import type { ConcurrencyLimit } from './concurrency-limit.ts';
import { getAlerts } from './get-alerts.ts';
import { getGroups } from './get-groups.ts';
import { BodyError } from './json-body.ts';
import { checkMediaTypes } from './media-types.ts';
import { postAlerts } from './post-alerts.ts';
import { formRefusal, preflight, refusal } from './respond.ts';
import { deleteSilence, getSilence, getSilences, postSilence } from './silences.ts';
import { getNotifications, getReceivers, getStatus } from './status.ts';

type Handler = (api: ApiOptions, exchange: Exchange) => Promise<HttpResponse>;

/** Everything below /api but version 3. */
export function registerApi(router: Router, api: ApiOptions, limit: ConcurrencyLimit): void {
  const traced = (name: string, handler: Handler) => (exchange: Exchange) =>
    api.tracing.within(
      () => ({ name: `api.${name}Handler` }),
      async (span) => {
        const answer = await handler(api, exchange);
        if (answer.status >= 400) span.fail(`status ${answer.status}`);
        return answer;
      },
    );
  const get = (path: string, name: string, handler: Handler): void => {
    const own = traced(name, handler);
    const answering = guarded((exchange) => limit.run(() => own(exchange)));
    for (const end of endsOf(path)) router.on('GET', `/api/v2${path}${end}`, answering);
  };
  const change = (way: readonly [method: string, path: string], name: string, handler: Handler) => {
    const [method, path] = way;
    const answering = guarded(traced(name, handler));
    for (const end of endsOf(path)) router.on(method, `/api/v2${path}${end}`, answering);
  };
  get('/status', 'getStatus', getStatus);
  get('/receivers', 'getReceivers', getReceivers);
  get('/alerts', 'getAlerts', getAlerts);
  get('/alerts/groups', 'getAlertGroups', getGroups);
  get('/silences', 'getSilences', getSilences);
  get('/silence/:id', 'getSilence', getSilence);
  get('/pollux/notifications', 'getNotifications', getNotifications);
  change(['POST', '/alerts'], 'postAlerts', postAlerts);
  change(['POST', '/silences'], 'postSilences', postSilence);
  change(['DELETE', '/silence/:id'], 'deleteSilence', deleteSilence);
  router.on(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'], '/api/v2/*', unserved);
  router.on('OPTIONS', '/api/v2/*', options);
  for (const [methods, path] of FIRST_API) router.on(methods, `/api/v1${path}`, gone);
}

/** A slash behind a path changes nothing; behind an id it would be part of it. */
function endsOf(path: string): readonly string[] {
  return path.includes(':') ? [''] : ['', '/'];
}

/** Browsers are told what pages of other origins may do; to others it is a method that no path has. */
const options: RouteHandler = async (exchange) => {
  const { headers } = exchange.request;
  const asks = headers.origin !== undefined && headers['access-control-request-method'];
  return asks ? preflight() : unserved(exchange);
};

/** The methods of each path, in the original's order, for the refusal of others. */
const METHODS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^\/(?:status|receivers|alerts\/groups|pollux\/notifications)\/?$/, ['GET']],
  [/^\/(?:alerts|silences)\/?$/, ['GET', 'POST']],
  [/^\/silence\/[^/]+$/, ['DELETE', 'GET']],
];

/** A path that is not there, or not by this method. */
const unserved: RouteHandler = async ({ path, request }) => {
  const below = path.slice('/api/v2'.length);
  const methods = METHODS.find(([pattern]) => pattern.test(below))?.[1];
  if (methods === undefined) return formRefusal(404, `path ${path} was not found`);
  const refused = formRefusal(
    405,
    `method ${request.method} is not allowed, but [${methods.join(',')}] are`,
  );
  return { ...refused, headers: { ...refused.headers, allow: methods.join(',') } };
};

/** What version 1 had. */
const FIRST_API: readonly (readonly [methods: readonly string[], path: string])[] = [
  [['GET'], '/status'],
  [['GET'], '/receivers'],
  [['GET', 'POST'], '/alerts'],
  [['GET', 'POST'], '/silences'],
  [['GET', 'DELETE'], '/silence/:id'],
];

const gone: RouteHandler = async () => ({
  status: 410,
  headers: { 'content-type': 'application/json' },
  body: goJson({
    status: 'deprecated',
    error:
      'The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the equivalent route in the v2 API',
  }),
});

/** Turns refusals into the API's answers. */
function guarded(handler: RouteHandler): RouteHandler {
  return async (exchange) => {
    try {
      checkMediaTypes(exchange.request);
      return await handler(exchange);
    } catch (error) {
      if (error instanceof BodyError) {
        return formRefusal(error.status, error.message, error.formCode);
      }
      if (error instanceof SilenceNotFoundError) return refusal(404, 'silence not found');
      if (LimitError.is(error) && error.code === 'HTTP.BODY_TOO_LARGE') {
        return text(413, `${error.message}\n`);
      }
      if (error instanceof InputError || error instanceof LimitError) {
        return refusal(400, error.message);
      }
      throw error;
    }
  };
}
