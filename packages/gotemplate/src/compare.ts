import { FunctionError } from './errors.ts';
import { sprintf } from './format/printf.ts';
import { GoTime } from './time/time.ts';
import {
  compareTexts,
  GoScalar,
  GoStruct,
  kindOf,
  plainOf,
  typeName,
  type Value,
} from './value.ts';

/** eq: whether `first` equals any of `others`. Types must agree, as in Go; nil equals nil only. */
export function isEqualToAny(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new FunctionError('missing argument for comparison');
  for (const other of others) if (isEqual(first, other)) return true;
  return false;
}

export function isEqual(a: Value, b: Value): boolean {
  if (basicKindOf(a) !== basicKindOf(b)) {
    if (a === null || b === null) return false;
    throw incompatible(a, b);
  }
  if (basicKindOf(a) !== null) return plainOf(a) === plainOf(b);
  if (a === null || b === null) return a === b;
  for (const value of [a, b]) {
    if (isComparable(value)) continue;
    const shown = sprintf('%s', [value], Number.POSITIVE_INFINITY);
    throw new FunctionError(`non-comparable type ${shown}: ${typeName(value)}`);
  }
  return isSameValue(a, b);
}

export function isLess(a: Value, b: Value): boolean {
  if (basicKindOf(a) === null || basicKindOf(b) === null) {
    throw new FunctionError('invalid type for comparison');
  }
  if (basicKindOf(a) !== basicKindOf(b)) throw incompatible(a, b);
  const x = plainOf(a);
  const y = plainOf(b);
  if (typeof x === 'boolean') throw new FunctionError('invalid type for comparison');
  if (typeof x === 'string') return compareTexts(x, y as string) < 0;
  return (x as number | bigint) < (y as number | bigint);
}

export function isAtMost(a: Value, b: Value): boolean {
  return isLess(a, b) || isEqual(a, b);
}

function basicKindOf(value: Value): string | null {
  if (isScalarPointer(value)) return null;
  const kind = kindOf(value);
  return ['bool', 'int', 'float', 'string'].includes(kind) ? kind : null;
}

/** Structs compare when all their fields do; lists, maps and functions never. */
function isComparable(value: Value): boolean {
  if (value === null || basicKindOf(value) !== null || isScalarPointer(value)) return true;
  return value instanceof GoStruct && Object.values(value.fields).every(isComparable);
}

/** Pointers to numbers and texts are no basic type, and equal to themselves only. */
function isScalarPointer(value: Value): boolean {
  return value instanceof GoScalar && value.type.name.startsWith('*');
}

function isSameValue(a: Value, b: Value): boolean {
  if (isScalarPointer(a) || isScalarPointer(b)) return a === b;
  if (!(a instanceof GoStruct) || !(b instanceof GoStruct)) return plainOf(a) === plainOf(b);
  if (a.type !== b.type) return false;
  if (a instanceof GoTime && b instanceof GoTime) {
    return a.nanos === b.nanos && a.zone.name === b.zone.name;
  }
  return Object.entries(a.fields).every(([name, field]) =>
    isSameValue(field, b.fields[name] ?? null),
  );
}

function incompatible(a: Value, b: Value): FunctionError {
  return new FunctionError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}
