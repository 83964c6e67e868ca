import {
  type Env,
  ExchangeError,
  errorText,
  type HttpPool,
  type HttpPoolResponse,
  type HttpRequest,
  type HttpResponse,
  OperatingError,
  StopSource,
  type TlsClientOptions,
} from '@pollux/base';
import type { GatewayMetrics } from '../metrics.ts';
import { LAST_RESORT_MS, type Upstream } from '../upstream.ts';
import { Balancer } from './balancer.ts';
import type { BodyBudget } from './body-budget.ts';
import { type FaultListener, faultText, NO_LIVE_MEMBERS } from './fault.ts';
import { answeredHeaders, type ForwardedHeaders, RequestHeaders } from './forwarded-headers.ts';
import type { GroupConfig } from './group-config.ts';
import { Hedging } from './hedging.ts';
import { MemberPools } from './member-pools.ts';
import type { Peer } from './peer.ts';
import { refusal } from './refusal.ts';
import { isRepeatable } from './repeatable.ts';
import { isUpgrade, openTunnel } from './tunnel.ts';

export type ForwarderOptions = {
  readonly env: Env;
  readonly metrics: GatewayMetrics;
  readonly group: GroupConfig;
  /** Each with the member of the group's configuration that stands at its place. */
  readonly peers: readonly Peer<Upstream>[];
  readonly bodies: BodyBudget;
  readonly onFault: FaultListener;
};

/** One request on its way through the group. */
type Passage = {
  readonly request: HttpRequest;
  readonly target: string;
  readonly headers: ForwardedHeaders;
  readonly body: Uint8Array | undefined;
  readonly isRepeatable: boolean;
  readonly startMs: number;
  readonly tried: Peer<Upstream>[];
  /** Tries that count for none: they met a kept connection that the member had closed. */
  idleTries: number;
  /** Ends the tries under way when the client leaves. */
  readonly stops: Set<StopSource>;
};

type Try = { readonly peer: Peer<Upstream>; readonly stop: StopSource; readonly leave: () => void };
type Outcome = Try & ({ readonly response: HttpPoolResponse } | { readonly error: unknown });

