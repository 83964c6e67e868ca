import {
  type Env,
  ExchangeError,
  errorText,
  type HttpClientResponse,
  type HttpResponse,
  OperatingError,
} from '@pollux/base';
import { type Exchange, formOf, json } from '@pollux/http';
import {
  COVERAGE_HEADER,
  type CoverageReport,
  type CoverageSummary,
  decodeHeader,
  type IntervalSet,
  overlaps,
} from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { Coalescer } from './coalescer.ts';
import { forwardedHeaders } from './forwarded-headers.ts';
import { knownReplicas } from './known-replicas.ts';
import type { GatewayMetrics } from './metrics.ts';
import { type PastView, viewPast } from './past-view.ts';
import { type Piece, type Plan, planQuery, spansBetween } from './plan.ts';
import { uncoveredWarning } from './plan-warnings.ts';
import { type QueryParams, readQueryParams } from './query-params.ts';
import { MemberReadError } from './splice/member-read-error.ts';
import type { SpliceQueries } from './splice/splice-queries.ts';
import { type Answer, parseAnswer, stitchPieces, withoutLabels, withWarnings } from './stitch.ts';
import { learnGaps } from './told-gaps.ts';
import { candidates, LAST_RESORT_MS, preferredOf, type Upstream } from './upstream.ts';

const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
/** A refusal is short. */
const MAX_VERDICT_BYTES = 64 * 1024;

export type QueryHandlerOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly metrics: GatewayMetrics;
  readonly upstreams: readonly Upstream[];
  readonly lookbackMs: number;
  readonly requestTimeoutMs: number;
  readonly splices: SpliceQueries;
  /** Read for what none of the others has. */
  readonly stores: readonly Upstream[];
  /** Answers come without them. */
  readonly replicaLabels: readonly string[];
};

/** One piece's reply, with what its replicas said they cover. */
type Reply = {
  readonly piece: Piece;
  readonly members: readonly Upstream[];
  readonly response: HttpClientResponse;
  readonly summaries: readonly (CoverageSummary | null)[];
};

/** What one round of a query goes by. */
type Round = {
  /** Servers, and behind them all stores, which cover nothing while they are away. */
  readonly live: readonly Upstream[];
  readonly past: PastView;
  readonly preferred: number;
};

class NoUpstreamError extends OperatingError {
  constructor(upstreams: readonly Upstream[]) {
    const why = upstreams.map(({ name, lastError }) => `${name}: ${lastError}`).join('; ');
    super('GATEWAY.NO_UPSTREAM', `no server can answer (${why})`);
  }
}

/**
 * Answers `/api/v1/query` and `/api/v1/query_range` as one server that never was down: plans by coverage, asks the
 * replicas, checks each reply against what it says it covers, and plans again when one was short.
 */
export class QueryHandler {
  readonly #options: QueryHandlerOptions;
  readonly #underWay = new Coalescer<HttpResponse>();

  constructor(options: QueryHandlerOptions) {
    this.#options = options;
  }

