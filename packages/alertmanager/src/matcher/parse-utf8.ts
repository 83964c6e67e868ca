import { Matcher, type MatchOperator } from '@pollux/model';
import { MatcherError } from '../errors.ts';

type Token = {
  readonly kind: 'open' | 'close' | 'comma' | 'operator' | 'quoted' | 'plain';
  /** Unquoted value for `quoted`, else as written. */
  readonly text: string;
  /** Characters from the start, counting from 0, as upstream's messages do. */
  readonly start: number;
  readonly end: number;
};

const RESERVED = new Set([...'{}!=~,\\"\'`']);

/**
 * The grammar since 0.27: name and value are either quoted (Go's rules) or any run of characters without white space and
 * reserved ones; braces must come in pairs; a trailing comma is allowed.
 */
export function parseUtf8Matchers(text: string): Matcher[] {
  const tokens = tokenize(text);
  let at = 0;
  const peek = (): Token | undefined => tokens[at];
  const hasBrace = peek()?.kind === 'open';
  if (hasBrace) at++;
  const matchers: Matcher[] = [];
  while (peek() !== undefined && peek()?.kind !== 'close') {
    const name = expect(tokens[at++], text, 'label name', 'quoted', 'plain');
    const operator = expect(
      tokens[at++],
      text,
      'an operator such as "=", "!=", "=~" or "!~"',
      'operator',
    );
    const value = expect(tokens[at++], text, 'label value', 'quoted', 'plain');
    if (name.text === '') throw problem('label name must not be empty', name.start, name.end);
    matchers.push(new Matcher(name.text, operator.text as MatchOperator, value.text));
    const next = peek();
    if (next === undefined || next.kind === 'close') break;
    expect(next, text, 'a comma or close brace', 'comma');
    at++;
  }
  const close = peek();
  if (hasBrace && close === undefined) {
    throw problem('expected close paren', [...text].length, [...text].length);
  }
  if (!hasBrace && close !== undefined) {
    throw problem(`unexpected ${close.text}: expected opening paren`, close.start, close.end);
  }
  const rest = tokens[at + 1];
  if (rest !== undefined) {
    throw problem(`unexpected ${rest.text}: expected end of input`, rest.start, rest.end);
  }
  return matchers;
}

function expect(
  token: Token | undefined,
  text: string,
  what: string,
  ...kinds: Token['kind'][]
): Token {
  if (token === undefined) {
    const end = [...text].length;
    throw problem(`unexpected end of input: expected ${what}`, end, end);
  }
  if (!kinds.includes(token.kind)) {
    throw problem(`unexpected ${token.text}: expected ${what}`, token.start, token.end);
  }
  return token;
}

function problem(message: string, start: number, end: number): MatcherError {
  return new MatcherError(message, start === end ? `${start}` : `${start}:${end}`);
}

function tokenize(text: string): Token[] {
  const chars = [...text];
  const tokens: Token[] = [];
  let i = 0;
  const add = (kind: Token['kind'], value: string, start: number): void => {
    tokens.push({ kind, text: value, start, end: i });
  };
  while (i < chars.length) {
    const start = i;
    const char = chars[i++]!;
    if (/\s/u.test(char)) continue;
    if (char === '{') add('open', char, start);
    else if (char === '}') add('close', char, start);
    else if (char === ',') add('comma', char, start);
    else if (char === '=' || char === '!') {
      const next = chars[i];
      const isLong = next === '~' || (char === '!' && next === '=');
      if (isLong) i++;
      else if (char === '!') {
        throw problem(`${char}: expected one of '=~'`, start, start + 1);
      }
      add('operator', char + (isLong ? next : ''), start);
    } else if (char === '"') {
      i = quotedEnd(chars, start);
      add('quoted', unquote(chars.slice(start + 1, i - 1), start), start);
    } else if (RESERVED.has(char)) {
      throw problem(`${char}: invalid input`, start, start + 1);
    } else {
      while (i < chars.length && !RESERVED.has(chars[i]!) && !/\s/u.test(chars[i]!)) i++;
      add('plain', chars.slice(start, i).join(''), start);
    }
  }
  return tokens;
}

/** The index after the closing quote of the string that starts at `start`. */
function quotedEnd(chars: readonly string[], start: number): number {
  for (let i = start + 1; i < chars.length; i++) {
    if (chars[i] === '\\') i++;
    else if (chars[i] === '"') return i + 1;
  }
  throw problem(`${chars.slice(start).join('')}: missing end "`, start, chars.length);
}

const SHORT: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** Go's strconv.Unquote for a double-quoted string. Escapes of single bytes are joined and must be UTF-8. */
function unquote(inner: readonly string[], start: number): string {
  const source = inner.join('');
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  const escapes =
    /\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/y;
  for (let i = 0; i < source.length; ) {
    const char = String.fromCodePoint(source.codePointAt(i)!);
    if (char === '\n') throw problem('a quoted string must not hold a line end', start, start + 1);
    if (char !== '\\') {
      bytes.push(...encoder.encode(char));
      i += char.length;
      continue;
    }
    escapes.lastIndex = i;
    const match = escapes.exec(source);
    if (match === null)
      throw problem(`"${source}": invalid syntax`, start, start + inner.length + 2);
    const [whole, short, hex, four, eight, octal] = match;
    const code = Number.parseInt(four ?? eight ?? '0', 16);
    if (code > 0x10ffff)
      throw problem(`"${source}": invalid syntax`, start, start + inner.length + 2);
    if (short !== undefined) bytes.push(...encoder.encode(SHORT[short]));
    else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else bytes.push(...encoder.encode(String.fromCodePoint(code)));
    i += whole.length;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Uint8Array.from(bytes),
    );
  } catch {
    throw problem(`"${source}" is no valid UTF-8`, start, start + inner.length + 2);
  }
}
