import { Matcher, type MatchOperator } from '@pollux/model';
import { MatcherError } from '../errors.ts';

/**
 * The grammar of Alertmanager before 0.27: names of letters, digits, `_` and `:`; values with or without double quotes,
 * in which only `\"`, `\n` and `\\` are escapes and any other backslash is itself. Braces around and a trailing comma
 * are allowed, several matchers are separated by commas.
 */
export function parseClassicMatchers(text: string): Matcher[] {
  let inner = text;
  if (inner.startsWith('{')) inner = inner.slice(1);
  if (inner.endsWith('}')) inner = inner.slice(0, -1);
  const matchers: Matcher[] = [];
  for (const part of splitAtCommas(inner)) matchers.push(parseClassicMatcher(part));
  return matchers;
}

/** One matcher. */
export function parseClassicMatcher(text: string): Matcher {
  const match = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*([\s\S]*?)\s*$/.exec(text);
  if (match === null) throw new MatcherError(`bad matcher format: ${text}`);
  const [, name = '', operator = '', written = ''] = match;
  return new Matcher(name, operator as MatchOperator, classicValue(written));
}

function classicValue(written: string): string {
  const isQuoted = written.startsWith('"');
  let value = '';
  let isClosed = false;
  for (let i = isQuoted ? 1 : 0; i < written.length; i++) {
    const char = written[i]!;
    if (isClosed) throw unescapedQuote(written);
    if (char === '\\') {
      const next = written[i + 1];
      if (next === '"' || next === '\\' || next === 'n') {
        value += next === 'n' ? '\n' : next;
        i++;
      } else value += '\\';
    } else if (char === '"') {
      if (!isQuoted) throw unescapedQuote(written);
      isClosed = true;
    } else value += char;
  }
  if (isQuoted && !isClosed) throw unescapedQuote(written);
  return value;
}

function unescapedQuote(written: string): MatcherError {
  return new MatcherError(`matcher value contains unescaped double quote: ${written}`);
}

/** Parts between commas outside quotes; blank parts are dropped only at the end. */
function splitAtCommas(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  let isQuoted = false;
  let isEscaped = false;
  for (const char of text) {
    if (char === ',' && !isQuoted) {
      parts.push(part);
      part = '';
      continue;
    }
    if (char === '"' && !isEscaped) isQuoted = !isQuoted;
    isEscaped = char === '\\' && !isEscaped;
    part += char;
  }
  if (part.trim() !== '') parts.push(part);
  return parts;
}
