import { InputError } from '@pollux/base';
import { parseFloatText } from '@pollux/model';

/** One point: a value, a stale marker, or nothing at that time. */
export type SeriesPoint =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'stale' }
  | { readonly kind: 'missing' };

/** A series longer than this is a slip of the repeat count. */
const MAX_POINTS = 10_000_000;

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|[iI]nf|NaN)`;
const WORD = new RegExp(`^(?:(_)|(stale)|(${NUMBER})(?:([+-])(${NUMBER}))?)(?:x(\\d+))?$`);

/**
 * Expands promtool's notation: `1 2 _ stale`, `a+bxn` and `a-bxn` (n + 1 values, each b further), `axn` (n + 1 times a),
 * `_xn` (n times nothing). Throws InputError with the word that is none.
 */
export function parseSeriesValues(text: string): SeriesPoint[] {
  const points: SeriesPoint[] = [];
  if (text.includes('{{')) {
    throw new InputError(
      'RULES.TEST_NOTATION',
      '',
      'native histograms in series of unit tests are not supported yet; use float values',
    );
  }
  for (const word of text.split(/\s+/)) if (word !== '') addWord(word, points);
  return points;
}

function addWord(word: string, points: SeriesPoint[]): void {
  const match = WORD.exec(word);
  const repeat = Number(match?.[6] ?? 0);
  if (match === null || points.length + repeat > MAX_POINTS) throw badWord(word);
  const [, missing, stale, first, sign, second] = match;
  if (missing !== undefined) {
    for (let i = 0; i < Math.max(repeat, match[6] === undefined ? 1 : 0); i++) {
      points.push({ kind: 'missing' });
    }
    return;
  }
  const start = stale === undefined ? parseFloatText(first ?? '') : 0;
  const step = second === undefined ? 0 : parseFloatText(second);
  if (start === null || step === null || (second !== undefined && match[6] === undefined)) {
    throw badWord(word);
  }
  let value = start;
  for (let i = 0; i <= repeat; i++) {
    points.push(stale === undefined ? { kind: 'value', value } : { kind: 'stale' });
    // Step by step, as the peer adds, so that rounding is the same.
    value += sign === '-' ? -step : step;
  }
}

function badWord(word: string): InputError {
  return new InputError(
    'RULES.TEST_NOTATION',
    '',
    `"${word}" is no value; write for example "1 2+3x4 _ stale"`,
  );
}
