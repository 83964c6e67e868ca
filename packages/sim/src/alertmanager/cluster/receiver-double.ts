import type { HttpHandler, HttpRequest, HttpResponse } from '@pollux/base';
import { sleep } from '@pollux/base';
import type { SimHost } from '../../sim-world.ts';
import type { ReceiverMode } from './cluster-plan.ts';

export const RECEIVER_PORT = 8060;
const MAX_BODY_BYTES = 1024 * 1024;

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
};

export type Accepted = Delivery & { readonly acceptedMs: number };

type WebhookBody = {
  readonly groupLabels: { readonly group: string };
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: { readonly group: string; readonly index: string };
  }[];
};

/** Webhook receivers `/0`, `/1` … on one host. They keep what they get, and do as their mode says. */
export class ReceiverDouble {
  readonly deliveries: Delivery[] = [];
  readonly modes: ReceiverMode[];
  /** By group and receiver. */
  readonly #accepted = new Map<string, Accepted[]>();
  readonly #host: SimHost;
  readonly #memberOf: (ip: string) => string;
  readonly #answerMs: (mode: ReceiverMode) => number;

  constructor(
    host: SimHost,
    options: {
      readonly count: number;
      readonly memberOf: (ip: string) => string;
      readonly answerMs: (mode: ReceiverMode) => number;
    },
  ) {
    this.#host = host;
    this.modes = Array.from({ length: options.count }, () => 'well' as const);
    this.#memberOf = options.memberOf;
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
    const receiver = Number(request.target.slice(1));
    const body = JSON.parse(new TextDecoder().decode(await request.body(MAX_BODY_BYTES)));
    const delivery = { ...contentOf(body as WebhookBody), receiver };
    const kept: Delivery = {
      ...delivery,
      member: this.#memberOf(request.remote.host),
      beganMs: clock.now(),
      acceptedMs: null,
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

function contentOf({ groupLabels, alerts }: WebhookBody) {
  const withStatus = (status: string): string[] =>
    alerts
      .filter((alert) => alert.status === status)
      .map(({ labels }) => `${labels.group}/${labels.index}`)
      .sort();
  return {
    group: Number(groupLabels.group.slice(1)),
    firing: withStatus('firing'),
    resolved: withStatus('resolved'),
  };
}