  async handle(exchange: Exchange, isRange: boolean): Promise<HttpResponse> {
    const { env, lookbackMs, metrics } = this.#options;
    const form = await formOf(exchange);
    const nowMs = env.clock.now();
    const params = readQueryParams(form, isRange, { nowMs, lookbackMs });
    // The moment is fixed here: two replicas must not each take their own now.
    if (!isRange && !form.has('time')) form.set('time', String(nowMs / 1_000));
    try {
      // Many people look at one dashboard: what is being answered already is not asked of the replicas again.
      return await this.#underWay.run(
        queryKey(exchange, form, isRange),
        exchange.signal,
        (signal) => this.#answer({ ...exchange, signal }, form, params),
        () => metrics.coalesced.inc(),
      );
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      const isCanceled = exchange.signal.aborted;
      return json(isCanceled ? 499 : 503, {
        status: 'error',
        errorType: isCanceled ? 'canceled' : 'unavailable',
        error: errorText(error),
      });
    }
  }

  async #answer(
    exchange: Exchange,
    form: URLSearchParams,
    params: QueryParams | null,
  ): Promise<HttpResponse> {
    const { upstreams, stores, metrics } = this.#options;
    const found: (IntervalSet | undefined)[] = [];
    let lastError: unknown = null;
    let replanCount = 0;
    let canSplice = true;
    const lost = new Set<Upstream>();
    // Each round loses a member, is cut short once for each, or learns what one lacks: so it ends within this bound.
    for (let round = 0; round <= 3 * upstreams.length + stores.length; round++) {
      const servers = candidates(upstreams.filter((upstream) => !lost.has(upstream)));
      if (servers.length === 0) break;
      const live = [...servers, ...stores];
      const isLastResort = !servers[0]!.isUp;
      // One expression always starts at the same replica, so that a dashboard does not flicker between two truths.
      const preferred = params === null ? 0 : preferredOf(params.query, upstreams, servers);
      const past = this.#past(live, params, found, lost);
      const plan =
        params === null ? UNPLANNED : planQuery({ ...params, past, preferred, canSplice });
      const asked = { exchange, form, params };
      const replies = await Promise.allSettled(
        plan.pieces.map((piece) => this.#answerPiece(piece, asked, { live, past, preferred })),
      );
      const failed = replies.find((reply) => reply.status === 'rejected');
      if (failed !== undefined) {
        // Another member would take as long, or be refused as well; but a last resort may simply be dead.
        const isWorthMore =
          isRetriable(failed.reason) || (isLastResort && OperatingError.is(failed.reason));
        if (exchange.signal.aborted || !isWorthMore) throw failed.reason;
        for (const [index, reply] of replies.entries()) {
          // A member whose request a failed check cut short has not failed itself: it may be asked again.
          if (reply.status !== 'rejected' || isCutShort(reply.reason)) continue;
          const unread = reply.reason instanceof MemberReadError ? reply.reason : null;
          if (unread?.isUnable === true && !stores.includes(unread.upstream)) canSplice = false;
          else lost.add(unread?.upstream ?? live[plan.pieces[index]!.replica ?? 0]!);
        }
        lastError = failed.reason;
        metrics.retries.inc();
        continue;
      }
      const good = replies.flatMap((reply) => (reply.status === 'fulfilled' ? [reply.value] : []));
      // All servers may have dropped the same samples since their reports.
      const mayReplan = params !== null && replanCount < upstreams.length;
      if (mayReplan && this.#learnGaps(good, params, { live, past, found })) {
        replanCount++;
        metrics.replans.inc();
        continue;
      }
      return this.#respond(good, plan, servers);
    }
    if (!upstreams.some((upstream) => upstream.isUp)) throw new NoUpstreamError(upstreams);
    throw new OperatingError('GATEWAY.NO_ANSWER', 'no server answered', { cause: lastError });
  }

  /** What is known now of `live`, from their last report and from earlier replies to this query. */
  #past(
    live: readonly Upstream[],
    params: QueryParams | null,
    found: readonly (IntervalSet | undefined)[],
    lost: ReadonlySet<Upstream>,
  ): PastView {
    const { env, upstreams, stores } = this.#options;
    const servers = live.filter((upstream) => !stores.includes(upstream));
    const replicas = knownReplicas(servers, stores, {
      nowMs: env.clock.now(),
      lost,
      found: (server) => found[upstreams.indexOf(server)] ?? [],
    });
    return viewPast(replicas, params?.selectors ?? [], reportsOfOthers(upstreams, live));
  }

  async #answerPiece(
    piece: Piece,
    asked: {
      readonly exchange: Exchange;
      readonly form: URLSearchParams;
      readonly params: QueryParams | null;
    },
    round: Round,
  ): Promise<Reply> {
    const { splices, metrics } = this.#options;
    const { exchange, form, params } = asked;
    if (piece.replica !== null || params === null) {
      return this.#ask(round.live[piece.replica ?? 0]!, piece, exchange, form, params);
    }
    try {
      const spliced = await splices.run({ exchange, form, params, piece, ...round });
      metrics.spliced.inc();
      return { piece, ...spliced };
    } catch (error) {
      if (error instanceof MemberReadError) {
        metrics.failures.with(error.upstream.name).inc();
        if (isLoss(error.cause)) error.upstream.markDown(errorText(error.cause));
      }
      throw error;
    }
  }

  async #ask(
    upstream: Upstream,
    piece: Piece,
    exchange: Exchange,
    form: URLSearchParams,
    params: QueryParams | null,
  ): Promise<Reply> {
    const { env, requestTimeoutMs, metrics } = this.#options;
    const sent = new URLSearchParams(form);
    if (params?.isRange === true) {
      sent.set('start', String(piece.startMs / 1_000));
      sent.set('end', String(piece.endMs / 1_000));
    }
    metrics.requests.with(upstream.name).inc();
    try {
      const request = {
        method: 'POST',
        url: upstream.url + exchange.path,
        headers: forwardedHeaders(exchange, 'application/x-www-form-urlencoded'),
        body: sent.toString(),
        timeoutMs: upstream.isUp ? requestTimeoutMs : LAST_RESORT_MS,
        maxBodyBytes: MAX_ANSWER_BYTES,
      };
      const response = await upstream.send(env.net, request, exchange.signal);
      if ((response.status === 503 || response.status === 502) && !isTimedOut(response)) {
        throw new OperatingError(
          'GATEWAY.UPSTREAM_BUSY',
          `member ${upstream.name} answered ${response.status}`,
        );
      }
      return {
        piece,
        members: [upstream],
        response,
        summaries: [decodeHeader(response.headers[COVERAGE_HEADER])],
      };
    } catch (error) {
      metrics.failures.with(upstream.name).inc();
      // A broken connection needs no health check to be believed; the next check brings the member back.
      if (isLoss(error)) upstream.markDown(errorText(error));
      throw error;
    }
  }

  /**
   * Adds to `found` what replies lacked and the plan, made from `past`, did not know; true when the plan must be made
   * again. A report polled since then says nothing of what the plan knew.
   */
  #learnGaps(
    replies: readonly Reply[],
    params: QueryParams,
    round: {
      readonly live: readonly Upstream[];
      readonly past: PastView;
      readonly found: (IntervalSet | undefined)[];
    },
  ): boolean {
    const { upstreams } = this.#options;
    const { live, past, found } = round;
    let isShort = false;
    for (const { piece, members, summaries } of replies) {
      for (const [at, upstream] of members.entries()) {
        const index = upstreams.indexOf(upstream);
        const planned = past.replicas[live.indexOf(upstream)];
        const told = learnGaps(upstream, summaries[at] ?? null, planned, found[index] ?? []);
        found[index] = told.found;
        isShort ||= touches(told.news, piece, params);
      }
    }
    return isShort;
  }

  #respond(replies: readonly Reply[], plan: Plan, live: readonly Upstream[]): HttpResponse {
    const { metrics, replicaLabels } = this.#options;
    const warnings = warningsOf(plan, replies, live);
    const names = [
      ...new Set(replies.flatMap(({ members }) => members.map(({ name }) => name))),
    ].join(', ');
    const headers = { 'content-type': 'application/json', 'x-pollux-replica': names };
    if (plan.uncovered.length > 0) metrics.uncovered.inc();
    const bad = replies.find(({ response }) => response.status !== 200);
    const only = replies.length === 1 ? replies[0] : bad;
    const isAsItIs = warnings.length === 0 && replicaLabels.length === 0;
    if (only !== undefined && (isAsItIs || only === bad)) {
      return { status: only.response.status, headers, body: only.response.body };
    }
    if (replies.length > 1) metrics.stitched.inc();
    const answers: Answer[] = replies.map(({ response, members }) =>
      withoutLabels(parseAnswer(response.body, members[0]?.name ?? ''), replicaLabels),
    );
    const joined = answers.length === 1 ? answers[0]! : stitchPieces(answers);
    return { status: 200, headers, body: JSON.stringify(withWarnings(joined, warnings)) };
  }
}

