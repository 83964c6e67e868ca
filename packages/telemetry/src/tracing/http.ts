import type { HttpClientRequest, HttpClientResponse, HttpHandler, Net } from '@pollux/base';
import type { Tracing } from './tracing.ts';

/** Each request is a span, of the sender's trace where it tells of one. */
export function tracedHandler(tracing: Tracing, handler: HttpHandler): HttpHandler {
  return (request) => {
    if (!tracing.isOn) return handler(request);
    const { method, headers, remote, protocol = 'HTTP/1.1' } = request;
    const [path = ''] = request.target.split('?', 1);
    const start = () => ({
      name: `${method} ${path}`,
      kind: 'server' as const,
      from: headers,
      attributes: {
        'http.request.method': method,
        'url.path': path,
        'url.scheme': request.tls === undefined ? 'http' : 'https',
        'client.address': remote.host,
        'network.protocol.version': protocol.replace(/^HTTP\//, ''),
        ...(headers.host === undefined ? {} : { 'server.address': headers.host }),
        ...(headers['user-agent'] === undefined
          ? {}
          : { 'user_agent.original': headers['user-agent'] }),
      },
    });
    return tracing.within(start, async (span) => {
      const response = await handler(request);
      span.set({ 'http.response.status_code': response.status });
      if (response.status >= 500) span.fail('');
      return response;
    });
  };
}

/**
 * The network, where each request within a span is one too, and tells the other side of the trace. Of its address only the host
 * and the port are told: those of webhooks are secrets. With `isRoot` each begins a trace of its own instead.
 */
export function tracedNet(tracing: Tracing, net: Net, { isRoot = false } = {}): Net {
  const request = (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const isTraced = isRoot ? tracing.isOn : tracing.isWithin;
    if (!isTraced || !URL.canParse(asked.url)) return net.request(asked);
    const { protocol, hostname, port } = new URL(asked.url);
    const start = () => ({
      name: `HTTP ${asked.method}`,
      kind: 'client' as const,
      isRoot,
      attributes: {
        'http.request.method': asked.method,
        'url.scheme': protocol.slice(0, -1),
        'server.address': hostname,
        'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      },
    });
    return tracing.within(start, async (span) => {
      const response = await net.request({
        ...asked,
        headers: { ...asked.headers, ...tracing.headers() },
      });
      span.set({ 'http.response.status_code': response.status });
      if (response.status >= 400) span.fail('');
      return response;
    });
  };
  return {
    request,
    bindUdp: (at, onPacket) => net.bindUdp(at, onPacket),
    listenTcp: (at, onConnection) => net.listenTcp(at, onConnection),
    connectTcp: (to, options) => net.connectTcp(to, options),
    serveHttp: (options, handler) => net.serveHttp(options, handler),
    expectRequests: () => net.expectRequests?.() ?? null,
    openPool: (options) => net.openPool(options),
    resolve: (host, signal) => net.resolve(host, signal),
  };
}
