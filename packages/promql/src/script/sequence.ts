import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from '@pollux/model';
import { parseHistogramLiteral, repeatHistograms } from './histogram-literal.ts';

/** One point of a series description; null is a gap. */
export type Point =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'stale' }
  | {
      readonly kind: 'histogram';
      readonly histogram: FloatHistogram;
      /** The script named a reset hint, so a result is compared with it. */
      readonly hasHint: boolean;
    };

/**
 * Expands the point notation of promtool's unit tests: `1 2+3x4 _ _x3 stale -1 {{schema:0 count:4}}x2 {{…}}+{{…}}x3`.
 * `a+bxn` gives n + 1 points. Throws Error with the offending text.
 */
export function parseSequence(text: string): (Point | null)[] {
  const points: (Point | null)[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const taken = rest.startsWith('{{') ? takeHistograms(rest, points) : takeWord(rest, points);
    rest = rest.slice(taken).trimStart();
  }
  return points;
}

/** More points of a line than any test has need of. */
const MAX_REPEATS = 100_000;

/** The count behind an `x`. */
export function repeats(text: string): number {
  const count = Number(text);
  if (count > MAX_REPEATS) throw new Error(`more than ${MAX_REPEATS} repetitions: x${text}`);
  return count;
}

function takeHistograms(rest: string, points: (Point | null)[]): number {
  const match = /^(\{\{.*?\}\})(?:([+-])(\{\{.*?\}\}))?(?:x(\d+))?(?=\s|$)/.exec(rest);
  if (match === null) throw new Error(`bad histogram notation: ${rest.slice(0, 60)}`);
  const first = parseHistogramLiteral(match[1]!);
  const step = match[3] === undefined ? null : parseHistogramLiteral(match[3]);
  const count = repeats(match[4] ?? '0');
  const sign = match[2] === '-' ? -1 : 1;
  for (const histogram of repeatHistograms(first.histogram, step?.histogram ?? null, sign, count))
    points.push({ kind: 'histogram', histogram, hasHint: first.hasHint });
  return match[0].length;
}

const NUMBER =
  '[+-]?(?:[0-9]+\\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\\.[0-9]+(?:[eE][+-]?[0-9]+)?|[Ii]nf|NaN)';
const SEQUENCE = new RegExp(`^(${NUMBER})(?:([+-])(${NUMBER}))?(?:x([0-9]+))?$`);

function takeWord(rest: string, points: (Point | null)[]): number {
  const word = /^\S+/.exec(rest)![0];
  const blank = /^_(?:x(\d+))?$/.exec(word);
  if (blank !== null) {
    for (let i = 0; i < repeats(blank[1] ?? '1'); i++) points.push(null);
    return word.length;
  }
  const stale = /^stale(?:x(\d+))?$/.exec(word);
  if (stale !== null) {
    for (let i = 0; i <= repeats(stale[1] ?? '0'); i++) points.push({ kind: 'stale' });
    return word.length;
  }
  const match = SEQUENCE.exec(word);
  if (match === null) throw new Error(`bad value notation: ${word}`);
  const start = parseNumber(match[1]!);
  const step = match[3] === undefined ? 0 : parseNumber(match[3]) * (match[2] === '-' ? -1 : 1);
  let value = start;
  for (let i = 0; i <= repeats(match[4] ?? '0'); i++) {
    points.push({ kind: 'float', value });
    // Upstream adds step by step, so rounding is part of the data.
    value += step;
  }
  return word.length;
}

function parseNumber(text: string): number {
  if (/^\+?[Ii]nf$/.test(text)) return Number.POSITIVE_INFINITY;
  if (/^-[Ii]nf$/.test(text)) return Number.NEGATIVE_INFINITY;
  return Number(text);
}

/** True for histograms with custom buckets. */
export function isCustom(histogram: FloatHistogram): boolean {
  return histogram.schema === CUSTOM_BUCKETS_SCHEMA;
}
