import { activeQueryJson } from '@pollux/promql';
import type { ApiHandler } from '../call.ts';
import type { ActiveQueriesPort } from '../ports.ts';
import { ApiError } from '../wire/errors.ts';

/** GET /api/v1/status/active_queries */
export function activeQueries(port: ActiveQueriesPort | null): ApiHandler {
  return () => ({ kind: 'data', data: (port?.list() ?? []).map(activeQueryJson) });
}

/** DELETE, or POST, /api/v1/status/active_queries/:id: the query ends as if its client had gone. */
export function killQuery(port: ActiveQueriesPort | null): ApiHandler {
  return ({ exchange }) => {
    const id = exchange.params.id ?? '';
    if (port?.kill(id) !== true) {
      throw new ApiError('not_found', `no query of id ${JSON.stringify(id)} waits or runs`);
    }
    return { kind: 'data', data: { id } };
  };
}
