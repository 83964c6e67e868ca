import { type QueryOrigin, statsJson } from '@pollux/promql';
import { type Expr, type ParsedQueries, timeSpan } from '@pollux/promql/parser';
import { type Annotation, COVERAGE_HEADER } from '@pollux/storage';
import { type ApiCall, type ApiHandler, TRUNCATED } from '../call.ts';
import type { CoveragePort, QueryPort, QueryPortRequest } from '../ports.ts';
import type { ApiResult } from '../wire/answer.ts';
import { type ApiError, apiErrorOf, badData, invalidParameter } from '../wire/errors.ts';
import {
  durationParameter,
  limitParameter,
  parseApiDuration,
  parseBool,
  timeParameter,
} from '../wire/parameters.ts';

export type QueryHandlerOptions = {
  readonly query: QueryPort;
  readonly coverage: CoveragePort | null;
  /** The engine's lookback, for the samples that an answer may rest on. */
  readonly lookbackMs: number;
  readonly parsed: ParsedQueries;
};

/** Points per series of one range query. */
const MAX_POINTS = 11_000;

/** /api/v1/query */
export function instantQuery(options: QueryHandlerOptions): ApiHandler {
  return (call) => {
    const limit = limitParameter(call.form);
    const timeMs = timeParameter(call.form, 'time', call.nowMs);
    return run(call, limit, { kind: 'instant', timeMs }, options);
  };
}

/** /api/v1/query_range */
export function rangeQuery(options: QueryHandlerOptions): ApiHandler {
  return (call) => {
    const { form } = call;
    const limit = limitParameter(form);
    const startMs = timeParameter(form, 'start');
    const endMs = timeParameter(form, 'end');
    if (endMs < startMs) {
      throw invalidParameter('end', 'end timestamp must not be before start time');
    }
    const step = durationParameter(form, 'step');
    const stepMs = Math.trunc(step);
    if (step <= 0 || stepMs === 0) {
      throw invalidParameter(
        'step',
        'zero or negative query resolution step widths are not accepted. Try a positive integer',
      );
    }
    if (Math.trunc((endMs - startMs) / step) > MAX_POINTS) {
      throw badData(
        'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
      );
    }
    return run(call, limit, { kind: 'range', startMs, endMs, stepMs }, options);
  };
}

async function run(
  call: ApiCall,
  limit: number,
  times: QueryPortRequest['times'],
  options: QueryHandlerOptions,
): Promise<ApiResult> {
  const { form, exchange } = call;
  const timeoutMs = form.get('timeout') ? durationParameter(form, 'timeout') : null;
  const lookbackMs = lookbackParameter(form);
  const query = form.get('query') ?? '';
  const expr = parsed(query, options.parsed);
  const answer = await options.query
    .run({
      query,
      lookbackMs,
      timeoutMs,
      limit,
      times,
      signal: exchange.signal,
      origin: originOf(call),
      perStepStats: form.get('stats') === 'all',
      countsAll: (form.get('stats') ?? '') !== '',
      skipsCache: skipsCache(call),
    })
    .catch((error: unknown) => {
      throw queryError(error);
    });
  const wantsStats = form.get('stats') ?? '';
  const stats = wantsStats === '' ? null : JSON.stringify(statsJson(answer.figures));
  const header = coverageOf(expr, times, lookbackMs, options);
  const member = stats === null ? '' : `,"stats":${stats}`;
  const annotations = [
    ...answer.annotations,
    ...(answer.isTruncated ? [TRUNCATED] : []),
    ...statsWarning(wantsStats),
  ];
  const headers = header === null ? undefined : { [COVERAGE_HEADER]: header };
  const { body } = answer;
  return body.kind === 'parts'
    ? { kind: 'parts', parts: body.parts, last: `${member}}`, annotations, headers }
    : { kind: 'encoded', pieces: withMember(body.pieces, member), annotations, headers };
}

/** VictoriaMetrics' parameter, and what a reload in a browser sends; stats are those of the whole query. */
function skipsCache({ form, exchange }: ApiCall): boolean {
  const control = String(exchange.request.headers['cache-control'] ?? '');
  const isOff = parseBool(form.get('nocache') ?? '') === true;
  return isOff || /\bno-(?:cache|store)\b/i.test(control) || (form.get('stats') ?? '') !== '';
}

function statsWarning(wanted: string): readonly Annotation[] {
  if (wanted === '' || wanted === 'true' || wanted === 'all') return [];
  const text = `value ${JSON.stringify(wanted)} for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`;
  return [{ kind: 'warning', text }];
}

function originOf({ exchange: { request, path } }: ApiCall): QueryOrigin {
  const agent = request.headers['user-agent'];
  return {
    kind: 'http',
    method: request.method,
    path,
    clientIp: request.remote.host,
    userAgent: typeof agent === 'string' ? agent : '',
  };
}

function parsed(query: string, queries: ParsedQueries): Expr {
  try {
    return queries.parse(query);
  } catch (error) {
    throw queryError(apiParseError(error));
  }
}

function apiParseError(error: unknown): unknown {
  return error instanceof Error && 'reason' in error ? badData(error.message) : error;
}

/** A query that the engine refuses is a wrong parameter. */
function queryError(error: unknown): ApiError {
  const known = apiErrorOf(error);
  return known.type === 'bad_data' ? invalidParameter('query', known.message) : known;
}

function lookbackParameter(form: URLSearchParams): number | null {
  const text = form.get('lookback_delta') ?? '';
  if (text === '') return null;
  const parsedMs = parseApiDuration(text);
  if (parsedMs === null) {
    throw badData(
      `error parsing lookback delta duration: cannot parse ${JSON.stringify(text)} to a valid duration`,
    );
  }
  // Zero and less mean the engine's own, as with the peer.
  return parsedMs > 0 ? parsedMs : null;
}

function coverageOf(
  expr: Expr,
  times: QueryPortRequest['times'],
  lookbackMs: number | null,
  options: QueryHandlerOptions,
): string | null {
  if (options.coverage === null) return null;
  const grid =
    times.kind === 'instant' ? { startMs: times.timeMs, endMs: times.timeMs, stepMs: 0 } : times;
  const span = timeSpan(expr, { ...grid, lookbackMs: lookbackMs ?? options.lookbackMs });
  return options.coverage.describe(
    span.selectors.map(({ selector }) => selector.matchers),
    span.overall?.minMs ?? grid.startMs,
    span.overall?.maxMs ?? grid.endMs,
  );
}

/** Puts a member with its comma before the brace that closes the object. */
function withMember(
  pieces: readonly Uint8Array[],
  member: string,
): readonly (string | Uint8Array)[] {
  if (member === '') return pieces;
  return [...pieces.slice(0, -1), pieces.at(-1)!.subarray(0, -1), `${member}}`];
}
