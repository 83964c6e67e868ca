import { CanceledError, type Env, errorText, OperatingError } from '@pollux/base';
import { HttpConfigClient, type Variables } from '@pollux/http';
import { retryAfterMs } from './backoff.ts';
import type { RemoteWriteConfig } from './config.ts';

/** What became of one attempt. `retry` is worth repeating, `refused` never will be taken. */
export type SendOutcome =
  | { readonly kind: 'sent' }
  | { readonly kind: 'retry'; readonly reason: string; readonly retryAfterMs: number }
  | { readonly kind: 'refused'; readonly reason: string };

/** Answers are only read for their error text. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const SHOWN_ANSWER_LENGTH = 256;

/** Sends remote write 1.0 requests to one endpoint. */
export class WriteClient {
  readonly #env: Env;
  readonly #config: RemoteWriteConfig;
  readonly #userAgent: string;
  readonly #http: HttpConfigClient;

  constructor(
    env: Env,
    config: RemoteWriteConfig,
    options: {
      readonly userAgent: string;
      readonly resolvePath: (name: string) => string;
      /** The environment's, for proxies. */
      readonly variables: Variables;
    },
  ) {
    this.#env = env;
    this.#config = config;
    this.#userAgent = options.userAgent;
    this.#http = new HttpConfigClient({ ...env, ...options, config: config.client });
  }

  /** `body` is a snappy block. Rejects with CanceledError only when `signal` aborts. */
  async send(body: Uint8Array, attempt: number, signal: AbortSignal): Promise<SendOutcome> {
    const config = this.#config;
    try {
      const answer = await this.#http.request({
        method: 'POST',
        url: config.url,
        headers: {
          ...config.headers,
          'content-encoding': 'snappy',
          'content-type': 'application/x-protobuf',
          'user-agent': this.#userAgent,
          'x-prometheus-remote-write-version': '0.1.0',
          ...(attempt > 0 ? { 'retry-attempt': String(attempt) } : {}),
        },
        body,
        timeoutMs: config.remoteTimeoutMs,
        signal,
        maxBodyBytes: MAX_ANSWER_BYTES,
      });
      return this.#judge(answer.status, answer.headers['retry-after'], answer.body);
    } catch (error) {
      if (signal.aborted) throw new CanceledError('send canceled', { cause: error });
      // A file with a credential that cannot be read now may be readable soon.
      if (OperatingError.is(error) || error instanceof Error) {
        return { kind: 'retry', reason: errorText(error), retryAfterMs: 0 };
      }
      throw error;
    }
  }

  #judge(status: number, retryAfter: string | undefined, answer: Uint8Array): SendOutcome {
    if (status >= 200 && status < 300) return { kind: 'sent' };
    const [line = ''] = new TextDecoder().decode(answer).split('\n', 1);
    const reason = `server returned HTTP status ${status}: ${line.slice(0, SHOWN_ANSWER_LENGTH)}`;
    if (status >= 500 || (status === 429 && this.#config.queue.retryOnHttp429)) {
      return {
        kind: 'retry',
        reason,
        retryAfterMs: retryAfterMs(retryAfter, this.#env.clock.now()),
      };
    }
    return { kind: 'refused', reason };
  }
}
