import type { Exchange } from '@pollux/http';

/** Headers that a member may see: who asks and where from, never hop-by-hop ones. */
export function forwardedHeaders(exchange: Exchange, contentType?: string): Record<string, string> {
  const { headers, remote } = exchange.request;
  const sent: Record<string, string> = { 'accept-encoding': 'gzip' };
  for (const name of ['authorization', 'accept', 'user-agent', 'cookie', 'x-request-id']) {
    const value = headers[name];
    if (value !== undefined) sent[name] = value;
  }
  const type = contentType ?? headers['content-type'];
  if (type !== undefined) sent['content-type'] = type;
  const before = headers['x-forwarded-for'];
  sent['x-forwarded-for'] = before === undefined ? remote.host : `${before}, ${remote.host}`;
  if (headers.host !== undefined) sent['x-forwarded-host'] = headers.host;
  return sent;
}
