import { type Clock, type HttpHandler, type HttpResponse, LimitError } from '@pollux/base';
import { type Exchange, json, Router, text } from '@pollux/http';
import { dingtalkSignature, isSignature } from '../notify/receivers/dingtalk/signature.ts';
import { contentOf, type SinkMessage } from './message.ts';
import { sinkPage } from './page.ts';

const MAX_CLOCK_DIFFERENCE_MS = 3_600_000;
const MAX_BODY_BYTES = 1024 * 1024;
/** What the real service takes. */
const MAX_MESSAGE_BYTES = 20_000;
const RATE_WINDOW_MS = 60_000;
const MESSAGES_PER_WINDOW = 20;

export type DingtalkSinkOptions = {
  readonly clock: Clock;
  /** Key of the signature; empty takes unsigned messages. */
  readonly secret: string;
  /** The access token that is taken; null takes any that is not empty. */
  readonly accessToken?: string | null;
  /** A message must hold it; empty for none. */
  readonly keyword?: string;
  /** Refuse more than 20 messages in a minute, as the service does. */
  readonly limitsRate?: boolean;
  /** Messages kept; older ones are forgotten. */
  readonly capacity?: number;
};

/** The service's answer. */
type Verdict = { readonly errcode: number; readonly errmsg: string };

const ACCEPTED: Verdict = { errcode: 0, errmsg: 'ok' };

/**
 * A double of DingTalk's robot endpoint for demonstrations and drills: it checks what the service checks, keeps the
 * messages and shows them. `POST /robot/send`, `GET /messages`, `GET /`, `POST /fail?n=` (refuse the next n).
 */
export function createDingtalkSink(options: DingtalkSinkOptions): HttpHandler {
  const sink = new Sink(options);
  const router = new Router({ monotonic: () => options.clock.monotonic() });
  router.post('/robot/send', async (exchange) => json(200, await sink.receive(exchange)));
  router.get('/messages', async () => json(200, sink.messages));
  router.on('DELETE', '/messages', async () => {
    sink.clear();
    return text(200, 'ok\n');
  });
  router.post('/fail', async (exchange) => sink.failNext(exchange));
  router.get('/-/healthy', async () => text(200, 'OK'));
  router.get('/-/ready', async () => text(200, 'OK'));
  router.get('/', async () => ({
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: sinkPage(sink.messages),
  }));
  return router.handler;
}

class Sink {
  readonly #options: DingtalkSinkOptions;
  readonly #capacity: number;
  readonly #acceptedMs: number[] = [];
  #messages: SinkMessage[] = [];
  #failures = 0;

  constructor(options: DingtalkSinkOptions) {
    this.#options = options;
    this.#capacity = options.capacity ?? 1_000;
  }

  get messages(): readonly SinkMessage[] {
    return this.#messages;
  }

  clear(): void {
    this.#messages = [];
  }

  failNext(exchange: Exchange): HttpResponse {
    const count = Number(exchange.query.get('n') ?? '1');
    if (!Number.isSafeInteger(count) || count < 0) {
      return text(400, 'n must be a whole number, as /fail?n=3\n');
    }
    this.#failures = count;
    return json(200, { failing: count });
  }

  async receive(exchange: Exchange): Promise<Verdict> {
    const refusal = this.#checkCaller(
      exchange.query,
      exchange.request.headers['content-type'] ?? '',
    );
    if (refusal !== null) return refusal;
    const body = await readBody(exchange);
    if (!('message' in body)) return body;
    const content = contentOf(body.message);
    if (content === null) return { errcode: 40035, errmsg: 'missing or invalid parameter json' };
    const { keyword = '' } = this.#options;
    if (!content.includes(keyword)) {
      return { errcode: 310000, errmsg: 'keywords not in content' };
    }
    if (this.#failures > 0) {
      this.#failures--;
      return { errcode: -1, errmsg: 'system busy' };
    }
    const nowMs = this.#options.clock.now();
    if (this.#isTooFast(nowMs)) {
      return { errcode: 130101, errmsg: 'send too fast, exceed 20 times per minute' };
    }
    this.#messages.push({
      receivedAt: nowMs,
      accessToken: exchange.query.get('access_token') ?? '',
      body: body.message,
    });
    if (this.#messages.length > this.#capacity) this.#messages.shift();
    return ACCEPTED;
  }

  #checkCaller(query: URLSearchParams, contentType: string): Verdict | null {
    const { secret, accessToken = null, clock } = this.#options;
    const token = query.get('access_token') ?? '';
    if (token === '' || (accessToken !== null && token !== accessToken)) {
      return { errcode: 300001, errmsg: 'token is not exist' };
    }
    if (!contentType.startsWith('application/json')) {
      return { errcode: 43004, errmsg: 'content type must be application/json' };
    }
    if (secret === '') return null;
    const timestampMs = Number(query.get('timestamp') ?? '');
    const isFresh = Math.abs(clock.now() - timestampMs) <= MAX_CLOCK_DIFFERENCE_MS;
    if (!Number.isSafeInteger(timestampMs) || !isFresh) {
      return { errcode: 310000, errmsg: 'invalid timestamp' };
    }
    const expected = dingtalkSignature(secret, timestampMs);
    if (!isSignature(query.get('sign') ?? '', expected)) {
      return { errcode: 310000, errmsg: 'sign not match' };
    }
    return null;
  }

  #isTooFast(nowMs: number): boolean {
    if (this.#options.limitsRate !== true) return false;
    while (this.#acceptedMs.length > 0 && this.#acceptedMs[0]! <= nowMs - RATE_WINDOW_MS) {
      this.#acceptedMs.shift();
    }
    if (this.#acceptedMs.length >= MESSAGES_PER_WINDOW) return true;
    this.#acceptedMs.push(nowMs);
    return false;
  }
}

async function readBody(
  exchange: Exchange,
): Promise<Verdict | { readonly message: Readonly<Record<string, unknown>> }> {
  try {
    const bytes = await exchange.request.body(MAX_BODY_BYTES);
    if (bytes.length > MAX_MESSAGE_BYTES)
      return { errcode: 460101, errmsg: 'message too long, exceed 20000 bytes' };
    const value = JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    if (typeof value !== 'object' || value === null) {
      return { errcode: 40035, errmsg: 'missing or invalid parameter json' };
    }
    return { message: value as Readonly<Record<string, unknown>> };
  } catch (error) {
    if (error instanceof SyntaxError)
      return { errcode: 40035, errmsg: 'missing or invalid parameter json' };
    if (error instanceof LimitError)
      return { errcode: 460101, errmsg: 'message too long, exceed 20000 bytes' };
    throw error;
  }
}
