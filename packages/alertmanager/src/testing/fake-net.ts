import {
  type Clock,
  type HttpClientRequest,
  type HttpClientResponse,
  type HttpPool,
  type HttpPoolOptions,
  type Net,
  OperatingError,
  PoolOverRequests,
  sleep,
  TimeoutError,
} from '@pollux/base';

/** One request that a receiver made, as its endpoint saw it. */
export type Delivery = {
  readonly timeMs: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type Endpoint = (
  delivery: Delivery,
) =>
  | { status: number; body?: string; headers?: Readonly<Record<string, string>> }
  | 'refused'
  | 'silent';

/** A network of one endpoint that records what it gets; only `request` works. For tests. */
export class FakeNet implements Net {
  readonly deliveries: Delivery[] = [];
  endpoint: Endpoint = () => ({ status: 200, body: '{"errcode":0,"errmsg":"ok"}' });
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async request(request: HttpClientRequest): Promise<HttpClientResponse> {
    const delivery: Delivery = {
      timeMs: this.#clock.now(),
      method: request.method,
      url: request.url,
      headers: request.headers ?? {},
      body: typeof request.body === 'string' ? request.body : '',
    };
    this.deliveries.push(delivery);
    const answer = this.endpoint(delivery);
    if (answer === 'refused') throw new OperatingError('BASE.CONNECTION', 'connection refused');
    if (answer === 'silent') {
      const controller = new AbortController();
      request.signal?.addEventListener('abort', () => controller.abort(request.signal?.reason), {
        once: true,
      });
      await sleep(this.#clock, request.timeoutMs, controller.signal);
      throw new TimeoutError(`no answer in ${request.timeoutMs} ms`);
    }
    return {
      status: answer.status,
      headers: answer.headers ?? {},
      body: new TextEncoder().encode(answer.body ?? ''),
    };
  }

  openPool(options: HttpPoolOptions): HttpPool {
    return new PoolOverRequests(this, options);
  }

  bindUdp(): Promise<never> {
    return notServed();
  }

  listenTcp(): Promise<never> {
    return notServed();
  }

  connectTcp(): Promise<never> {
    return notServed();
  }

  serveHttp(): Promise<never> {
    return notServed();
  }

  resolve(): Promise<never> {
    return notServed();
  }
}

function notServed(): Promise<never> {
  return Promise.reject(new OperatingError('TEST.NOT_SERVED', 'this network only takes requests'));
}