/**
 * Passes requests on to the members of one group: chooses one as nginx would, asks another when it fails and the request may be
 * repeated, and gives its answer to the client as it comes.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #balancer: Balancer<Upstream>;
  readonly #headers: RequestHeaders;
  readonly #pools: MemberPools;
  readonly #hedging: Hedging | null;
  readonly #nextStatuses: ReadonlySet<number>;
  readonly #mostTries: number;
  readonly #counts: ReadonlyMap<Upstream, { inc(): void }>;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    const { group, peers, env, metrics } = options;
    this.#balancer = new Balancer(peers, group.balance, env.clock);
    this.#headers = new RequestHeaders(group.host);
    this.#pools = new MemberPools(env, group);
    this.#hedging = group.hedge === null ? null : new Hedging(group.hedge);
    this.#nextStatuses = new Set(
      group.retry.on.filter((on) => on.startsWith('http_')).map((on) => Number(on.slice(5))),
    );
    const most = peers.filter(({ settings }) => !settings.isDown).length;
    this.#mostTries = group.retry.tries === 0 ? most : Math.min(most, group.retry.tries);
    this.#counts = new Map(peers.map(({ member }) => [member, metrics.requests.with(member.name)]));
  }

  get peers(): readonly Peer<Upstream>[] {
    return this.#options.peers;
  }

  poolOf(member: Upstream): HttpPool {
    return this.#pools.of(member);
  }

  get tls(): TlsClientOptions | undefined {
    return this.#pools.tls;
  }

  async close(): Promise<void> {
    await this.#pools.close();
  }

  /** `target` replaces path and query of the request. Never rejects for what members do. */
  async handle(request: HttpRequest, target: string): Promise<HttpResponse> {
    if (!hasBody(request)) return this.#start(request, target, undefined);
    const { group, bodies, metrics } = this.#options;
    const declared = Number(request.headers['content-length'] ?? Number.NaN);
    // A body that is too large for its group is refused when it is read.
    const room = Number.isNaN(declared) ? null : Math.min(declared, group.max_body_size);
    const held = await bodies.read(room, () => request.body(group.max_body_size));
    if (held === null) {
      metrics.refused.with('bodies').inc();
      const why = `bodies of requests take more than max_buffered_bodies (${bodies.limitBytes} bytes) together`;
      return { status: 503, headers: { 'content-type': 'text/plain' }, body: `${why}\n` };
    }
    try {
      return await this.#start(request, target, held.body);
    } finally {
      held.release();
    }
  }

  async #start(
    request: HttpRequest,
    target: string,
    body: Uint8Array | undefined,
  ): Promise<HttpResponse> {
    const passage: Passage = {
      request,
      target,
      headers: this.#headers.of(request),
      body,
      isRepeatable: isRepeatable(request.method, target),
      startMs: this.#options.env.clock.monotonic(),
      tried: [],
      idleTries: 0,
      stops: new Set(),
    };
    if (isUpgrade(request)) return this.#tunnel(passage);
    const onGone = (): void => {
      for (const stop of passage.stops) stop.abort(request.signal.reason);
    };
    request.signal.addEventListener('abort', onGone);
    const response = await this.#pass(passage);
    if (passage.stops.size === 0) request.signal.removeEventListener('abort', onGone);
    return response;
  }

  async #pass(passage: Passage): Promise<HttpResponse> {
    const { metrics } = this.#options;
    let last: Outcome | null = null;
    for (;;) {
      const peer = this.#mayTryMore(passage) ? this.#take(passage.tried) : null;
      if (peer === null) return this.#giveUp(passage, last);
      if (last !== null) {
        metrics.retries.inc();
        discard(last);
      }
      passage.tried.push(peer);
      const outcome = await this.#ask(passage, peer);
      if (passage.request.signal.aborted) {
        this.#release(outcome, null);
        discard(outcome);
        return { status: 499 };
      }
      if ('response' in outcome && !this.#isForNext(passage, outcome.response)) {
        return this.#answer(outcome, outcome.response);
      }
      this.#fail(passage, outcome);
      last = outcome;
      if ('error' in outcome && !this.#mayFollow(passage, outcome.error)) {
        return this.#giveUp(passage, last);
      }
    }
  }

  /** One member, or two of which the faster counts. */
  async #ask(passage: Passage, peer: Peer<Upstream>): Promise<Outcome> {
    const first = this.#try(passage, peer);
    const delayMs = passage.isRepeatable ? (this.#hedging?.delayMs() ?? null) : null;
    if (delayMs === null) return first;
    const { clock } = this.#options.env;
    const isSlow = await new Promise<boolean>((resolve) => {
      const timer = clock.after(delayMs, () => resolve(true));
      void first.then(() => {
        timer.cancel();
        resolve(false);
      });
    });
    const second = isSlow && this.#mayTryMore(passage) ? this.#take(passage.tried) : null;
    if (second === null) return first;
    passage.tried.push(second);
    this.#hedging?.spend();
    this.#options.metrics.hedges.inc();
    const other = this.#try(passage, second);
    const winner = await Promise.race([first, other]);
    const loser = winner.peer === peer ? other : first;
    if ('error' in winner) {
      this.#fail(passage, winner);
      return loser;
    }
    void loser.then((lost) => {
      this.#release(lost, null);
      discard(lost);
    });
    for (const stop of passage.stops) if (stop !== winner.stop) stop.abort(new Error('hedged'));
    return winner;
  }

  async #try(passage: Passage, peer: Peer<Upstream>): Promise<Outcome> {
    const { env, group } = this.#options;
    const { request, target, headers, body } = passage;
    const { member } = peer;
    const stop = new StopSource();
    passage.stops.add(stop);
    const uncut = member.cutWhenDown(stop);
    const leave = (): void => {
      uncut();
      passage.stops.delete(stop);
    };
    if (request.signal.aborted) stop.abort(request.signal.reason);
    this.#counts.get(member)?.inc();
    const askedMs = env.clock.monotonic();
    try {
      const response = await this.#pools.of(member).exchange({
        method: request.method,
        target: member.basePath + target,
        headers,
        ...(body === undefined ? {} : { body }),
        headTimeoutMs: this.#headTimeoutMs(passage, member, askedMs),
        bodyTimeoutMs: group.read_timeout,
        signal: stop,
      });
      this.#hedging?.observe(env.clock.monotonic() - askedMs);
      return { peer, stop, leave, response };
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      return { peer, stop, leave, error };
    }
  }

  #headTimeoutMs({ startMs }: Passage, member: Upstream, nowMs: number): number {
    const { try_timeout, total_timeout } = this.#options.group;
    const tryMs = member.isUp ? try_timeout : Math.min(try_timeout, LAST_RESORT_MS);
    if (total_timeout === 0) return tryMs;
    return Math.max(1, Math.min(tryMs, Math.ceil(startMs + total_timeout - nowMs)));
  }

  /** Those that are up and prompt, then those that missed a check, then, when none is up, those that ever were. */
  #take(tried: readonly Peer<Upstream>[]): Peer<Upstream> | null {
    const found =
      this.#balancer.take(tried, (member) => member.isUp && !member.isSuspect) ??
      this.#balancer.take(tried, (member) => member.isUp);
    if (found !== null || this.peers.some(({ member }) => member.isUp)) return found;
    return this.#balancer.take(tried, (member) => member.lastUpMs > 0);
  }

  #mayTryMore({ tried, idleTries, startMs }: Passage): boolean {
    const { group, env } = this.#options;
    const { timeout } = group.retry;
    if (tried.length === 0) return true;
    if (tried.length - idleTries >= this.#mostTries) return false;
    const spentMs = env.clock.monotonic() - startMs;
    if (group.total_timeout > 0 && spentMs >= group.total_timeout) return false;
    return timeout === 0 || spentMs < timeout;
  }

  /** An answer that another member should give instead, as long as there is one. */
  #isForNext(passage: Passage, { status }: HttpPoolResponse): boolean {
    return this.#nextStatuses.has(status) && passage.isRepeatable && this.#mayTryMore(passage);
  }

  #mayFollow({ isRepeatable: isSafe }: Passage, error: unknown): boolean {
    const { on } = this.#options.group.retry;
    const isTimeout = error instanceof ExchangeError && error.isTimeout;
    const isSent = !(error instanceof ExchangeError) || error.isSent;
    return on.includes(isTimeout ? 'timeout' : 'error') && (isSafe || !isSent);
  }

  #fail(passage: Passage, outcome: Outcome): void {
    const { request } = passage;
    const { metrics, onFault } = this.#options;
    const { peer } = outcome;
    const { member } = peer;
    metrics.failures.with(member.name).inc();
    outcome.leave();
    const isTakenOut = this.#balancer.release(peer, false);
    const report = { request, upstream: member.url };
    if ('error' in outcome) {
      if (outcome.error instanceof ExchangeError && outcome.error.isKept) passage.idleTries++;
      onFault({ level: 'error', text: faultText(outcome.error), ...report });
      if (member.isChecked && isBroken(outcome.error)) member.markDown(errorText(outcome.error));
    }
    if (isTakenOut) {
      const text = 'upstream server temporarily disabled while connecting to upstream';
      onFault({ level: 'warn', text, ...report });
    }
  }

  #release(outcome: Try, isGood: boolean | null): void {
    outcome.leave();
    this.#balancer.release(outcome.peer, isGood);
  }

  #answer(outcome: Outcome, { status, headers, body }: HttpPoolResponse): HttpResponse {
    const answered = answeredHeaders(headers, outcome.peer.member.name);
    if (body instanceof Uint8Array) {
      this.#release(outcome, true);
      return { status, headers: answered, body };
    }
    return { status, headers: answered, body: this.#whole(outcome, body) };
  }

  /** The member counts as busy until the client has all of it. */
  async *#whole(outcome: Outcome, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } finally {
      this.#release(outcome, true);
    }
  }

  /** The last answer, though it is a bad one, or what the gateway itself has to say. */
  #giveUp({ request }: Passage, last: Outcome | null): HttpResponse {
    if (last !== null && 'response' in last) {
      const { status, headers, body } = last.response;
      return { status, headers: answeredHeaders(headers, last.peer.member.name), body };
    }
    const error = last?.error ?? null;
    if (error === null) {
      this.#options.onFault({ level: 'error', text: NO_LIVE_MEMBERS, request, upstream: '' });
    }
    const members = this.peers.map(({ member }) => member);
    return refusal(this.#options.group.kind, members, error);
  }

  /** A connection in another protocol: only the choice of its member can be repeated. */
  async #tunnel(passage: Passage): Promise<HttpResponse> {
    const { env, group } = this.#options;
    const { request, target, headers, tried } = passage;
    for (;;) {
      const peer = this.#mayTryMore(passage) ? this.#take(tried) : null;
      if (peer === null) return this.#giveUp(passage, null);
      tried.push(peer);
      const { member } = peer;
      this.#counts.get(member)?.inc();
      const leave = (): void => {};
      const attempt = { peer, stop: new StopSource(), leave };
      try {
        const takeOver = await openTunnel(env, {
          request,
          url: member.url,
          target: member.basePath + target,
          headers,
          connectTimeoutMs: group.connect_timeout,
          idleMs: group.read_timeout,
          ...(this.#pools.tls === undefined ? {} : { tls: this.#pools.tls }),
          onEnd: () => this.#release(attempt, true),
        });
        return { status: 101, headers: { 'x-pollux-member': member.name }, takeOver };
      } catch (error) {
        if (!OperatingError.is(error)) throw error;
        const outcome = { ...attempt, error };
        this.#fail(passage, outcome);
        if (!this.#mayFollow(passage, error)) return this.#giveUp(passage, outcome);
      }
    }
  }
}

function hasBody({ method, headers }: HttpRequest): boolean {
  if (headers['content-length'] !== undefined) return headers['content-length'] !== '0';
  if (headers['transfer-encoding'] !== undefined) return true;
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
}

/** The member is gone, as far as this request could see; that it is slow says nothing. */
function isBroken(error: unknown): boolean {
  return error instanceof ExchangeError && !error.isTimeout;
}

/** Lets go of an answer that nobody will read. */
function discard(outcome: Outcome): void {
  if (!('response' in outcome)) return;
  const { body } = outcome.response;
  if (!(body instanceof Uint8Array)) void body[Symbol.asyncIterator]().return?.();
}
