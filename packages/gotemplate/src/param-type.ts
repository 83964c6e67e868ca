import { GoList, type ParamType, type Value } from './value.ts';

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
