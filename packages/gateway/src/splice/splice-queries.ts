import type { Env, HttpClientResponse, HttpPool } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import type { Engine } from '@pollux/promql';
import type { Span } from '@pollux/promql/parser';
import type { CoverageSummary } from '@pollux/storage';
import { coverageOnceRead, evaluateHere } from '../evaluate-here.ts';
import { forwardedHeaders } from '../forwarded-headers.ts';
import type { PastView } from '../past-view.ts';
import { type Piece, spansBetween } from '../plan.ts';
import type { QueryParams } from '../query-params.ts';
import type { Upstream } from '../upstream.ts';
import { UnsortedError } from './member-lane.ts';
import type { MemberReadError } from './member-read-error.ts';
import { MemberReader } from './member-reader.ts';
import { fetchMemberSettings, type MemberSettings } from './member-settings.ts';
import { Splice } from './segments.ts';
import { HistogramsError } from './spliced-buckets.ts';
import { SplicedSeries } from './spliced-series.ts';

/** What the engine takes from the members' configuration, as it was last seen. */
export type EngineDefaults = { evaluationIntervalMs: number };

export type SpliceQueriesOptions = {
  readonly env: Env;
  readonly engine: Engine;
  readonly defaults: EngineDefaults;
  readonly requestTimeoutMs: number;
  readonly poolOf: (upstream: Upstream) => HttpPool;
  readonly guardMs: number;
  /** Of one query. */
  readonly maxMemoryBytes: number;
  readonly replicaLabels: readonly string[];
  /** Path and query of remote read at the stores among `live`. */
  readonly storePath: string;
};

export type SpliceRequest = {
  readonly exchange: Exchange;
  readonly form: URLSearchParams;
  readonly params: QueryParams;
  readonly piece: Piece;
  /** In the order of `past`. */
  readonly live: readonly Upstream[];
  readonly past: PastView;
  readonly preferred: number;
};

export type SplicedReply = {
  readonly members: readonly Upstream[];
  readonly response: HttpClientResponse;
  /** What the members say, now that they were read, of what they cover. */
  readonly summaries: readonly (CoverageSummary | null)[];
};

/** Evaluates steps that no replica covers alone, here, over raw series put together from several. */
export class SpliceQueries {
  readonly #options: SpliceQueriesOptions;

  constructor(options: SpliceQueriesOptions) {
    this.#options = options;
  }

  /** Rejects with {@link MemberReadError} when a member gave no samples; what the query itself is refused for is an answer. */
  async run(request: SpliceRequest): Promise<SplicedReply> {
    const { env, requestTimeoutMs, guardMs, defaults } = this.#options;
    const { exchange, params, piece, live, past, preferred } = request;
    const span = hull(spansBetween(params.window, piece.startMs, piece.endMs));
    const splice = new Splice(past, { span, guardMs, preferred, storedCopy: preferred });
    const isRead = splice.spansToRead().map((own) => own !== null);
    const members = live.filter((_, replica) => isRead[replica]);
    const readsStore = past.replicas.some(({ isStored }, i) => isStored === true && isRead[i]);
    const asking = { net: env.net, timeoutMs: requestTimeoutMs, signal: exchange.signal };
    const settings = new Map<Upstream, MemberSettings>();
    await Promise.all(
      live.map(async (upstream, replica) => {
        // Stores are read by the labels of the server whose samples are preferred.
        const isStored = past.replicas[replica]?.isStored === true;
        const isNeeded = replica === preferred ? readsStore || isRead[replica] : isRead[replica];
        if (isStored || isNeeded !== true) return;
        const how = { ...asking, headers: forwardedHeaders(exchange) };
        settings.set(upstream, await fetchMemberSettings(upstream, how));
      }),
    );
    const [first] = settings.values();
    const preferredSettings = settings.get(live[preferred]!);
    defaults.evaluationIntervalMs = first?.evaluationIntervalMs ?? defaults.evaluationIntervalMs;
    for (const [replica, upstream] of live.entries()) {
      const isStored = past.replicas[replica]?.isStored === true;
      if (isStored && isRead[replica] === true && preferredSettings !== undefined)
        settings.set(upstream, preferredSettings);
    }
    // Statistics are of samples.
    const mayBucket = (request.form.get('stats') ?? '') === '';
    const response = await this.#read(request, splice, settings, { isSorting: false, mayBucket });
    const summaries = await Promise.all(
      members.map((member) =>
        coverageOnceRead(member, params, { env, requestTimeoutMs, signal: exchange.signal }),
      ),
    );
    return { members, response, summaries };
  }

  async #read(
    request: SpliceRequest,
    splice: Splice,
    settings: ReadonlyMap<Upstream, MemberSettings>,
    how: { readonly isSorting: boolean; readonly mayBucket: boolean },
  ): Promise<HttpClientResponse> {
    const { isSorting } = how;
    const { env, poolOf, requestTimeoutMs: timeoutMs, replicaLabels, storePath } = this.#options;
    const failures: MemberReadError[] = [];
    const headers = forwardedHeaders(request.exchange, 'application/x-protobuf');
    const { live, past } = request;
    const readers = live.map((upstream, replica) => {
      const own = settings.get(upstream);
      if (own === undefined) return null;
      const isStored = past.replicas[replica]?.isStored === true;
      return new MemberReader({
        pool: poolOf(upstream),
        upstream,
        headers,
        timeoutMs,
        settings: own,
        replicaLabels,
        ...(isStored ? { storePath } : { isSorting }),
        onFailure: (error) => failures.push(error),
      });
    });
    const faults: unknown[] = [];
    const series = new SplicedSeries(env.clock, splice, readers, {
      mayBucket: how.mayBucket,
      onFault: (error) => faults.push(error),
    });
    // The query has failed by these, too, and says so in words for who sees no more than an answer.
    const response = await evaluateHere(request, series, this.#options);
    const again = {
      isSorting: isSorting || faults.some((fault) => fault instanceof UnsortedError),
      mayBucket: how.mayBucket && !faults.some((fault) => fault instanceof HistogramsError),
    };
    if (again.isSorting !== isSorting || again.mayBucket !== how.mayBucket)
      return this.#read(request, splice, settings, again);
    const [failure] = failures;
    if (failure !== undefined) throw failure;
    return response;
  }
}

function hull(spans: readonly Span[]): Span {
  return {
    minMs: Math.min(...spans.map(({ minMs }) => minMs)),
    maxMs: Math.max(...spans.map(({ maxMs }) => maxMs)),
  };
}
