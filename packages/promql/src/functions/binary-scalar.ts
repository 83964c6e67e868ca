import type { BinaryOperator } from '../parser/ast.ts';

/** A pure operation on two floats. */
export type FloatOperation = (left: number, right: number) => number;

const modulo: FloatOperation = (left, right) => left % right;

/** Go's math.Pow differs from `**` where the base is ±1 and the exponent is infinite or NaN. */
function power(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && !Number.isFinite(exponent) && !Number.isNaN(exponent)) return 1;
  return base ** exponent;
}

/** What an arithmetic operator computes. */
export const ARITHMETIC: Readonly<Record<string, FloatOperation>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': modulo,
  '^': power,
  atan2: Math.atan2,
};

/** Whether a comparison holds. */
export const COMPARISONS: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '>': (left, right) => left > right,
  '<=': (left, right) => left <= right,
  '>=': (left, right) => left >= right,
};

/** The value of an operator between two scalars; comparisons give 0 or 1. */
export function scalarResult(operator: BinaryOperator, left: number, right: number): number {
  const arithmetic = ARITHMETIC[operator];
  if (arithmetic !== undefined) return arithmetic(left, right);
  const comparison = COMPARISONS[operator];
  if (comparison !== undefined) return comparison(left, right) ? 1 : 0;
  return Number.NaN;
}
