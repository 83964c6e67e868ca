import type { Env, HttpClientRequest, HttpClientResponse, Net } from '@pollux/base';
import { COVERAGE_HEADER, type CoverageReport, type CoverageWire, fromWire } from '@pollux/storage';

/** What the gateway has heard of what its members cover. */
export class CoverageWatch {
  readonly #last = new Map<string, CoverageReport>();
  /** As a test falsifies what the gateway hears. */
  readonly #change: ((report: CoverageWire) => CoverageWire) | null;

  constructor(change: ((report: CoverageWire) => CoverageWire) | null = null) {
    this.#change = change;
  }

  /** The last report of a member. */
  of(member: string): CoverageReport | null {
    return this.#last.get(member) ?? null;
  }

  /** The world of the gateway, whose requests are listened to. */
  watch(env: Env): Env {
    const request = async (asked: HttpClientRequest): Promise<HttpClientResponse> => {
      const answer = await env.net.request(asked);
      const { pathname, hostname } = new URL(asked.url);
      if (pathname !== '/api/v1/pollux/coverage' || answer.status !== 200)
        return this.#change === null ? answer : withoutCoverage(answer);
      const wire: CoverageWire = JSON.parse(new TextDecoder().decode(answer.body));
      this.#last.set(hostname, fromWire(wire));
      if (this.#change === null) return answer;
      return { ...answer, body: new TextEncoder().encode(JSON.stringify(this.#change(wire))) };
    };
    return { ...env, net: withRequest(env.net, request) };
  }
}

function withoutCoverage(answer: HttpClientResponse): HttpClientResponse {
  const { [COVERAGE_HEADER]: _, ...headers } = answer.headers;
  return { ...answer, headers };
}

export function withRequest(net: Net, request: Net['request']): Net {
  return {
    bindUdp: (at, onPacket) => net.bindUdp(at, onPacket),
    listenTcp: (at, onConnection) => net.listenTcp(at, onConnection),
    connectTcp: (to, options) => net.connectTcp(to, options),
    serveHttp: (options, handler) => net.serveHttp(options, handler),
    resolve: (host, signal) => net.resolve(host, signal),
    openPool: (options) => net.openPool(options),
    request,
  };
}
