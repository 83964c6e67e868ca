import { FunctionError } from './errors.ts';
import { sprintf } from './format/printf.ts';
import { compareTexts, kindOf, plainOf, typeName, type Value } from './value.ts';

/** eq: whether `first` equals any of `others`. Types must agree, as in Go; nil equals nil only. */
export function isEqualToAny(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new FunctionError('missing argument for comparison');
  for (const other of others) if (isEqual(first, other)) return true;
  return false;
}

export function isEqual(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b;
  for (const value of [a, b]) {
    if (isBasic(value)) continue;
    throw new FunctionError(
      sprintf('non-comparable type %s: %s', [value, typeName(value)], Number.POSITIVE_INFINITY),
    );
  }
  if (kindOf(a) !== kindOf(b)) throw incompatible(a, b);
  return plainOf(a) === plainOf(b);
}

export function isLess(a: Value, b: Value): boolean {
  if (!isBasic(a) || !isBasic(b)) throw new FunctionError('invalid type for comparison');
  if (kindOf(a) !== kindOf(b)) throw incompatible(a, b);
  const x = plainOf(a);
  const y = plainOf(b);
  if (typeof x === 'boolean') throw new FunctionError('invalid type for comparison');
  if (typeof x === 'string') return compareTexts(x, y as string) < 0;
  return (x as number | bigint) < (y as number | bigint);
}

export function isAtMost(a: Value, b: Value): boolean {
  return isLess(a, b) || isEqual(a, b);
}

function isBasic(value: Value): boolean {
  return ['bool', 'int', 'float', 'string'].includes(kindOf(value));
}

function incompatible(a: Value, b: Value): FunctionError {
  return new FunctionError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}
