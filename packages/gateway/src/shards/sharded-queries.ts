import {
  CanceledError,
  type Env,
  errorText,
  type HttpClientResponse,
  type HttpPool,
  type HttpResponse,
  OperatingError,
} from '@pollux/base';
import { type Exchange, formOf, json } from '@pollux/http';
import type { Engine } from '@pollux/promql';
import {
  type CoverageSummary,
  type IntervalSet,
  intervalSet,
  overlaps,
  type Queryable,
} from '@pollux/storage';
import { coverageOnceRead, evaluateHere } from '../evaluate-here.ts';
import { forwardedHeaders } from '../forwarded-headers.ts';
import { knownReplicas } from '../known-replicas.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { type PastView, viewPast } from '../past-view.ts';
import { type Piece, type Plan, planQuery, spansBetween } from '../plan.ts';
import { uncoveredWarning } from '../plan-warnings.ts';
import { reportsOfOthers } from '../query-handler.ts';
import { type QueryParams, readQueryParams } from '../query-params.ts';
import { UnsortedError } from '../splice/member-lane.ts';
import { MemberReadError } from '../splice/member-read-error.ts';
import { MemberReader } from '../splice/member-reader.ts';
import { fetchMemberSettings, type MemberSettings } from '../splice/member-settings.ts';
import { Splice } from '../splice/segments.ts';
import type { EngineDefaults } from '../splice/splice-queries.ts';
import { SplicedSeries } from '../splice/spliced-series.ts';
import { parseAnswer, stitchPieces, withWarnings } from '../stitch.ts';
import { learnGaps } from '../told-gaps.ts';
import { preferredOf, type Upstream } from '../upstream.ts';
import { liveOf, lostShardWarning, type Shard } from './shard.ts';
import { cutByAll, type ShardedPiece } from './shard-plan.ts';
import { ShardUnion } from './shard-union.ts';

/** Evaluated here, whatever the servers have switched on. */
export const SHARDED_LANGUAGE = { experimentalFunctions: true } as const;

export type ShardedQueriesOptions = {
  readonly env: Env;
  readonly metrics: GatewayMetrics;
  readonly shards: readonly Shard[];
  readonly poolOf: (upstream: Upstream) => HttpPool;
  readonly engine: Engine;
  readonly defaults: EngineDefaults;
  readonly lookbackMs: number;
  readonly requestTimeoutMs: number;
  readonly guardMs: number;
  readonly maxMemoryBytes: number;
  readonly replicaLabels: readonly string[];
};

type Asked = {
  readonly exchange: Exchange;
  readonly form: URLSearchParams;
  readonly params: QueryParams;
};

/** One shard in one round of a query. */
type Part = {
  readonly shard: Shard;
  readonly live: readonly Upstream[];
  readonly past: PastView;
  readonly preferred: number;
  readonly plan: Plan;
};

type Reply = {
  readonly piece: ShardedPiece;
  readonly response: HttpClientResponse;
  readonly members: readonly Upstream[];
  readonly summaries: readonly (CoverageSummary | null)[];
};

/**
 * Answers queries over shards as one server that holds all their series. Each shard is planned for by itself, as a group of replicas
 * is (invariant I3); then the expression is evaluated here over the samples of all of them, so that aggregations, joins and
 * whatever else looks at several series sees all. A shard of which nobody answers is named in a warning.
 */
export class ShardedQueries {
  readonly #options: ShardedQueriesOptions;

  constructor(options: ShardedQueriesOptions) {
    this.#options = options;
  }

