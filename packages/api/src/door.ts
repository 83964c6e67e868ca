import {
  type Clock,
  type HttpResponse,
  LimitError,
  type StopSignal,
  stopAfter,
  TimeoutError,
} from '@pollux/base';
import { type Exchange, formOf, hasFormBody, type Router } from '@pollux/http';
import type { Log } from '@pollux/telemetry';
import type { ApiCall, ApiHandler, ReadLimits } from './call.ts';
import { CorsPolicy } from './cors.ts';
import { type Guard, type Readiness, readGuard, readinessGuard } from './readiness.ts';
import { respond, respondError } from './wire/answer.ts';
import { apiErrorOf } from './wire/errors.ts';

const API = '/api/v1';
const DEFAULT_READ_TIMEOUT_MS = 120_000;
const DEFAULT_READ_BYTES = 1024 * 1024 * 1024;

export type DoorOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly readiness: () => Readiness;
  /** Longest series, labels or federation request. Default 2 minutes. */
  readonly readTimeoutMs?: number;
  /** Memory of one such request. Default 1 GiB. */
  readonly maxReadBytes?: number;
  /** `--web.cors.origin`. */
  readonly corsOrigin?: string;
};

/** Puts handlers on routes: readiness before, envelope and cross-origin headers after. */
export class ApiDoor {
  readonly router: Router;
  readonly guard: Guard;
  readonly readGuard: Guard;
  readonly limits: ReadLimits;
  readonly #cors: CorsPolicy;
  readonly #log: Log;

  constructor(router: Router, options: DoorOptions) {
    this.router = router;
    this.guard = readinessGuard(options.readiness);
    this.readGuard = readGuard(options.readiness);
    this.limits = {
      clock: options.clock,
      timeoutMs: options.readTimeoutMs ?? DEFAULT_READ_TIMEOUT_MS,
      maxBytes: options.maxReadBytes ?? DEFAULT_READ_BYTES,
    };
    this.#cors = new CorsPolicy(options.corsOrigin);
    this.#log = options.log.with({ component: 'web' });
  }

  get(path: string, handler: ApiHandler, how: { readonly always?: boolean } = {}): void {
    this.#on(['GET', 'HEAD'], path, handler, how.always ? null : this.readGuard);
  }

  /** GET and POST: long queries do not fit a URL. */
  both(path: string, handler: ApiHandler): void {
    this.#on(['GET', 'HEAD', 'POST'], path, handler, this.readGuard);
  }

  write(path: string, handler: ApiHandler): void {
    this.#on(['POST', 'PUT'], path, handler, this.guard);
  }

  /** Not behind `--web.enable-admin-api`: who may ask may also take a question back. */
  kill(path: string, handler: ApiHandler): void {
    this.#on(['DELETE', 'POST'], path, handler, this.readGuard);
  }

  deadlineOf(exchange: Exchange): ReturnType<typeof stopAfter> {
    const { clock, timeoutMs } = this.limits;
    const timeUp = (): Error => new TimeoutError(`request took longer than ${timeoutMs} ms`);
    return stopAfter(clock, timeoutMs, timeUp, exchange.signal);
  }

  #on(methods: readonly string[], path: string, handler: ApiHandler, guard: Guard | null): void {
    this.router.on(methods, API + path, async (exchange) => {
      const answer = guard?.() ?? (await this.#answer(exchange, handler));
      return this.#cors.apply(answer, exchange.request.headers.origin);
    });
    this.router.on('OPTIONS', API + path, async (exchange) =>
      this.#cors.apply({ status: 204 }, exchange.request.headers.origin),
    );
  }

  async #answer(exchange: Exchange, handler: ApiHandler): Promise<HttpResponse> {
    const call = new PendingCall(exchange, this.limits.clock.now(), () =>
      this.deadlineOf(exchange),
    );
    try {
      if (hasFormBody(exchange)) call.form = await formOf(exchange);
      return respond(await handler(call));
    } catch (error) {
      // The router knows what to say to a body that is too long.
      if (error instanceof LimitError && error.code === 'HTTP.BODY_TOO_LARGE') throw error;
      const known = apiErrorOf(error);
      if (known.type === 'internal') {
        this.#log.error('API request failed', { path: exchange.path, err: known.message });
      }
      return respondError(known.type, known.message, known);
    } finally {
      call.release();
    }
  }
}

/**
 * A call whose signal begins when it is first looked at: queries have limits of their own, and to a small one a signal and a timer
 * that nobody looks at are much. A class, since an object literal with a getter is a hidden class of its own for each call, which keeps
 * the call's objects until the next whole collection.
 */
class PendingCall implements ApiCall {
  readonly exchange: Exchange;
  readonly nowMs: number;
  form: URLSearchParams;
  readonly #open: () => ReturnType<typeof stopAfter>;
  #limit: ReturnType<typeof stopAfter> | null = null;

  constructor(exchange: Exchange, nowMs: number, open: () => ReturnType<typeof stopAfter>) {
    this.exchange = exchange;
    this.nowMs = nowMs;
    this.form = exchange.query;
    this.#open = open;
  }

  get signal(): StopSignal {
    this.#limit ??= this.#open();
    return this.#limit.signal;
  }

  release(): void {
    this.#limit?.release();
  }
}
