import { type HttpResponse, InputError, LimitError } from '@pollux/base';
import { type Exchange, type RouteHandler, type Router, text } from '@pollux/http';
import { SilenceNotFoundError } from '../errors.ts';
import type { ApiOptions } from './api-options.ts';
import type { ConcurrencyLimit } from './concurrency-limit.ts';
import { getAlerts } from './get-alerts.ts';
import { getGroups } from './get-groups.ts';
import { BodyError } from './json-body.ts';
import { postAlerts } from './post-alerts.ts';
import { answer, formRefusal, refusal } from './respond.ts';
import { deleteSilence, getSilence, getSilences, postSilence } from './silences.ts';
import { getNotifications, getReceivers, getStatus } from './status.ts';

type Handler = (api: ApiOptions, exchange: Exchange) => Promise<HttpResponse>;

/** Everything below /api but version 3. */
export function registerApi(router: Router, api: ApiOptions, limit: ConcurrencyLimit): void {
  const get = (path: string, handler: Handler): void => {
    router.get(
      `/api/v2${path}`,
      guarded((exchange) => limit.run(() => handler(api, exchange))),
    );
  };
  const change = (method: string, path: string, handler: Handler): void => {
    router.on(
      method,
      `/api/v2${path}`,
      guarded((exchange) => handler(api, exchange)),
    );
  };
  get('/status', getStatus);
  get('/receivers', getReceivers);
  get('/alerts', getAlerts);
  get('/alerts/groups', getGroups);
  get('/silences', getSilences);
  get('/silence/:id', getSilence);
  get('/pollux/notifications', getNotifications);
  change('POST', '/alerts', postAlerts);
  change('POST', '/silences', postSilence);
  change('DELETE', '/silence/:id', deleteSilence);
  router.on('OPTIONS', '/api/v2/*', async () => answer(200, {}));
  router.on(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'], '/api/v2/*', unserved);
  router.on(['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'], '/api/v1/*', gone);
}

/** The methods of each path, in the original's order, for the refusal of others. */
const METHODS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^\/(?:status|receivers|alerts\/groups|pollux\/notifications)$/, ['GET']],
  [/^\/(?:alerts|silences)$/, ['GET', 'POST']],
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

const gone: RouteHandler = async () =>
  answer(410, {
    status: 'deprecated',
    error:
      'The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the equivalent route in the v2 API',
  });

/** Turns refusals into the API's answers. */
function guarded(handler: RouteHandler): RouteHandler {
  return async (exchange) => {
    try {
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
