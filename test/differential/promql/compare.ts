import { isDeepStrictEqual } from 'node:util';
import type { Expr } from '@pollux/promql/parser';
import type { Answer, ExpressionAnswer, HistogramJson, SeriesJson } from './ask.ts';

/** Where two answers to one query part. */
export type Difference = {
  readonly kind:
    | 'status'
    | 'error'
    | 'tree'
    | 'type'
    | 'series'
    | 'value'
    | 'format'
    | 'order'
    | 'remarks';
  readonly text: string;
};

export type Remarks = { readonly warnings: readonly string[]; readonly infos: readonly string[] };

export const NO_REMARKS: Remarks = { warnings: [], infos: [] };

const TOLERANCE = 1e-9;

/** What an ordered answer is ordered by. */
export type Order = 'values' | 'labels';

/**
 * The first difference; null when there is none. `remarks` are those that 3.x makes and a judging 2.42 does not know; null
 * when a 3.x judges, whose own remarks and errors count.
 */
export function compare(
  ours: Answer,
  theirs: Answer,
  expectation: { readonly remarks: Remarks | null; readonly order: Order | null },
): Difference | null {
  if (ours.status !== theirs.status || ours.errorType !== theirs.errorType) {
    return { kind: 'status', text: `${outcome(ours)} and ${outcome(theirs)}` };
  }
  if (expectation.remarks === null && ours.error !== theirs.error)
    return { kind: 'error', text: `${ours.error} and ${theirs.error}` };
  if (ours.resultType !== theirs.resultType)
    return { kind: 'type', text: `${ours.resultType} and ${theirs.resultType}` };
  return (
    compareSeries(ours.series, theirs.series) ??
    (expectation.order === null
      ? null
      : compareOrder(ours.series, theirs.series, expectation.order)) ??
    compareRemarks(ours, theirs, expectation.remarks ?? NO_REMARKS)
  );
}

function outcome({ status, errorType, error, series }: Answer): string {
  return errorType === ''
    ? `${status} with ${series.length} series`
    : `${status} ${errorType}: ${error}`;
}

function compareSeries(
  ours: readonly SeriesJson[],
  theirs: readonly SeriesJson[],
): Difference | null {
  const others = new Map(theirs.map((series) => [keyOf(series), series]));
  for (const series of ours) {
    const key = keyOf(series);
    const other = others.get(key);
    if (other === undefined)
      return { kind: 'series', text: `only ours has ${key}: ${sketch(series)}` };
    others.delete(key);
    const difference = comparePoints(key, series, other);
    if (difference !== null) return difference;
  }
  for (const [key, other] of others)
    return { kind: 'series', text: `only theirs has ${key}: ${sketch(other)}` };
  return null;
}

function keyOf({ metric }: SeriesJson): string {
  return JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sketch(series: SeriesJson): string {
  return JSON.stringify(series).slice(0, 300);
}

type Points<T> = readonly (readonly [number, T])[];

function comparePoints(key: string, ours: SeriesJson, theirs: SeriesJson): Difference | null {
  return (
    pointsAlike(key, floatsOf(ours), floatsOf(theirs), floatsAlike) ??
    pointsAlike(key, histogramsOf(ours), histogramsOf(theirs), histogramsAlike)
  );
}

const floatsOf = ({ value, values }: SeriesJson): Points<string> =>
  values ?? (value === undefined ? [] : [value]);
const histogramsOf = ({ histogram, histograms }: SeriesJson): Points<HistogramJson> =>
  histograms ?? (histogram === undefined ? [] : [histogram]);

function pointsAlike<T>(
  key: string,
  ours: Points<T>,
  theirs: Points<T>,
  alike: (ours: T, theirs: T) => Difference['kind'] | null,
): Difference | null {
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const [our, their] = [ours[i], theirs[i]];
    const kind =
      our === undefined || their === undefined || our[0] !== their[0]
        ? 'series'
        : alike(our[1], their[1]);
    if (kind !== null)
      return { kind, text: `${key} ours ${JSON.stringify(our)}, theirs ${JSON.stringify(their)}` };
  }
  return null;
}

