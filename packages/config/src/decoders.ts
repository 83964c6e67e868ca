import { InputError, OperatingError } from '@pollux/base';
import { type ConfigNode, entryOf, placeText, refuse } from './node.ts';

/** Reads one value; throws ConfigError with place and path when it does not fit. */
export type Decoder<T> = (node: ConfigNode, path: string, context: DecodeContext) => T;

export type DecodeContext = {
  /** What to do with a key that no field names: an error (Prometheus, Alertmanager) or a warning (influxd). */
  readonly unknownKeys: 'error' | 'warn';
  /** Collects warnings as `place: path: text`. */
  readonly warnings: string[];
};

export function strictContext(): DecodeContext {
  return { unknownKeys: 'error', warnings: [] };
}

/** A value that must never be printed; `reveal` is for the one place that sends it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '<secret>';
  }

  toJSON(): string {
    return '<secret>';
  }
}

export const string: Decoder<string> = (node, path) => {
  if (node.kind === 'null') return '';
  if (node.kind !== 'scalar') refuse(node, path, 'must be a string');
  return node.text;
};

export const secret: Decoder<Secret> = (node, path, context) =>
  new Secret(string(node, path, context));

export const nonEmptyString: Decoder<string> = (node, path, context) => {
  const text = string(node, path, context);
  if (text === '') refuse(node, path, 'must not be empty');
  return text;
};

export const boolean: Decoder<boolean> = (node, path) => {
  if (node.kind === 'scalar') {
    if (node.value === true || node.value === false) return node.value;
    // Go's yaml still takes the YAML 1.1 words for a bool field.
    const word = node.isQuoted ? '' : node.text.toLowerCase();
    if (word === 'yes' || word === 'on' || word === 'y') return true;
    if (word === 'no' || word === 'off' || word === 'n') return false;
  }
  return refuse(node, path, 'must be true or false');
};

export const number: Decoder<number> = (node, path) => {
  if (node.kind === 'scalar' && typeof node.value === 'number' && !Number.isNaN(node.value))
    return node.value;
  return refuse(node, path, 'must be a number');
};

export const integer: Decoder<number> = (node, path) => {
  if (
    node.kind === 'scalar' &&
    typeof node.value === 'number' &&
    Number.isSafeInteger(node.value)
  ) {
    return node.value;
  }
  return refuse(node, path, 'must be a whole number');
};

export const nonNegativeInteger: Decoder<number> = (node, path, context) => {
  const value = integer(node, path, context);
  if (value < 0) refuse(node, path, 'must not be negative');
  return value;
};

/** Sizes in powers of two: B, KB, MB, GB, TB, PB, EB (also KiB …), or a plain number of bytes. Gives bytes. */
export const byteSize: Decoder<number> = (node, path, context) => {
  const text = string(node, path, context).trim();
  const match = /^(\d+(?:\.\d+)?)\s*([KMGTPE]?)i?B?$/i.exec(text);
  if (match === null) return refuse(node, path, `"${text}" is no size; write for example 512MB`);
  const power = ' KMGTPE'.indexOf((match[2] ?? '').toUpperCase() || ' ');
  const bytes = Math.floor(Number(match[1]) * 1024 ** power);
  // The peers keep sizes in 64 bits with a sign.
  if (bytes >= 2 ** 63) return refuse(node, path, `"${text}" is too large; at most 7EB`);
  return bytes;
};

/** Turns a text into a value by `parse`, whose OperatingError becomes a ConfigError at this place. */
export function parsed<T>(parse: (text: string) => T): Decoder<T> {
  return (node, path, context) => checked(string, parse)(node, path, context);
}

/** Decodes, then `check`s or converts; an OperatingError from `check` gets the place. */
export function checked<A, B>(decoder: Decoder<A>, check: (value: A) => B): Decoder<B> {
  return (node, path, context) => {
    const value = decoder(node, path, context);
    try {
      return check(value);
    } catch (error) {
      if (OperatingError.is(error)) refuse(node, path, withRemedy(error));
      throw error;
    }
  };
}

function withRemedy(error: OperatingError): string {
  const remedy = error instanceof InputError ? error.remedy : '';
  return remedy === '' ? error.message : `${error.message}; ${remedy}`;
}

export function oneOf<const T extends string>(...allowed: readonly T[]): Decoder<T> {
  return (node, path, context) => {
    const text = string(node, path, context);
    const found = allowed.find((candidate) => candidate === text);
    return (
      found ?? refuse(node, path, `"${text}" is not allowed; use one of ${allowed.join(', ')}`)
    );
  };
}

export function list<T>(item: Decoder<T>): Decoder<readonly T[]> {
  return (node, path, context) => {
    if (node.kind === 'null') return [];
    if (node.kind !== 'list') return refuse(node, path, 'must be a list');
    return node.items.map((child, index) => item(child, `${path}[${index}]`, context));
  };
}

/** A map with free keys. */
export function record<T>(item: Decoder<T>): Decoder<Readonly<Record<string, T>>> {
  return (node, path, context) => {
    if (node.kind === 'null') return {};
    if (node.kind !== 'map') return refuse(node, path, 'must be a map');
    // Not by assignment: a key may be called __proto__.
    return Object.fromEntries(
      node.entries.map(({ key, value }) => [key, item(value, join(path, key), context)]),
    );
  };
}

export function nullable<T>(decoder: Decoder<T>): Decoder<T | null> {
  return (node, path, context) => (node.kind === 'null' ? null : decoder(node, path, context));
}

/** The node itself, for sections that another room reads. */
export const raw: Decoder<ConfigNode> = (node) => node;

type Field<T> = { readonly decoder: Decoder<T>; readonly fallback: (() => T) | null };

/** A key that must be there. */
export function required<T>(decoder: Decoder<T>): Field<T> {
  return { decoder, fallback: null };
}

/** A key that may be missing or empty. */
export function optional<T>(decoder: Decoder<T>, fallback: NoInfer<T>): Field<T> {
  return { decoder, fallback: () => fallback };
}

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type Decoded<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

/** A map with known keys. Missing required keys, unknown keys and wrong types are refused with their place. */
export function object<const F extends Fields>(fields: F): Decoder<Decoded<F>> {
  return (node, path, context) => {
    if (node.kind !== 'map' && node.kind !== 'null') return refuse(node, path, 'must be a map');
    if (node.kind === 'map') {
      for (const entry of node.entries) {
        if (Object.hasOwn(fields, entry.key)) continue;
        const message = `unknown field "${entry.key}"; known here: ${Object.keys(fields).join(', ')}`;
        if (context.unknownKeys === 'error') refuse(entry, path, message);
        context.warnings.push(
          `${placeText(entry.place)}: ${path === '' ? '' : `${path}: `}${message}`,
        );
      }
    }
    const values: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(fields)) {
      const child = entryOf(node, key);
      if (child !== null) values[key] = field.decoder(child, join(path, key), context);
      else if (field.fallback !== null) values[key] = field.fallback();
      else refuse(node, path, `missing field "${key}"`);
    }
    return values as Decoded<F>;
  };
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
