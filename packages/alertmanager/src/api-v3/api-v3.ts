import type { HttpResponse } from '@pollux/base';
import type { Exchange, RouteHandler, Router } from '@pollux/http';
import type { ConcurrencyLimit } from '../api/concurrency-limit.ts';
import { answer } from '../api/respond.ts';
import {
  deleteAcknowledgement,
  getAcknowledgement,
  getAcknowledgements,
  postAcknowledgement,
} from './acknowledgements-api.ts';
import { getAlertsV3 } from './alerts-api.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { postConfigCheck } from './config-api.ts';
import { getDoctor } from './doctor-api.ts';
import { getExplanation, postExplanation } from './explain-api.ts';
import { guarded } from './guarded.ts';
import { getHistory } from './history-api.ts';
import { postReceiverTest, postTemplatePreview } from './preview-api.ts';
import { deleteRecurring, getRecurring, postRecurring } from './recurring-api.ts';
import { getSeen, postBulk, postPreview } from './silences-api.ts';

type Handler = (api: ApiV3, exchange: Exchange) => Promise<HttpResponse>;

/** Everything below /api/v3: what people ask that the original has no answer to. Described in api-v3.md. */
export function registerApiV3(router: Router, api: ApiV3, limit: ConcurrencyLimit): void {
  const methods = new Map<string, string[]>();
  const note = (method: string, path: string): void => {
    methods.set(path, [...(methods.get(path) ?? []), method]);
  };
  const read = (path: string, handler: Handler): void => {
    note('GET', path);
    router.get(
      `/api/v3${path}`,
      guarded((exchange) => limit.run(() => handler(api, exchange))),
    );
  };
  const change = (method: string, path: string, handler: Handler): void => {
    note(method, path);
    router.on(
      method,
      `/api/v3${path}`,
      guarded((exchange) => handler(api, exchange)),
    );
  };
  router.on('OPTIONS', '/api/v3/*', async () => answer(200, {}));
  read('/alerts', getAlertsV3);
  read('/acknowledgements', getAcknowledgements);
  read('/acknowledgements/:id', getAcknowledgement);
  change('POST', '/acknowledgements', postAcknowledgement);
  change('DELETE', '/acknowledgements/:id', deleteAcknowledgement);
  change('POST', '/silences/preview', postPreview);
  change('POST', '/silences/bulk', postBulk);
  read('/silences/recurring', getRecurring);
  change('POST', '/silences/recurring', postRecurring);
  change('DELETE', '/silences/recurring/:id', deleteRecurring);
  read('/silences/:id/seen', getSeen);
  change('POST', '/templates/preview', postTemplatePreview);
  change('POST', '/receivers/:name/test', postReceiverTest);
  change('POST', '/config/check', postConfigCheck);
  read('/doctor', getDoctor);
  read('/explain', getExplanation);
  read('/history', getHistory);
  change('POST', '/explain', postExplanation);
  router.on(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'], '/api/v3/*', unserved(methods));
}

/** Of a path that is not there, or not by this method. */
function unserved(methods: ReadonlyMap<string, readonly string[]>): RouteHandler {
  return async ({ path, request }) => {
    const below = path.slice('/api/v3'.length);
    const known = [...methods].find(([pattern]) => isOf(pattern, below))?.[1];
    if (known === undefined) return refusal(404, 'NOT_FOUND', `there is no ${path}`);
    const list = known.join(', ');
    const refused = refusal(405, 'BAD_METHOD', `${request.method} is not one of ${list}`);
    return { ...refused, headers: { ...refused.headers, allow: list } };
  };
}

function isOf(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  const fits = (part: string, index: number): boolean =>
    part.startsWith(':') || part === given[index];
  return wanted.length === given.length && wanted.every(fits);
}

function refusal(status: number, code: string, message: string): HttpResponse {
  return answer(status, { error: { code: `ALERTMANAGER.${code}`, field: '', message } });
}
