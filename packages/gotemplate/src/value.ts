/**
 * What a template can hold. Go's types map to JavaScript's by these rules:
 *
 * | Go | here |
 * |---|---|
 * | nil | `null` |
 * | bool, string | `boolean`, `string` (UTF-8 when measured or sliced) |
 * | int and its kin | `bigint` |
 * | float64 | `number`: a JavaScript number is always a float, also when it is whole |
 * | []interface {} | an array; other slices are a {@link GoList} |
 * | map[string]interface {} | a `Map`; other maps are a {@link GoMap} |
 * | structs, named types with methods | {@link GoStruct}, {@link GoList}, {@link GoMap}, {@link GoScalar} with a type |
 * | functions | {@link GoFunction} |
 */
export type Value =
  | null
  | boolean
  | string
  | bigint
  | number
  | readonly Value[]
  | ReadonlyMap<MapKey, Value>
  | GoList
  | GoMap
  | GoStruct
  | GoScalar
  | GoFunction;

export type MapKey = string | bigint | number | boolean;

/** A parameter of a type beyond the basic ones. */
export type CustomParam = {
  /** As Go prints the type; appears in error texts. */
  readonly name: string;
  /** Whether nil is a value of the type (slices, maps, pointers, interfaces). */
  readonly nilable?: boolean;
  accepts(value: Value): boolean;
};

export type ParamType = 'any' | 'string' | 'int' | 'float64' | 'bool' | '[]string' | CustomParam;

/** A method of a named type. `self` is the value it is called on. Throw a FunctionError to fail. */
export type Method = {
  readonly params: readonly ParamType[];
  /** Type of any further arguments. */
  readonly variadic?: ParamType;
  call(self: Value, args: readonly Value[]): Value | Promise<Value>;
};

/** A function that templates can call by name or that travels as a value. */
export type GoFunctionSpec = {
  readonly params: readonly ParamType[];
  readonly variadic?: ParamType;
  call(args: readonly Value[]): Value | Promise<Value>;
};

/** A Go type as templates see it. A method `String` without parameters decides how its values print. */
export type GoType = {
  /** As Go prints it: `template.KV`, `[]string`, `time.Time`. */
  readonly name: string;
  readonly methods?: Readonly<Record<string, Method>>;
  /** Of a struct's fields in JSON, where they are not the fields' own. */
  readonly jsonNames?: Readonly<Record<string, string>>;
};

/** A map type; `zero` is the element given for a missing key under missingkey=zero. */
export type GoMapType = GoType & { readonly zero: Value };

export class GoList {
  readonly type: GoType;
  readonly items: readonly Value[];

  constructor(type: GoType, items: readonly Value[]) {
    this.type = type;
    this.items = items;
  }
}

const NOTHING_HIDDEN: ReadonlyMap<MapKey, Value> = new Map();

export class GoMap {
  readonly type: GoMapType;
  readonly entries: ReadonlyMap<MapKey, Value>;
  /**
   * What a template finds by name only: `.m.key`, `index .m "key"`. It is not printed, counted, ranged over or compared, so a
   * host may add to a Go program's data without that any template which does not ask for it changes.
   */
  readonly hidden: ReadonlyMap<MapKey, Value>;

  constructor(
    type: GoMapType,
    entries: ReadonlyMap<MapKey, Value>,
    hidden: ReadonlyMap<MapKey, Value> = NOTHING_HIDDEN,
  ) {
    this.type = type;
    this.entries = entries;
    this.hidden = hidden;
  }
}

/** Fields print in the order of their keys. */
export class GoStruct {
  readonly type: GoType;
  readonly fields: Readonly<Record<string, Value>>;

  constructor(type: GoType, fields: Readonly<Record<string, Value>>) {
    this.type = type;
    this.fields = fields;
  }
}

/** A basic value of a named type, such as `time.Duration` or html/template's `template.HTML`. */
export class GoScalar {
  readonly type: GoType;
  readonly value: string | bigint | number | boolean;

  constructor(type: GoType, value: string | bigint | number | boolean) {
    this.type = type;
    this.value = value;
  }
}

export class GoFunction {
  readonly spec: GoFunctionSpec;

  constructor(spec: GoFunctionSpec) {
    this.spec = spec;
  }
}

/** html/template's types of texts that need no escaping in their own place. */
export const HTML_TYPE: GoType = { name: 'template.HTML' };
export const HTML_ATTRIBUTE_TYPE: GoType = { name: 'template.HTMLAttr' };
export const URL_TYPE: GoType = { name: 'template.URL' };
export const JS_TYPE: GoType = { name: 'template.JS' };
export const JS_STRING_TYPE: GoType = { name: 'template.JSStr' };
export const CSS_TYPE: GoType = { name: 'template.CSS' };
export const SRCSET_TYPE: GoType = { name: 'template.Srcset' };

