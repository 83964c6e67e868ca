import { isAtMost, isEqualToAny, isLess } from './compare.ts';
import { FunctionError } from './errors.ts';
import { escapeHtml, escapeJs, escapeUrlQuery } from './escape.ts';
import { printAll, printLine } from './format/print.ts';
import { sprintf } from './format/printf.ts';
import {
  entryAt,
  type GoFunctionSpec,
  GoList,
  GoMap,
  isTrue,
  kindOf,
  listItems,
  type MapKey,
  mapEntries,
  plainOf,
  textOf,
  typeName,
  type Value,
} from './value.ts';

/** Evaluated by the executor itself, since they do not evaluate all their arguments or call one. */
export const SPECIAL_BUILTINS: ReadonlySet<string> = new Set(['and', 'or', 'call']);

/** Go's predefined functions, without those of {@link SPECIAL_BUILTINS}. `maxLength` bounds texts they make. */
export function builtins(maxLength: number): Readonly<Record<string, GoFunctionSpec>> {
  return {
    not: { params: ['any'], call: ([value]) => !isTrue(value!) },
    len: { params: ['any'], call: ([value]) => lengthOf(value!) },
    index: { params: ['any'], variadic: 'any', call: ([value, ...at]) => indexInto(value!, at) },
    slice: { params: ['any'], variadic: 'any', call: ([value, ...at]) => sliceOf(value!, at) },
    print: { params: [], variadic: 'any', call: (values) => printAll(values) },
    println: { params: [], variadic: 'any', call: printLine },
    printf: {
      params: ['string'],
      variadic: 'any',
      call: ([format, ...values]) => sprintf(String(format), values, maxLength),
    },
    html: { params: [], variadic: 'any', call: (values) => escapeHtml(joined(values)) },
    js: { params: [], variadic: 'any', call: (values) => escapeJs(joined(values)) },
    urlquery: { params: [], variadic: 'any', call: (values) => escapeUrlQuery(joined(values)) },
    eq: { params: ['any'], variadic: 'any', call: ([a, ...others]) => isEqualToAny(a!, others) },
    ne: { params: ['any', 'any'], call: ([a, b]) => !isEqualToAny(a!, [b!]) },
    lt: { params: ['any', 'any'], call: ([a, b]) => isLess(a!, b!) },
    le: { params: ['any', 'any'], call: ([a, b]) => isAtMost(a!, b!) },
    gt: { params: ['any', 'any'], call: ([a, b]) => !isAtMost(a!, b!) },
    ge: { params: ['any', 'any'], call: ([a, b]) => !isLess(a!, b!) },
  };
}

/** What the escapers work on: a lone string as it is, anything else as print shows it. */
function joined(values: readonly Value[]): string {
  const [first] = values;
  if (values.length === 1 && typeof first === 'string') return first;
  return printAll(values.map((value) => value ?? '<no value>'));
}

function lengthOf(value: Value): bigint {
  const text = textOf(value);
  if (text !== null) return BigInt(new TextEncoder().encode(text).length);
  const items = listItems(value);
  if (items !== null) return BigInt(items.length);
  const entries = mapEntries(value);
  if (entries !== null) return BigInt(entries.size);
  if (value === null) throw new FunctionError('len of nil pointer');
  throw new FunctionError(`len of type ${typeName(value)}`);
}

function indexInto(value: Value, indexes: readonly Value[]): Value {
  let current = value;
  if (current === null) throw new FunctionError('index of untyped nil');
  for (const index of indexes) {
    if (current === null) throw new FunctionError('index of nil pointer');
    current = indexOnce(current, index);
  }
  return current;
}

function indexOnce(value: Value, index: Value): Value {
  const entries = mapEntries(value);
  if (entries !== null) {
    const found = entryAt(value, keyOf(value, index));
    if (found !== undefined) return found;
    return value instanceof GoMap ? value.type.zero : null;
  }
  const text = textOf(value);
  const bytes = text === null ? null : new TextEncoder().encode(text);
  const items = listItems(value);
  const size = bytes?.length ?? items?.length;
  if (size === undefined) throw new FunctionError(`can't index item of type ${typeName(value)}`);
  const at = position(index, size - 1);
  return bytes === null ? (items?.[at] ?? null) : BigInt(bytes[at] ?? 0);
}

/** A map's keys are of one type; that of the first tells which. */
function keyOf(value: Value, index: Value): MapKey {
  const first = mapEntries(value)?.keys().next().value;
  const expected = first === undefined || typeof first === 'string' ? 'string' : kindOf(first);
  if (index === null) throw new FunctionError(`value is nil; should be of type ${expected}`);
  const plain = plainOf(index);
  if (kindOf(plain) !== expected) {
    const shown = expected === 'float' ? 'float64' : expected;
    throw new FunctionError(`value has type ${typeName(index)}; should be ${shown}`);
  }
  return plain as MapKey;
}

function position(at: Value, largest: number): number {
  if (at === null) throw new FunctionError('cannot index slice/array with nil');
  const index = plainOf(at);
  if (typeof index !== 'bigint') {
    throw new FunctionError(`cannot index slice/array with type ${typeName(at)}`);
  }
  if (index < 0n || index > BigInt(largest))
    throw new FunctionError(`index out of range: ${index}`);
  return Number(index);
}

function sliceOf(value: Value, indexes: readonly Value[]): Value {
  if (value === null) throw new FunctionError('slice of untyped nil');
  if (indexes.length > 3) throw new FunctionError(`too many slice indexes: ${indexes.length}`);
  const text = textOf(value);
  const items = listItems(value);
  if (text !== null && indexes.length === 3) {
    throw new FunctionError('cannot 3-index slice a string');
  }
  const bytes = text === null ? null : new TextEncoder().encode(text);
  const size = bytes?.length ?? items?.length;
  if (size === undefined) throw new FunctionError(`can't slice item of type ${typeName(value)}`);
  const bounds = indexes.map((index) => position(index, size));
  const [start = 0, end = size, capacity = size] = bounds;
  if (start > end) throw new FunctionError(`invalid slice index: ${start} > ${end}`);
  if (end > capacity) throw new FunctionError(`invalid slice index: ${end} > ${capacity}`);
  if (bytes !== null) return new TextDecoder().decode(bytes.subarray(start, end));
  const part = (items ?? []).slice(start, end);
  return value instanceof GoList ? new GoList(value.type, part) : part;
}