  async handle(exchange: Exchange, isRange: boolean): Promise<HttpResponse> {
    const { env, lookbackMs } = this.#options;
    const form = await formOf(exchange);
    const nowMs = env.clock.now();
    const language = SHARDED_LANGUAGE;
    const params = readQueryParams(form, isRange, { nowMs, lookbackMs, language });
    if (params === null) return this.#refuse(exchange, isRange);
    try {
      const asked = { exchange, form, params };
      return await (params.selectors.length === 0 ? this.#calculate(asked) : this.#answer(asked));
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

  /** What cannot be read here goes to anyone, whose words say what is wrong with it; an answer would be one shard's alone. */
  async #refuse(exchange: Exchange, isRange: boolean): Promise<HttpResponse> {
    const { shards } = this.#options;
    const anyone = shards.find(({ upstreams }) => upstreams.some(({ isUp }) => isUp)) ?? shards[0]!;
    const refusal = await anyone.queries.handle(exchange, isRange);
    if (refusal.status !== 200) return refusal;
    const error = `shard ${anyone.name} takes this query, but the gateway cannot read it, so it is not evaluated over shards`;
    return json(422, { status: 'error', errorType: 'execution', error });
  }

  /** An expression that reads no series. */
  async #calculate(asked: Asked): Promise<HttpResponse> {
    const { startMs, endMs } = asked.params;
    const nothing = new ShardUnion([], 0);
    const piece = { startMs, endMs };
    const { status, body } = await evaluateHere({ ...asked, piece }, nothing, this.#options);
    return { status, headers: { 'content-type': 'application/json' }, body };
  }

  async #answer(asked: Asked): Promise<HttpResponse> {
    const { shards, metrics } = this.#options;
    const { exchange, params } = asked;
    const lost = new Map<Upstream, string>();
    const found = new Map<Upstream, IntervalSet>();
    let isSorting = false;
    let replanCount = 0;
    const members = shards.reduce((count, { upstreams }) => count + upstreams.length, 0);
    // Each round but the last loses a member, learns what one lacks, or that series must be sorted.
    for (let round = 0; round <= 2 * members + 1; round++) {
      const parts = shards.flatMap((shard) => this.#partOf(shard, params, { lost, found }) ?? []);
      if (parts.length === 0) throw new NoShardError(shards, lost);
      const plans = parts.map(({ plan }) => plan);
      const pieces = cutByAll(plans, params.stepMs);
      const replies = await Promise.allSettled(
        pieces.map((piece) => this.#evaluate(asked, parts, piece, isSorting)),
      );
      const failures = replies.flatMap((reply) =>
        reply.status === 'rejected' ? [reply.reason as unknown] : [],
      );
      if (failures.length > 0) {
        if (exchange.signal.aborted) throw failures[0];
        for (const failure of failures) {
          if (failure instanceof UnsortedError && !isSorting) isSorting = true;
          else if (failure instanceof MemberReadError) this.#lose(failure, lost);
          else throw failure;
        }
        metrics.retries.inc();
        continue;
      }
      const good = replies.flatMap((reply) => (reply.status === 'fulfilled' ? [reply.value] : []));
      if (replanCount < members && learn(good, parts, { params, found })) {
        replanCount++;
        metrics.replans.inc();
        continue;
      }
      return this.#respond(good, parts, lost);
    }
    throw new NoShardError(shards, lost);
  }

  #lose(failure: MemberReadError, lost: Map<Upstream, string>): void {
    const { upstream, isUnable } = failure;
    if (isUnable) {
      throw new OperatingError(
        'GATEWAY.SHARD_UNREADABLE',
        `queries over shards need remote read and the configuration of each member (${errorText(failure)})`,
        { cause: failure },
      );
    }
    const { cause } = failure;
    // A check found it down while it worked: it has not failed itself, and may be asked again.
    if (cause instanceof CanceledError) return;
    this.#options.metrics.failures.with(upstream.name).inc();
    if (OperatingError.is(cause) && cause.code === 'BASE.CONNECTION')
      upstream.markDown(errorText(cause));
    lost.set(upstream, errorText(failure));
  }

  /** Null when nobody of the shard can be asked. */
  #partOf(
    shard: Shard,
    params: QueryParams,
    known: {
      readonly lost: ReadonlyMap<Upstream, string>;
      readonly found: ReadonlyMap<Upstream, IntervalSet>;
    },
  ): Part | null {
    const live = liveOf(shard, known.lost);
    if (live.length === 0) return null;
    const preferred = preferredOf(params.query, shard.upstreams, live);
    const replicas = knownReplicas(live, [], {
      nowMs: this.#options.env.clock.now(),
      lost: new Set(),
      found: (server) => known.found.get(server) ?? [],
    });
    const away = reportsOfOthers(shard.upstreams, live);
    const past = viewPast(replicas, params.selectors, away);
    const plan = planQuery({ ...params, past, preferred, canSplice: true });
    return { shard, live, past, preferred, plan };
  }

  async #evaluate(
    asked: Asked,
    parts: readonly Part[],
    piece: ShardedPiece,
    isSorting: boolean,
  ): Promise<Reply> {
    const { env, requestTimeoutMs, guardMs, defaults } = this.#options;
    const { exchange, params } = asked;
    const sources = parts.map((part, index) =>
      this.#sourceOf(params, part, piece.ofShards[index]!),
    );
    const members = sources.flatMap(({ read }) => read.filter((one) => one !== null));
    const settings = new Map<Upstream, MemberSettings>();
    const how = {
      net: env.net,
      headers: forwardedHeaders(exchange),
      timeoutMs: requestTimeoutMs,
      signal: exchange.signal,
    };
    await Promise.all(
      members.map(async (member) => settings.set(member, await fetchMemberSettings(member, how))),
    );
    const [first] = members;
    if (first !== undefined)
      defaults.evaluationIntervalMs = settings.get(first)!.evaluationIntervalMs;
    const failures: MemberReadError[] = [];
    const series = sources.map(({ splice, read }): Queryable => {
      const readers = read.map((member) =>
        member === null
          ? null
          : this.#readerOf(asked, { member, isSorting, failures }, settings.get(member)!),
      );
      return new SplicedSeries(env.clock, splice, readers);
    });
    const queryable = new ShardUnion(series, guardMs);
    const response = await evaluateHere({ ...asked, piece }, queryable, this.#options);
    const [failure] = failures;
    if (failure !== undefined) throw failure;
    const summaries = await Promise.all(
      members.map((one) =>
        coverageOnceRead(one, params, { ...this.#options, signal: exchange.signal }),
      ),
    );
    return { piece, response, members, summaries };
  }

  /** A replica that answers alone gives its samples as they are; several are put together as for a splice. */
  #sourceOf(
    params: QueryParams,
    { live, past, preferred }: Part,
    piece: Piece,
  ): {
    readonly splice: Splice;
    readonly read: readonly (Upstream | null)[];
  } {
    const { guardMs } = this.#options;
    const spans = spansBetween(params.window, piece.startMs, piece.endMs);
    const span = {
      minMs: Math.min(...spans.map(({ minMs }) => minMs)),
      maxMs: Math.max(...spans.map(({ maxMs }) => maxMs)),
    };
    if (piece.replica !== null) {
      const member = live[piece.replica]!;
      const whole = viewPast([{ name: member.name, report: null }], params.selectors);
      const splice = new Splice(whole, { span, guardMs, preferred: 0 });
      return { splice, read: [member] };
    }
    const splice = new Splice(past, { span, guardMs, preferred });
    const read = splice.spansToRead().map((own, index) => (own === null ? null : live[index]!));
    return { splice, read };
  }

  #readerOf(
    { exchange }: Asked,
    how: {
      readonly member: Upstream;
      readonly isSorting: boolean;
      readonly failures: MemberReadError[];
    },
    settings: MemberSettings,
  ): MemberReader {
    const { requestTimeoutMs: timeoutMs, replicaLabels, metrics, poolOf } = this.#options;
    const { member, isSorting, failures } = how;
    metrics.requests.with(member.name).inc();
    return new MemberReader({
      pool: poolOf(member),
      upstream: member,
      headers: forwardedHeaders(exchange, 'application/x-protobuf'),
      timeoutMs,
      settings,
      replicaLabels,
      isSorting,
      onFailure: (error) => failures.push(error),
    });
  }

  #respond(
    replies: readonly Reply[],
    parts: readonly Part[],
    lost: ReadonlyMap<Upstream, string>,
  ): HttpResponse {
    const { shards, metrics } = this.#options;
    const warnings: string[] = [];
    for (const shard of shards)
      if (!parts.some((part) => part.shard === shard)) warnings.push(lostShardWarning(shard, lost));
    const uncovered = intervalSet(parts.flatMap(({ plan }) => plan.uncovered));
    const gap = uncoveredWarning(uncovered);
    if (gap !== null) {
      warnings.push(gap);
      metrics.uncovered.inc();
    }
    const names = new Set(replies.flatMap(({ members }) => members.map(({ name }) => name)));
    const headers = {
      'content-type': 'application/json',
      'x-pollux-replica': [...names].join(', '),
    };
    const bad = replies.find(({ response }) => response.status !== 200);
    const only = replies.length === 1 ? replies[0] : bad;
    if (only !== undefined && (warnings.length === 0 || only === bad))
      return { status: only.response.status, headers, body: only.response.body };
    if (replies.length > 1) metrics.stitched.inc();
    const answers = replies.map(({ response }) => parseAnswer(response.body, 'gateway'));
    const joined = answers.length === 1 ? answers[0]! : stitchPieces(answers);
    return { status: 200, headers, body: JSON.stringify(withWarnings(joined, warnings)) };
  }
}

class NoShardError extends OperatingError {
  constructor(shards: readonly Shard[], lost: ReadonlyMap<Upstream, string>) {
    super('GATEWAY.NO_SHARD', shards.map((shard) => lostShardWarning(shard, lost)).join('; '));
  }
}

/** Adds to `found` what members lacked once they were read and the plans did not know; true when the query reads any of it. */
function learn(
  replies: readonly Reply[],
  parts: readonly Part[],
  { params, found }: { readonly params: QueryParams; readonly found: Map<Upstream, IntervalSet> },
): boolean {
  const spans = spansBetween(params.window, params.startMs, params.endMs);
  let isNew = false;
  for (const { members, summaries } of replies) {
    for (const [index, member] of members.entries()) {
      const part = parts.find(({ live }) => live.includes(member));
      const planned = part?.past.replicas[part.live.indexOf(member)];
      const told = learnGaps(member, summaries[index] ?? null, planned, found.get(member) ?? []);
      found.set(member, told.found);
      isNew ||= spans.some(({ minMs, maxMs }) => overlaps(told.news, minMs, maxMs + 1));
    }
  }
  return isNew;
}