const STRING_LIST: GoType = { name: '[]string' };
const STRING_MAP: GoMapType = { name: 'map[string]string', zero: '' };

/** A `[]string`. */
export function stringList(items: readonly string[]): GoList {
  return new GoList(STRING_LIST, items);
}

/** A `map[string]string`. */
export function stringMap(entries: Iterable<readonly [string, string]>): GoMap {
  return new GoMap(STRING_MAP, new Map(entries));
}

/** Go's invalid reflect.Value: what a missing key or a field of nothing gives. Prints as `<no value>`. */
export const NO_VALUE: unique symbol = Symbol('no value');
export type NoValue = typeof NO_VALUE;

export type Kind = 'nil' | 'bool' | 'string' | 'int' | 'float' | 'list' | 'map' | 'struct' | 'func';

export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    default:
  }
  if (value === null) return 'nil';
  if (Array.isArray(value) || value instanceof GoList) return 'list';
  if (value instanceof GoMap || value instanceof Map) return 'map';
  if (value instanceof GoScalar) return kindOf(value.value);
  return value instanceof GoFunction ? 'func' : 'struct';
}

/** The type's name as Go prints it with %T. */
export function typeName(value: Value): string {
  const type = typeOf(value);
  if (type !== null) return type.name;
  const kind = kindOf(value);
  switch (kind) {
    case 'nil':
      return '<nil>';
    case 'bool':
    case 'int':
    case 'string':
    case 'func':
      return kind;
    case 'float':
      return 'float64';
    default:
  }
  return kind === 'list' ? '[]interface {}' : 'map[string]interface {}';
}

/** The declared type, or null for plain values. */
export function typeOf(value: Value): GoType | null {
  if (
    value instanceof GoStruct ||
    value instanceof GoList ||
    value instanceof GoMap ||
    value instanceof GoScalar
  ) {
    return value.type;
  }
  return null;
}

export function methodOf(value: Value, name: string): Method | null {
  const methods = typeOf(value)?.methods;
  if (methods === undefined || !Object.hasOwn(methods, name)) return null;
  return methods[name] ?? null;
}

export function listItems(value: Value): readonly Value[] | null {
  if (value instanceof GoList) return value.items;
  return Array.isArray(value) ? (value as readonly Value[]) : null;
}

export function mapEntries(value: Value): ReadonlyMap<MapKey, Value> | null {
  if (value instanceof GoMap) return value.entries;
  return value instanceof Map ? (value as ReadonlyMap<MapKey, Value>) : null;
}

/** The element of a map under a key, hidden or not; undefined where there is none. */
export function entryAt(value: Value, key: MapKey): Value | undefined {
  const found = mapEntries(value)?.get(key);
  return found === undefined && value instanceof GoMap ? value.hidden.get(key) : found;
}

export function textOf(value: Value): string | null {
  const plain = plainOf(value);
  return typeof plain === 'string' ? plain : null;
}

/** A basic value without its named type; anything else as it is. */
export function plainOf(value: Value): Value {
  return value instanceof GoScalar ? value.value : value;
}

/** The keys in the order in which Go ranges over and prints maps: false < true, numbers by size, strings by bytes. */
export function sortedKeys(entries: ReadonlyMap<MapKey, Value>): MapKey[] {
  return [...entries.keys()].sort(compareKeys);
}

function compareKeys(a: MapKey, b: MapKey): number {
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b);
  if (typeof a === 'string') return 1;
  if (typeof b === 'string') return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Order of the UTF-8 bytes, which is the order of code points and not that of JavaScript's UTF-16 units. */
export function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xIsSurrogate = x >= 0xd800 && x < 0xe000;
    const yIsSurrogate = y >= 0xd800 && y < 0xe000;
    if (xIsSurrogate !== yIsSurrogate) return xIsSurrogate ? 1 : -1;
    return x < y ? -1 : 1;
  }
  return a.length - b.length;
}

/** Go's notion of truth: anything but nil, false, zero and the empty; a struct is always true. */
export function isTrue(value: Value | NoValue): boolean {
  if (value === NO_VALUE || value === null) return false;
  if (value instanceof GoScalar) return isTrue(value.value);
  if (typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return value !== 0n;
  if (typeof value === 'number') return value !== 0;
  const text = textOf(value);
  if (text !== null) return text !== '';
  const items = listItems(value);
  if (items !== null) return items.length > 0;
  const entries = mapEntries(value);
  return entries === null || entries.size > 0;
}