/** Of members that are not asked, what they have last said. */
export function reportsOfOthers(
  all: readonly Upstream[],
  asked: readonly Upstream[],
): readonly CoverageReport[] {
  return all.flatMap((one) => (asked.includes(one) ? [] : (one.coverage ?? [])));
}

/** Equal for queries that have the same answer for the same person; members look at credentials and cookies themselves. */
function queryKey({ request }: Exchange, form: URLSearchParams, isRange: boolean): string {
  const { authorization = '', cookie = '' } = request.headers;
  return [isRange, form, authorization, cookie].map(String).join('\n');
}

/**
 * A member that gave up a query for its time limit says so by 503 as well, and is in good health: that is an answer.
 * Otherwise one heavy query would take every member down in turn.
 */
function isTimedOut({ headers, body }: HttpClientResponse): boolean {
  if (headers['content-type']?.startsWith('application/json') !== true) return false;
  if (body.length > MAX_VERDICT_BYTES) return false;
  try {
    const answer: unknown = JSON.parse(new TextDecoder().decode(body));
    return (
      typeof answer === 'object' &&
      answer !== null &&
      'errorType' in answer &&
      answer.errorType === 'timeout'
    );
  } catch {
    // Not the API's own words: something before it answers, or it is on its way down.
    return false;
  }
}

