import { InputError } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import {
  boolean,
  byteSize,
  checked,
  type Decoder,
  integer,
  list,
  nonEmptyString,
  nonNegativeInteger,
  nullable,
  number,
  object,
  oneOf,
  optional,
  parsed,
  parseToml,
  parseYaml,
  raw,
  record,
  required,
  secret,
  strictContext,
  string,
} from './index.ts';

/** Decodes the field `f` of the section `s`, so that every refusal has line 2, column 6 and the path `s.f`. */
function read<T>(decoder: Decoder<T>, text: string): T {
  const root = object({ s: required(object({ f: required(nullable(decoder)) })) });
  return root(parseYaml(`s:\n  f: ${text}\n`, 'a.yml'), '', strictContext()).s.f as T;
}

const odd = parsed((text) => {
  if (text.length % 2 === 0) throw new InputError('X.Y', '', `"${text}" is even`);
  return text.length;
});

describe('every decoder refuses with place, path and reason', () => {
  it.each<[string, Decoder<unknown>, string, string]>([
    ['string', string, '[a]', 'must be a string'],
    ['nonEmptyString', nonEmptyString, '""', 'must not be empty'],
    ['secret', secret, '{a: hunter2}', 'must be a string'],
    ['boolean', boolean, '1', 'must be true or false'],
    ['boolean, quoted', boolean, '"yes"', 'must be true or false'],
    ['number', number, '.nan', 'must be a number'],
    ['integer', integer, '1.5', 'must be a whole number'],
    ['integer over 2^53', integer, '9007199254740993', 'must be a whole number'],
    ['nonNegativeInteger', nonNegativeInteger, '-1', 'must not be negative'],
    ['byteSize', byteSize, '5XB', '"5XB" is no size; write for example 512MB'],
    ['byteSize without end', byteSize, '9'.repeat(400), 'too large'],
    ['parsed', odd, 'ab', '"ab" is even'],
    [
      'checked',
      checked(integer, (v) =>
        odd(
          {
            kind: 'scalar',
            place: { file: '', line: 0, column: 0 },
            text: String(v),
            value: v,
            isQuoted: false,
          },
          '',
          strictContext(),
        ),
      ),
      '12',
      '"12" is even',
    ],
    ['oneOf', oneOf('http', 'https'), 'ftp', '"ftp" is not allowed; use one of http, https'],
    ['list', list(integer), 'x', 'must be a list'],
    ['record', record(integer), '[1]', 'must be a map'],
    ['object', object({}), 'x', 'must be a map'],
  ])('%s', (_, decoder, text, reason) => {
    expect(() => read(decoder, text)).toThrow(/^a\.yml:2:6: s\.f: /);
    expect(() => read(decoder, text)).toThrow(reason);
  });

  it('inside lists, records and objects too', () => {
    expect(() => read(list(integer), '[1, x]')).toThrow(
      'a.yml:2:10: s.f[1]: must be a whole number',
    );
    expect(() => read(record(integer), '{a: x}')).toThrow(
      'a.yml:2:10: s.f.a: must be a whole number',
    );
    expect(() => read(object({ a: required(integer) }), '{}')).toThrow(
      'a.yml:2:6: s.f: missing field "a"',
    );
    expect(() => read(object({ a: optional(integer, 0) }), '{b: 1}')).toThrow(
      'a.yml:2:7: s.f: unknown field "b"; known here: a',
    );
  });
});

describe('decoders', () => {
  it('read what they should', () => {
    expect(['yes', 'Off', 'true', 'FALSE', 'y'].map((text) => read(boolean, text))).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
    expect(['0', '1B', '2KB', '1.5MiB', '1G', '7EB'].map((text) => read(byteSize, text))).toEqual([
      0,
      1,
      2_048,
      1_572_864,
      1_073_741_824,
      7 * 2 ** 60,
    ]);
    expect(read(string, '0x1f')).toBe('0x1f');
    expect(read(string, '>-\n    folded\n    text')).toBe('folded text');
    expect(read(number, '1e3')).toBe(1_000);
    expect(read(raw, '[a]')).toMatchObject({
      kind: 'list',
      place: { file: 'a.yml', line: 2, column: 6 },
    });
  });

  it('keep keys that are properties of every object', () => {
    const values = read(record(string), '{__proto__: x, constructor: y}');
    expect(Object.entries(values)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(() => read(object({ a: optional(string, '') }), '{toString: x}')).toThrow(
      'unknown field "toString"',
    );
  });

  it('warn with place and path where unknown keys are let pass', () => {
    const warnings: string[] = [];
    const decode = object({ s: optional(object({ a: optional(integer, 0) }), { a: 0 }) });
    decode(parseToml('odd = 1\n[s]\nb = 2\n', 'i.conf'), '', { unknownKeys: 'warn', warnings });
    expect(warnings).toEqual([
      'i.conf: unknown field "odd"; known here: s',
      'i.conf: s: unknown field "b"; known here: a',
    ]);
  });

  it('never show a secret', () => {
    const value = read(secret, 'hunter2');
    expect(value.reveal()).toBe('hunter2');
    expect([String(value), `${value}`, JSON.stringify({ value })].join()).not.toContain('hunter2');
  });
});

describe('TOML', () => {
  it('gives all its kinds of values', () => {
    const node = parseToml(
      'a = 1\nb = "x"\nc = true\nd = [1, 2]\ne = 2024-01-01T00:00:00Z\n[f]\ng = 1.5\n',
      'i.conf',
    );
    const decode = object({
      a: required(integer),
      b: required(string),
      c: required(boolean),
      d: required(list(integer)),
      e: required(string),
      f: required(object({ g: required(number) })),
    });
    expect(decode(node, '', strictContext())).toMatchObject({
      a: 1,
      b: 'x',
      c: true,
      d: [1, 2],
      f: { g: 1.5 },
    });
  });

  it.each(['a = ', 'a = 1\na = 2', '[x', 'a = 99999999999999999999', `a = ${'['.repeat(5_000)}`])(
    '%.20j is refused with its place',
    (text) => {
      expect(() => parseToml(text, 'i.conf')).toThrow(/^i\.conf:\d+:\d+: not valid TOML/);
    },
  );
});
