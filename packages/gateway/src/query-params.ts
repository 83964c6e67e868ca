import type { Matcher } from '@pollux/model';
import { parseDuration } from '@pollux/model';
import {
  type Expr,
  isIndependentOfQueryTimes,
  type ParserOptions,
  parseExpr,
  type StepWindow,
  stepWindow,
  walk,
} from '@pollux/promql/parser';

/** An instant or range query as the gateway understands it; the replicas check it again and word the errors. */
export type QueryParams = {
  readonly isRange: boolean;
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
  readonly lookbackMs: number;
  readonly selectors: readonly (readonly Matcher[])[];
  readonly window: StepWindow;
  /** False when the expression reads the times of the whole query (`@ end()`): cut in pieces it would mean another. */
  readonly isDivisible: boolean;
};

/** Null when anything does not parse: a replica then gives Prometheus' own error. */
export function readQueryParams(
  form: URLSearchParams,
  isRange: boolean,
  options: {
    readonly nowMs: number;
    readonly lookbackMs: number;
    readonly language?: ParserOptions;
  },
): QueryParams | null {
  const query = form.get('query') ?? '';
  const lookbackText = form.get('lookback_delta');
  const lookbackMs = lookbackText === null ? options.lookbackMs : readDurationMs(lookbackText);
  const startMs = isRange
    ? readTimeMs(form.get('start'))
    : readTimeMs(form.get('time'), options.nowMs);
  const endMs = isRange ? readTimeMs(form.get('end')) : startMs;
  const stepMs = isRange ? readDurationMs(form.get('step') ?? '') : 0;
  if (startMs === null || endMs === null || stepMs === null || lookbackMs === null) return null;
  if (isRange && (stepMs <= 0 || endMs < startMs || (endMs - startMs) / stepMs > 11_000))
    return null;
  let expr: Expr;
  try {
    expr = parseExpr(query, options.language);
  } catch {
    // The replica's own words say what is wrong with it.
    return null;
  }
  const selectors: (readonly Matcher[])[] = [];
  walk(expr, (node) => {
    if (node.kind === 'vector-selector') selectors.push(node.matchers);
  });
  const window = stepWindow(expr, lookbackMs, { startMs, endMs, stepMs });
  const isDivisible = isIndependentOfQueryTimes(expr);
  return { isRange, query, startMs, endMs, stepMs, lookbackMs, selectors, window, isDivisible };
}

/**
 * Unix seconds with fractions, or RFC 3339. Null beyond the whole numbers that a double holds: there a step adds nothing,
 * and walking the steps would never end.
 */
export function readTimeMs(text: string | null, fallback: number | null = null): number | null {
  if (text === null || text === '') return fallback;
  const timeMs = Math.round(Number(text) * 1_000);
  if (!Number.isNaN(timeMs)) return Number.isSafeInteger(timeMs) ? timeMs : null;
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) ? null : parsed;
}

/** Seconds with fractions, or Prometheus' duration. */
export function readDurationMs(text: string): number | null {
  const seconds = Number(text);
  if (text !== '' && Number.isFinite(seconds)) return Math.round(seconds * 1_000);
  try {
    return parseDuration(text);
  } catch {
    return null;
  }
}
