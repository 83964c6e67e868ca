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
  router.on(['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'], '/api/v1/*', gone);
}

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
        return formRefusal(error.status, error.message, error.status === 422 ? 602 : error.status);
      }
      if (error instanceof SilenceNotFoundError) return refusal(404, error.message);
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
