import {
  type HttpClientRequest,
  type HttpClientResponse,
  type Net,
  OperatingError,
} from '@pollux/base';

/** One request that a receiver made, as its endpoint saw it. */
export type Delivery = {
  readonly timeMs: number;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type Endpoint = (
  delivery: Delivery,
) => { status: number; body?: string } | 'refused' | 'silent';

/** A network of one endpoint that records what it gets; only `request` works. For tests. */
export class FakeNet implements Net {
  readonly deliveries: Delivery[] = [];
  endpoint: Endpoint = () => ({ status: 200, body: '{"errcode":0,"errmsg":"ok"}' });
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  async request(request: HttpClientRequest): Promise<HttpClientResponse> {
    const delivery: Delivery = {
      timeMs: this.#now(),
      url: request.url,
      headers: request.headers ?? {},
      body: typeof request.body === 'string' ? request.body : '',
    };
    this.deliveries.push(delivery);
    const answer = this.endpoint(delivery);
    if (answer === 'refused') throw new OperatingError('BASE.CONNECTION', 'connection refused');
    if (answer === 'silent') {
      return new Promise((_, reject) => {
        request.signal?.addEventListener('abort', () => reject(request.signal?.reason), {
          once: true,
        });
      });
    }
    return {
      status: answer.status,
      headers: {},
      body: new TextEncoder().encode(answer.body ?? ''),
    };
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
