import { errorText, type HttpClientResponse, type Net, OperatingError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { forwardedHeaders } from '../forwarded-headers.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { LAST_RESORT_MS, type Upstream } from '../upstream.ts';

const MAX_ANSWER_BYTES = 512 * 1024 * 1024;

export type MemberCallsOptions = {
  readonly net: Net;
  readonly metrics: GatewayMetrics;
  readonly requestTimeoutMs: number;
};

/** A request as it goes to any of the members. */
export type MemberCall = {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly contentType?: string;
  readonly body?: Uint8Array | string;
};

/** Asks single members, counts it, and believes a broken connection. */
export class MemberCalls {
  readonly #options: MemberCallsOptions;

  constructor(options: MemberCallsOptions) {
    this.#options = options;
  }

  /** Null and why when the member gave no answer; rejects when the client has left. */
  async ask(
    upstream: Upstream,
    exchange: Exchange,
    call: MemberCall,
  ): Promise<HttpClientResponse | string> {
    const { net, metrics, requestTimeoutMs } = this.#options;
    metrics.requests.with(upstream.name).inc();
    try {
      return await upstream.send(
        net,
        {
          method: call.method,
          url: upstream.url + call.target,
          headers: forwardedHeaders(exchange, call.contentType),
          ...(call.body === undefined ? {} : { body: call.body }),
          timeoutMs: upstream.isUp ? requestTimeoutMs : LAST_RESORT_MS,
          maxBodyBytes: MAX_ANSWER_BYTES,
        },
        exchange.signal,
      );
    } catch (error) {
      if (!OperatingError.is(error) || exchange.signal.aborted) throw error;
      metrics.failures.with(upstream.name).inc();
      if (error.code === 'BASE.CONNECTION') upstream.markDown(errorText(error));
      return `${upstream.name}: ${errorText(error)}`;
    }
  }
}
