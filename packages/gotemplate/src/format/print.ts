import {
  GoStruct,
  kindOf,
  listItems,
  mapEntries,
  methodOf,
  plainOf,
  sortedKeys,
  type Value,
} from '../value.ts';
import { formatFloat } from './float.ts';

/** Nesting below which values are printed; deeper ones become `…` (host values are trees, so this is a backstop). */
const MAX_DEPTH = 64;

/** A value as Go's fmt prints it with %v. */
export function printValue(value: Value): string {
  return printComposite(value, { withNames: false, usesMethods: true, leaf: printLeaf });
}

/** As {@link printValue}, but a pointer to a struct prints as the struct: what actions and escapers show. */
export function printPointed(value: Value): string {
  const isPointer = value instanceof GoStruct && value.type.name.startsWith('*');
  const text = printValue(value);
  return isPointer && ownText(value) === null ? text.slice(1) : text;
}

/** How {@link printComposite} shows what is no list, map or struct. */
export type LeafPrinter = (value: Value) => string;

/** `[a b]`, `map[a:b]`, `{a b}`, with the leaves left to `leaf`; `withNames` is the plus flag: `{Name:a}`. */
export function printComposite(
  value: Value,
  options: {
    readonly withNames: boolean;
    /** Whether a type's own String method shows its values. */
    readonly usesMethods: boolean;
    readonly leaf: LeafPrinter;
  },
  depth = 0,
): string {
  if (depth > MAX_DEPTH) return '…';
  const inner = (part: Value): string => printComposite(part, options, depth + 1);
  const items = listItems(value);
  const entries = mapEntries(value);
  if (options.usesMethods && ownText(value) !== null) return options.leaf(value);
  if (items !== null) return `[${items.map(inner).join(' ')}]`;
  if (entries !== null) {
    const parts: string[] = [];
    for (const key of sortedKeys(entries)) {
      parts.push(`${inner(key)}:${inner(entries.get(key) ?? null)}`);
    }
    return `map[${parts.join(' ')}]`;
  }
  if (value instanceof GoStruct) {
    const parts: string[] = [];
    for (const [name, field] of Object.entries(value.fields)) {
      parts.push(options.withNames ? `${name}:${inner(field)}` : inner(field));
    }
    const isPointer = depth === 0 && value.type.name.startsWith('*');
    return `${isPointer ? '&' : ''}{${parts.join(' ')}}`;
  }
  return options.leaf(value);
}

/** What the type's own Error or String method says, or null when it has none. */
export function ownText(value: Value): string | null {
  for (const name of ['Error', 'String']) {
    const method = methodOf(value, name);
    if (method === null || method.params.length > 0 || method.variadic !== undefined) continue;
    const result = method.call(value, []);
    if (typeof result === 'string') return result;
  }
  return null;
}

function printLeaf(value: Value): string {
  const own = ownText(value);
  if (own !== null) return own;
  if (value === null) return '<nil>';
  const plain = plainOf(value);
  if (typeof plain === 'number') return formatFloat(plain, 'g', -1);
  return kindOf(value) === 'func' ? 'func' : String(plain);
}

/** fmt.Sprint: a space between operands when neither is a string. */
export function printAll(values: readonly Value[], show = printValue): string {
  let text = '';
  for (const [index, value] of values.entries()) {
    const isText = typeof value === 'string';
    const wasText = index === 0 || typeof values[index - 1] === 'string';
    text += (index > 0 && !isText && !wasText ? ' ' : '') + show(value);
  }
  return text;
}

/** fmt.Sprintln: always spaces, and a newline. */
export function printLine(values: readonly Value[]): string {
  return `${values.map(printValue).join(' ')}\n`;
}
