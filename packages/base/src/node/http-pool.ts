import type { Dispatcher, Pool } from 'undici';
import { CanceledError } from '../errors.ts';
import {
  ExchangeError,
  type HttpPool,
  type HttpPoolOptions,
  type HttpPoolRequest,
  type HttpPoolResponse,
} from '../net.ts';
import type { Asked } from './undici-pool.ts';

/** What may wait for a slow reader; then the server waits. */
const MAX_WAITING_BYTES = 256 * 1024;
const NOTHING = new Uint8Array(0);

/** undici's pool, with answers as they come: its own `request` makes a stream of each, which costs as much as the exchange itself. */
export class NodeHttpPool implements HttpPool {
  readonly #options: HttpPoolOptions;
  #pool: Pool | null = null;
  #serverName = '';
  #loading: Promise<Pool> | null = null;
  #isClosed = false;

  constructor(options: HttpPoolOptions) {
    this.#options = options;
  }

  async exchange(request: HttpPoolRequest): Promise<HttpPoolResponse> {
    const pool = this.#pool ?? (await this.#load());
    return new Promise((resolve, reject) => {
      if (request.signal?.aborted) {
        reject(new CanceledError('request canceled', { cause: request.signal.reason }));
        return;
      }
      const answer = new Answer(this.#options.origin, request.signal ?? null, resolve, reject);
      const asked: Dispatcher.DispatchOptions & Asked = {
        connection: answer,
        servername: this.#serverName,
        method: request.method as Dispatcher.HttpMethod,
        path: request.target,
        headers: request.headers as Record<string, string | string[]>,
        body: request.body ?? null,
        headersTimeout: request.headTimeoutMs,
        bodyTimeout: request.bodyTimeoutMs,
      };
      pool.dispatch(asked, answer);
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#pool?.destroy();
  }

  /** The client is loaded at the first request: a program that makes none saves 4 MB. */
  async #load(): Promise<Pool> {
    this.#loading ??= import('./undici-pool.ts').then(({ openUndiciPool, serverNameOf }) => {
      this.#serverName = serverNameOf(this.#options);
      this.#pool = openUndiciPool(this.#options);
      return this.#pool;
    });
    const pool = await this.#loading;
    if (this.#isClosed) await pool.destroy();
    return pool;
  }
}

/** One exchange: collects what comes before its reader asks, and stops the server when that is too much. */
class Answer implements Dispatcher.DispatchHandler {
  isKept = false;
  readonly #origin: string;
  readonly #signal: HttpPoolRequest['signal'] | null;
  readonly #resolve: (response: HttpPoolResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #chunks: Uint8Array[] = [];
  #waitingBytes = 0;
  #controller: Dispatcher.DispatchController | null = null;
  #isAborted = false;
  #isSent = false;
  #hasHead = false;
  #isEnded = false;
  #error: unknown = null;
  /** Wakes the reader. */
  #wake: (() => void) | null = null;

  constructor(
    origin: string,
    signal: HttpPoolRequest['signal'] | null,
    resolve: (response: HttpPoolResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#origin = origin;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    signal?.addEventListener('abort', this.#onAbort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAborted) controller.abort(new Error('canceled'));
    else this.#isSent = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // An interim answer is for the connection that it came on.
    if (status < 200) return;
    this.#hasHead = true;
    // The rest of what came with the head is here before this runs.
    queueMicrotask(() => {
      const body = this.#isEnded && this.#error === null ? this.#whole() : this.#pieces();
      this.#resolve({ status, headers: headers as Record<string, string | string[]>, body });
    });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) controller.pause();
    this.#notify();
  }

  onResponseEnd(): void {
    this.#isEnded = true;
    this.#leave();
    this.#notify();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#leave();
    this.#fail(error);
  }

  readonly #onAbort = (): void => {
    this.#isAborted = true;
    this.#controller?.abort(new Error('canceled'));
    // Waiting for a connection it cannot be stopped, only be forgotten.
    if (!this.#isSent) this.#fail(new Error('canceled'));
  };

  #fail(error: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = this.#isAborted
      ? new CanceledError('request canceled', { cause: this.#signal?.reason })
      : exchangeError(this.#origin, error, { isSent: this.#isSent, isKept: this.isKept });
    if (!this.#hasHead) this.#reject(this.#error);
    this.#notify();
  }

  #leave(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #whole(): Uint8Array {
    const [first] = this.#chunks;
    if (this.#chunks.length <= 1) return first ?? NOTHING;
    return Buffer.concat(this.#chunks, this.#waitingBytes);
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#waitingBytes -= chunk.length;
          if (this.#waitingBytes <= MAX_WAITING_BYTES / 4) this.#controller?.resume();
          yield chunk;
        } else if (this.#isEnded) {
          if (this.#error !== null) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      if (!this.#isEnded) this.#onAbort();
    }
  }
}

function exchangeError(
  origin: string,
  error: Error,
  how: { readonly isSent: boolean; readonly isKept: boolean },
): ExchangeError {
  const code = 'code' in error ? error.code : '';
  const isTimeout =
    code === 'UND_ERR_CONNECT_TIMEOUT' ||
    code === 'UND_ERR_HEADERS_TIMEOUT' ||
    code === 'UND_ERR_BODY_TIMEOUT' ||
    code === 'ETIMEDOUT';
  return new ExchangeError(origin, { ...how, isTimeout, cause: error });
}