/** The member is gone or not able, as far as this request could see. */
function isLoss(error: unknown): boolean {
  if (error instanceof ExchangeError) return !error.isTimeout;
  return (
    OperatingError.is(error) && ['BASE.CONNECTION', 'GATEWAY.UPSTREAM_BUSY'].includes(error.code)
  );
}

function isRetriable(error: unknown): boolean {
  return isLoss(error) || isCutShort(error) || error instanceof MemberReadError;
}

/** The health check found the member down while it was working on the request. */
function isCutShort(error: unknown): boolean {
  if (error instanceof MemberReadError) return isCutShort(error.cause);
  return OperatingError.is(error) && error.code === 'BASE.CANCELED';
}

/** What the gateway cannot read goes to anyone, whose words say what is wrong with it. */
const UNPLANNED: Plan = {
  pieces: [{ replica: 0, startMs: 0, endMs: 0 }],
  uncovered: [],
  isShort: false,
};

function touches(gaps: IntervalSet, piece: Piece, params: QueryParams): boolean {
  const stepMs = Math.max(1, params.stepMs);
  for (let at = piece.startMs; at <= piece.endMs; at += stepMs) {
    const spans = spansBetween(params.window, at, at);
    if (spans.some(({ minMs, maxMs }) => overlaps(gaps, minMs, maxMs + 1))) return true;
  }
  return false;
}

function warningsOf(plan: Plan, replies: readonly Reply[], live: readonly Upstream[]): string[] {
  const warnings: string[] = [];
  const uncovered = uncoveredWarning(plan.uncovered);
  if (uncovered !== null) warnings.push(uncovered);
  if (plan.isShort) {
    warnings.push('some steps were answered by a replica that does not cover them alone');
  }
  const identities = new Set(
    live.flatMap(({ plain, coverage }) =>
      plain === null && coverage !== null ? [coverage.configIdentity] : [],
    ),
  );
  const isSeveral = replies.length > 1 || replies.some(({ members }) => members.length > 1);
  if (isSeveral && identities.size > 1) {
    warnings.push('the replicas run different configurations');
  }
  return warnings;
}
