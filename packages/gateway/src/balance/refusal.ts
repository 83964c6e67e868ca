import { ExchangeError, errorText, type HttpResponse } from '@pollux/base';
import type { Upstream } from '../upstream.ts';
import type { GroupConfig } from './group-config.ts';

/** What a client is told when no member answered: as nginx before plain HTTP, as Prometheus' API elsewhere. */
export function refusal(
  kind: GroupConfig['kind'],
  members: readonly Upstream[],
  /** Null: none could be asked. */
  error: unknown,
): HttpResponse {
  const isTimeout = error instanceof ExchangeError && error.isTimeout;
  if (kind === 'http') {
    const status = isTimeout ? 504 : 502;
    const text = isTimeout ? '504 Gateway Time-out\n' : '502 Bad Gateway\n';
    return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: text };
  }
  const why =
    error === null
      ? members.map(({ name, lastError }) => `${name}: ${lastError}`).join('; ')
      : errorText(error);
  const answer = {
    status: 'error',
    errorType: 'unavailable',
    error: `no member can answer (${why})`,
  };
  const headers = { 'content-type': 'application/json' };
  return { status: 503, headers, body: JSON.stringify(answer) };
}