function floatsAlike(ours: string, theirs: string): Difference['kind'] | null {
  if (ours === theirs) return null;
  const [a, b] = [numberOf(ours), numberOf(theirs)];
  // Prometheus writes each number one way.
  if (Object.is(a, b)) return 'format';
  return areClose(a, b) ? null : 'value';
}

/** Equal to a billionth of the larger one. NaN and infinities are only like themselves. */
export function areClose(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  return Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}

function numberOf(text: string): number {
  return text.endsWith('Inf') ? Number(text.replace('Inf', 'Infinity')) : Number(text);
}

function histogramsAlike(ours: HistogramJson, theirs: HistogramJson): Difference['kind'] | null {
  const a = ours.buckets ?? [];
  const b = theirs.buckets ?? [];
  const pairs: [string, string][] = [
    [ours.count, theirs.count],
    [ours.sum, theirs.sum],
    [String(a.length), String(b.length)],
    ...a.flatMap((bucket, i) =>
      bucket.map((field, k): [string, string] => [String(field), String(b[i]?.[k])]),
    ),
  ];
  for (const [our, their] of pairs) {
    const kind = floatsAlike(our, their);
    if (kind !== null) return kind;
  }
  return null;
}

/** Series of equal values may come in any order among themselves. */
function compareOrder(
  ours: readonly SeriesJson[],
  theirs: readonly SeriesJson[],
  order: Order,
): Difference | null {
  for (const [i, series] of ours.entries()) {
    const { value } = series;
    if (order === 'labels') {
      const [our, their] = [keyOf(series), keyOf(theirs[i]!)];
      if (our !== their) return { kind: 'order', text: `at ${i}: ${our} and ${their}` };
      continue;
    }
    const [our, their] = [value?.[1] ?? '', theirs[i]?.value?.[1] ?? ''];
    if (floatsAlike(our, their) !== null)
      return { kind: 'order', text: `at ${i}: ${our} and ${their}` };
  }
  return null;
}

/** By what the answer to an instant query is ordered; null when in no way. */
export function orderOf(expr: Expr | null): Order | null {
  if (expr?.kind === 'call' && /^sort_by_label/.test(expr.signature.name)) return 'labels';
  return expr?.kind === 'call' && /^sort/.test(expr.signature.name) ? 'values' : null;
}

function compareRemarks(ours: Answer, theirs: Answer, wanted: Remarks): Difference | null {
  const expected = [
    shownRemarks(theirs.warnings, wanted.warnings),
    shownRemarks(theirs.infos, wanted.infos),
  ];
  const found = [shownRemarks(ours.warnings, []), shownRemarks(ours.infos, [])];
  return isDeepStrictEqual(found, expected)
    ? null
    : { kind: 'remarks', text: `${JSON.stringify(found)}, expected ${JSON.stringify(expected)}` };
}

/** Which remarks are told when there are too many is chance; how many there are is not. */
function shownRemarks(remarks: readonly string[], more: readonly string[]): readonly string[] {
  const rest = remarks.find((text) => /^\d+ more \w+ annotations omitted$/.test(text));
  return rest === undefined ? [...remarks, ...more].sort() : [`${remarks.length}`, rest];
}

/** The first difference between what was said of an expression. */
export function compareExpressions(
  ours: ExpressionAnswer,
  theirs: ExpressionAnswer,
): Difference | null {
  const said = ({ status, errorType, error }: ExpressionAnswer): string =>
    status === 200 ? '200' : `${status} ${errorType}: ${error}`;
  if (said(ours) !== said(theirs))
    return { kind: 'error', text: `${said(ours)}\n  and ${said(theirs)}` };
  if (isDeepStrictEqual(ours.data, theirs.data)) return null;
  return {
    kind: 'tree',
    text: `${JSON.stringify(ours.data)}\n  and ${JSON.stringify(theirs.data)}`,
  };
}
