import { GoList, type Value } from './value.ts';

/** A parameter of a type beyond the basic ones. */
export type CustomParam = {
  /** As Go prints the type; appears in error texts. */
  readonly name: string;
  /** Whether nil is a value of the type (slices, maps, pointers, interfaces). */
  readonly nilable?: boolean;
  accepts(value: Value): boolean;
};

export type ParamType = 'any' | 'string' | 'int' | 'float64' | 'bool' | '[]string' | CustomParam;

export function paramName(type: ParamType): string {
  if (typeof type !== 'string') return type.name;
  return type === 'any' ? 'interface {}' : type;
}

export function isNilable(type: ParamType): boolean {
  if (typeof type !== 'string') return type.nilable === true;
  return type === 'any' || type === '[]string';
}

export function accepts(type: ParamType, value: Value): boolean {
  if (typeof type !== 'string') return type.accepts(value);
  switch (type) {
    case 'any':
      return true;
    case 'string':
      return typeof value === 'string';
    case 'int':
      return typeof value === 'bigint';
    case 'float64':
      return typeof value === 'number';
    case 'bool':
      return typeof value === 'boolean';
    case '[]string':
      // An untyped list is a []interface {} in Go, which is no []string whatever it holds.
      if (!(value instanceof GoList)) return false;
      return (
        value.type.name === '[]string' || value.items.every((item) => typeof item === 'string')
      );
  }
}
