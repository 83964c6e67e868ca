import { API_ERROR_STATUS } from '@pollux/api-types';
import {
  type Env,
  type HttpClientResponse,
  type Net,
  OperatingError,
  type StopSignal,
} from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { type EncodedAnswer, type Engine, QueryError, statsJson } from '@pollux/promql';
import {
  type CoverageSummary,
  MemoryBudget,
  mayMatchAny,
  type Queryable,
  summaryOf,
} from '@pollux/storage';
import { pollCoverage } from './health.ts';
import type { Piece } from './plan.ts';
import type { QueryParams } from './query-params.ts';
import { MemberReadError } from './splice/member-read-error.ts';
import type { Upstream } from './upstream.ts';

/** A query, or steps of it, that is evaluated in the gateway. */
export type HereRequest = {
  readonly exchange: Exchange;
  readonly form: URLSearchParams;
  readonly params: QueryParams;
  readonly piece: Pick<Piece, 'startMs' | 'endMs'>;
};

/** Evaluates over raw series; what the query itself is refused for is an answer. */
export async function evaluateHere(
  { exchange, form, params, piece }: HereRequest,
  queryable: Queryable,
  how: {
    readonly engine: Engine;
    readonly requestTimeoutMs: number;
    readonly maxMemoryBytes: number;
  },
): Promise<HttpClientResponse> {
  const { engine, requestTimeoutMs, maxMemoryBytes } = how;
  const { query, lookbackMs, stepMs, isRange } = params;
  const limit = Number(form.get('limit') ?? 0);
  const wantsStats = (form.get('stats') ?? '') !== '';
  const common = {
    query,
    queryable,
    lookbackMs,
    timeoutMs: requestTimeoutMs,
    signal: exchange.signal,
    budget: new MemoryBudget(maxMemoryBytes, 'max_splice_memory'),
    countsAll: wantsStats,
    limit: Number.isSafeInteger(limit) && limit > 0 ? limit : 0,
  };
  try {
    const answer = isRange
      ? await engine.encoded({ ...common, startMs: piece.startMs, endMs: piece.endMs, stepMs })
      : await engine.encoded({ ...common, timeMs: piece.startMs });
    return jsonResponse(200, bodyOf(answer, wantsStats));
  } catch (error) {
    if (!(error instanceof QueryError) || exchange.signal.aborted) throw error;
    const errorType = error.kind === 'too_many_samples' ? 'execution' : error.kind;
    const body = JSON.stringify({ status: 'error', errorType, error: error.message });
    return jsonResponse(API_ERROR_STATUS[errorType], [new TextEncoder().encode(body)]);
  }
}

/**
 * What a member covers now that it was read; null of one that keeps no report. Rejects with {@link MemberReadError}, as soon as the
 * member is found to be down: it may fall silent between its samples and this.
 */
export async function coverageOnceRead(
  member: Upstream,
  { selectors }: QueryParams,
  how: { readonly env: Env; readonly requestTimeoutMs: number; readonly signal: StopSignal },
): Promise<CoverageSummary | null> {
  // What is told from samples has no newer state to ask for.
  if (member.plain !== null || member.coverage === null) return null;
  const { env, requestTimeoutMs, signal } = how;
  const net: Pick<Net, 'request'> = {
    request: (request) => member.send(env.net, request, signal),
  };
  try {
    const report = await pollCoverage(member, net, requestTimeoutMs);
    if (report === null) return null;
    const subjects = report.subjects.filter(({ subject }) => mayMatchAny(subject, selectors));
    return summaryOf({ ...report, subjects });
  } catch (error) {
    if (signal.aborted || !OperatingError.is(error)) throw error;
    throw new MemberReadError(member, 'no coverage report', { cause: error });
  }
}

function bodyOf(answer: EncodedAnswer, wantsStats: boolean): readonly Uint8Array[] {
  const encoder = new TextEncoder();
  const { annotations, isTruncated, stats } = answer;
  if (answer.body.kind !== 'whole') throw new Error('BUG: an answer in parts without workers');
  const texts = (kind: 'warning' | 'info'): string[] => [
    ...new Set(annotations.filter((one) => one.kind === kind).map(({ text }) => text)),
  ];
  const warnings = [
    ...texts('warning'),
    ...(isTruncated ? ['results truncated due to limit'] : []),
  ];
  const infos = texts('info');
  const { pieces } = answer.body;
  const last = pieces.at(-1);
  if (last === undefined) throw new Error('BUG: an answer without a body');
  const member = wantsStats ? `,"stats":${JSON.stringify(statsJson(stats))}}` : '}';
  const tail = [
    member,
    warnings.length === 0 ? '' : `,"warnings":${JSON.stringify(warnings)}`,
    infos.length === 0 ? '' : `,"infos":${JSON.stringify(infos)}`,
    '}',
  ].join('');
  return [
    encoder.encode('{"status":"success","data":'),
    ...pieces.slice(0, -1),
    // Without the brace that closes `data`: the tail closes it.
    last.subarray(0, -1),
    encoder.encode(tail),
  ];
}

function jsonResponse(status: number, pieces: readonly Uint8Array[]): HttpClientResponse {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: new Uint8Array(Buffer.concat(pieces)),
  };
}
