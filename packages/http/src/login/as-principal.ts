import type { HttpRequest, Principal } from '@pollux/base';

/** The same request as somebody's. */
export function asPrincipal(request: HttpRequest, principal: Principal): HttpRequest {
  const { method, target, headers, remote, signal, protocol, tls } = request;
  return {
    method,
    target,
    headers,
    remote,
    signal,
    principal,
    ...(protocol === undefined ? {} : { protocol }),
    ...(tls === undefined ? {} : { tls }),
    body: (limitBytes) => request.body(limitBytes),
    stream: () => request.stream(),
  };
}
