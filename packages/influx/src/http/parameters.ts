import { InputError } from '@pollux/base';
import type { Expression } from '../influxql/ast.ts';
import { parseInfluxDuration } from '../influxql/duration.ts';
import type { Parameters } from '../influxql/parser/token-stream.ts';

type Value = Expression | { readonly kind: 'identifier'; readonly name: string };

class ParametersError extends InputError {
  constructor(message: string) {
    super('INFLUX.PARAMETERS', '', message);
  }
}

/** `params={"name":value}`: a number with a point is a float, else an integer; objects of one key name the type. */
export function readParameters(text: string | null): Parameters {
  const parameters = new Map<string, Value>();
  if (text === null || text === '') return parameters;
  let values: unknown;
  try {
    // Numbers are wrapped while still text: 2.0 and 2 are different types, and integers may need 64 bits.
    const marked = text.replace(
      /("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g,
      (_all, quoted?: string, number?: string) => quoted ?? `{"\\u0000":"${number}"}`,
    );
    values = JSON.parse(marked);
  } catch {
    throw new ParametersError('unexpected EOF');
  }
  if (typeof values !== 'object' || values === null)
    throw new ParametersError('expected a JSON object');
  for (const [name, value] of Object.entries(values))
    parameters.set(name, parameterOf(name, value));
  return parameters;
}

function parameterOf(name: string, value: unknown): Value {
  if (typeof value === 'string') return { kind: 'string', value };
  if (typeof value === 'boolean') return { kind: 'boolean', value };
  const entries =
    typeof value === 'object' && value !== null
      ? Object.entries(value as Record<string, unknown>)
      : [];
  const [entry] = entries;
  if (entries.length !== 1 || entry === undefined) {
    throw new ParametersError(`parameter ${name}: expected a value or an object of one type`);
  }
  const [type, inner] = entry;
  if (type === '\u0000') return numberOf(String(inner));
  const plain =
    typeof inner === 'object' && inner !== null ? String(Object.values(inner)[0]) : String(inner);
  switch (type) {
    case 'identifier':
    case 'ident':
      return { kind: 'identifier', name: plain };
    case 'regex':
      return { kind: 'regex', source: plain };
    case 'string':
      return { kind: 'string', value: plain };
    case 'float':
    case 'number':
      return { kind: 'number', value: Number(plain) };
    case 'int':
    case 'integer':
      return { kind: 'integer', value: BigInt(plain) };
    case 'duration': {
      const nanos = /^-?\d+$/.test(plain) ? BigInt(plain) : parseInfluxDuration(plain);
      if (nanos === null || nanos === 'overflow')
        throw new ParametersError(`parameter ${name}: bad duration`);
      return { kind: 'duration', nanos };
    }
    default:
      throw new ParametersError(`unknown bind parameter type: ${type}`);
  }
}

function numberOf(text: string): Value {
  return /^-?\d+$/.test(text)
    ? { kind: 'integer', value: BigInt(text) }
    : { kind: 'number', value: Number(text) };
}
