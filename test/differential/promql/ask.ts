import type { Times } from './times.ts';

export type HistogramJson = {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [number, string, string, string])[];
};

/** A series of an answer; an instant vector's holds one point. */
export type SeriesJson = {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
  readonly histogram?: readonly [number, HistogramJson];
  readonly histograms?: readonly (readonly [number, HistogramJson])[];
};

/** What the API said. */
export type Answer = {
  readonly status: number;
  readonly errorType: string;
  readonly error: string;
  readonly resultType: string;
  /** Series of a vector or matrix; of a scalar or string, one without labels. */
  readonly series: readonly SeriesJson[];
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
};

type Body = {
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?: { readonly resultType: string; readonly result: readonly unknown[] };
};

const TIMEOUT_MS = 60_000;

/** What the API said of an expression alone. */
export type ExpressionAnswer = {
  readonly status: number;
  readonly errorType: string;
  readonly error: string;
  readonly data: unknown;
};

export async function askExpression(
  base: string,
  page: 'parse_query' | 'format_query',
  query: string,
): Promise<ExpressionAnswer> {
  const response = await fetch(`${base}/api/v1/${page}`, {
    method: 'POST',
    body: new URLSearchParams({ query }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!text.startsWith('{'))
    return { status: response.status, errorType: 'not JSON', error: text, data: null };
  const { errorType = '', error = '', data = null } = JSON.parse(text) as Body;
  return { status: response.status, errorType, error, data };
}

export async function ask(base: string, query: string, times: Times): Promise<Answer> {
  const seconds = (ms: number): string => String(ms / 1_000);
  const form: Record<string, string> =
    times.kind === 'instant'
      ? { query, time: seconds(times.timeMs) }
      : {
          query,
          start: seconds(times.startMs),
          end: seconds(times.endMs),
          step: seconds(times.stepMs),
        };
  const path = times.kind === 'instant' ? 'query' : 'query_range';
  const response = await fetch(`${base}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const body = (await response.json()) as Body;
  const resultType = body.data?.resultType ?? '';
  const result = body.data?.result ?? [];
  const isSingle = resultType === 'scalar' || resultType === 'string';
  return {
    status: response.status,
    errorType: body.errorType ?? '',
    error: body.error ?? '',
    resultType,
    series: isSingle
      ? [{ metric: {}, value: result as unknown as readonly [number, string] }]
      : (result as readonly SeriesJson[]),
    warnings: body.warnings ?? [],
    infos: body.infos ?? [],
  };
}
