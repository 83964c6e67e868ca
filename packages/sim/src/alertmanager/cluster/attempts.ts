import type { Env, HttpClientRequest, HttpClientResponse, Net } from '@pollux/base';
import type { HeldEntry } from './held-log.ts';

/** One request of a member to a receiver, as the member sees it. */
export type Attempt = {
  readonly member: string;
  readonly group: number;
  readonly receiver: number;
  /** Alerts by their text, as `g0/1`, in order. */
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  /** When the member sent it. */
  readonly sentMs: number;
  /** By the member's wall clock. */
  readonly sentWallMs: number;
  /** What the member's own log said in that moment; null when it said nothing. */
  readonly held: HeldEntry | null;
  /** When the member learned how it ended; null until then, for good when the member died over it. */
  endedMs: number | null;
  endedWallMs: number | null;
  /** Whether the member has seen it accepted. */
  isTaken: boolean;
};

export type AttemptsOptions = {
  readonly now: () => number;
  /** The host name and the ports of the receivers' requests. */
  readonly isToReceiver: (url: URL) => boolean;
  readonly heldBy: (member: string, group: number, receiver: number) => HeldEntry | null;
};

/** The header that tells the receiver's double which attempt a request is. */
const ATTEMPT_HEADER = 'x-sim-attempt';

/**
 * Keeps of every request to a receiver what its sender's log said when it was sent: whether a message was called for is
 * asked of that, not of the time that has passed since another one.
 */
export class Attempts {
  readonly all: Attempt[] = [];
  readonly #options: AttemptsOptions;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  /** The attempt that a request at the receiver is. */
  of(headers: Readonly<Record<string, string | undefined>>): Attempt | null {
    return this.all[Number(headers[ATTEMPT_HEADER] ?? -1)] ?? null;
  }

  /** The world as a member sees it, which notes what the member sends to receivers. */
  watch(member: string, env: Env): Env {
    const { net } = env;
    const watched: Net = {
      bindUdp: (at, onPacket) => net.bindUdp(at, onPacket),
      listenTcp: (at, onConnection) => net.listenTcp(at, onConnection),
      connectTcp: (to, options) => net.connectTcp(to, options),
      serveHttp: (options, handler) => net.serveHttp(options, handler),
      openPool: (options) => net.openPool(options),
      resolve: (host, signal) => net.resolve(host, signal),
      request: (request) => this.#request(member, env, request),
    };
    return { ...env, net: watched };
  }

  async #request(member: string, env: Env, asked: HttpClientRequest): Promise<HttpClientResponse> {
    const url = new URL(asked.url);
    if (!this.#options.isToReceiver(url)) return env.net.request(asked);
    const receiver = Number(url.pathname.slice(1));
    const content = contentOf(asked.body);
    const attempt: Attempt = {
      ...content,
      member,
      receiver,
      sentMs: this.#options.now(),
      sentWallMs: env.clock.now(),
      held: this.#options.heldBy(member, content.group, receiver),
      endedMs: null,
      endedWallMs: null,
      isTaken: false,
    };
    const headers = { ...asked.headers, [ATTEMPT_HEADER]: String(this.all.length) };
    this.all.push(attempt);
    try {
      const answer = await env.net.request({ ...asked, headers });
      attempt.isTaken = answer.status >= 200 && answer.status < 300;
      return answer;
    } finally {
      attempt.endedMs = this.#options.now();
      attempt.endedWallMs = env.clock.now();
    }
  }
}

type WebhookBody = {
  readonly groupLabels: { readonly group: string };
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: { readonly group: string; readonly index: string };
  }[];
};

function contentOf(body: HttpClientRequest['body']) {
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const { groupLabels, alerts } = JSON.parse(text) as WebhookBody;
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
