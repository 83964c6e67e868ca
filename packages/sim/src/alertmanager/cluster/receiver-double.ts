import type { HttpHandler, HttpRequest, HttpResponse } from '@pollux/base';
import { sleep } from '@pollux/base';
import type { SimHost } from '../../sim-world.ts';
import type { Attempt, Attempts } from './attempts.ts';
import type { ReceiverMode } from './cluster-plan.ts';

export const RECEIVER_PORT = 8060;

/** A request of a member at a receiver. */
export type Delivery = {
  readonly member: string;
  readonly receiver: number;
  readonly group: number;
  /** Alerts by their text, as `g0/1`. */
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  /** When the request arrived. */
  readonly beganMs: number;
  /** When the receiver had taken it over; null when it did not. It may be that the sender never heard of it. */
  acceptedMs: number | null;
  /** The same as its sender saw it. */
  readonly attempt: Attempt;
};

export type Accepted = Delivery & { readonly acceptedMs: number };

/** Webhook receivers `/0`, `/1` … on one host. They keep what they get, and do as their mode says. */
export class ReceiverDouble {
  readonly deliveries: Delivery[] = [];
  readonly modes: ReceiverMode[];
  /** By group and receiver. */
  readonly #accepted = new Map<string, Accepted[]>();
  readonly #host: SimHost;
  readonly #attempts: Attempts;
  readonly #answerMs: (mode: ReceiverMode) => number;

  constructor(
    host: SimHost,
    options: {
      readonly count: number;
      readonly attempts: Attempts;
      readonly answerMs: (mode: ReceiverMode) => number;
    },
  ) {
    this.#host = host;
    this.modes = Array.from({ length: options.count }, () => 'well' as const);
    this.#attempts = options.attempts;
    this.#answerMs = options.answerMs;
  }

  /** What a receiver took over about a group, in that order. */
  accepted(group: number, receiver: number): readonly Accepted[] {
    return this.#accepted.get(`${group} ${receiver}`) ?? [];
  }

  async start(): Promise<void> {
    const at = { host: this.#host.ip, port: RECEIVER_PORT };
    const handler: HttpHandler = (request) => this.#take(request);
    await this.#host.env.net.serveHttp({ at, maxConnections: 999, readTimeoutMs: 5_000 }, handler);
  }

  async #take(request: HttpRequest): Promise<HttpResponse> {
    const { clock } = this.#host.env;
    const attempt = this.#attempts.of(request.headers);
    if (attempt === null) throw new RangeError('a request of nobody that is watched');
    const { member, receiver, group, firing, resolved } = attempt;
    const kept: Delivery = {
      member,
      receiver,
      group,
      firing,
      resolved,
      beganMs: clock.now(),
      acceptedMs: null,
      attempt,
    };
    this.deliveries.push(kept);
    const mode = this.modes[receiver] ?? 'well';
    // Whoever hangs up does not stop a receiver that has the request.
    if (mode === 'hangs') await new Promise<never>(() => {});
    await sleep(clock, this.#answerMs(mode));
    if (mode === 'fails') return { status: 503 };
    if (mode === 'refuses') return { status: 400 };
    const acceptedMs = clock.now();
    kept.acceptedMs = acceptedMs;
    const key = `${kept.group} ${receiver}`;
    this.#accepted.set(key, [...(this.#accepted.get(key) ?? []), { ...kept, acceptedMs }]);
    return { status: 200 };
  }
}
