import { errorText, OperatingError, systemCode } from './errors.ts';
import {
  ExchangeError,
  type HttpPool,
  type HttpPoolOptions,
  type HttpPoolRequest,
  type HttpPoolResponse,
  type Net,
} from './net.ts';

/** A pool for networks that know only whole exchanges (the simulator's, tests'): answers come in one piece. */
export class PoolOverRequests implements HttpPool {
  readonly #net: Pick<Net, 'request'>;
  readonly #origin: string;

  constructor(net: Pick<Net, 'request'>, { origin }: HttpPoolOptions) {
    this.#net = net;
    this.#origin = origin;
  }

  async exchange(request: HttpPoolRequest): Promise<HttpPoolResponse> {
    const { method, target, body, signal } = request;
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : value.join(', '),
      ]),
    );
    try {
      return await this.#net.request({
        method,
        url: this.#origin + target,
        headers,
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
        timeoutMs: request.headTimeoutMs,
        maxBodyBytes: Number.MAX_SAFE_INTEGER,
      });
    } catch (error) {
      const code = OperatingError.is(error) ? error.code : '';
      if (code === 'BASE.CANCELED') throw error;
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      const isTimeout = code === 'BASE.TIMEOUT';
      // A refusal says so; of anything else it is not known what the server saw.
      const isSent = systemCode(cause) !== 'ECONNREFUSED';
      throw new ExchangeError(errorText(error), { isSent, isTimeout, cause });
    }
  }

  async close(): Promise<void> {}
}
