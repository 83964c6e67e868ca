import { NumberText, readAnswer } from '../../../packages/roles/src/influx/answer.ts';

/** Relative; sums of floats are taken in another order. */
const TOLERANCE = 1e-12;

/** Whether two answers say the same: texts to the letter, int64 to the last digit, floats to a part in a million millions. */
export function sameAnswer(a: string, b: string): boolean {
  if (a === b) return true;
  if (!a.startsWith('{') || !b.startsWith('{')) return false;
  return same(readAnswer(a), readAnswer(b));
}

function same(a: unknown, b: unknown): boolean {
  if (a instanceof NumberText && b instanceof NumberText) return sameNumber(a.text, b.text);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    left.length === right.length &&
    left.every(([key, value], i) => key === right[i]?.[0] && same(value, right[i]?.[1]))
  );
}

function sameNumber(a: string, b: string): boolean {
  if (a === b) return true;
  // Whole numbers of InfluxQL have no exponent and no point.
  if (/^-?\d{1,19}$/.test(a) && /^-?\d{1,19}$/.test(b)) return false;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y));
}
