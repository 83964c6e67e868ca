import type { WireMatcher } from '@pollux/api-types';

/** Longest first, so that `=~` is not read as `=` and a value that begins with `~`. */
export const OPERATORS = ['=~', '!~', '!=', '='] as const;
export type Operator = (typeof OPERATORS)[number];
export type Matcher = {
  readonly name: string;
  readonly operator: Operator;
  readonly value: string;
};

export class MatcherError extends Error {}

const BARE_NAME = /^[^\s{}!=~,\\"'`]+/u;
const QUOTED = /^"(?:[^"\\]|\\.)*"/su;

/** The matchers of `{a="b", c=~"d|e"}`, each as it is written; braces may be left out, quotes too. */
export function splitFilter(text: string): string[] {
  let inner = text.trim();
  if (inner.startsWith('{') && inner.endsWith('}')) inner = inner.slice(1, -1);
  const parts: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let i = 0; i < inner.length; i++) {
    const letter = inner[i];
    if (isQuoted && letter === '\\') i++;
    else if (letter === '"') isQuoted = !isQuoted;
    else if (letter === ',' && !isQuoted) {
      parts.push(inner.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(inner.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** Throws a MatcherError that says what is missing. The server judges names and patterns. */
export function parseMatchers(text: string): Matcher[] {
  return splitFilter(text).map(parseMatcher);
}

function parseMatcher(text: string): Matcher {
  const [quotedName] = QUOTED.exec(text) ?? [];
  const [name = ''] = quotedName === undefined ? (BARE_NAME.exec(text) ?? []) : [quotedName];
  if (name === '') throw new MatcherError(`${text}: a label's name is missing`);
  const rest = text.slice(name.length).trim();
  const operator = OPERATORS.find((candidate) => rest.startsWith(candidate));
  if (operator === undefined) {
    throw new MatcherError(`${text}: one of =, !=, =~ and !~ is missing behind ${name}`);
  }
  const value = rest.slice(operator.length).trim();
  if (value.startsWith('"') && QUOTED.exec(value)?.[0] !== value) {
    throw new MatcherError(`${text}: the value's last quote is missing`);
  }
  return { name: unquoted(name), operator, value: unquoted(value) };
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  return text
    .slice(1, -1)
    .replace(/\\(.)/gsu, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}

function quoted(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
  return `"${escaped}"`;
}

export function formatMatcher({ name, operator, value }: Matcher): string {
  const isBare = BARE_NAME.exec(name)?.[0] === name;
  return `${isBare ? name : quoted(name)}${operator}${quoted(value)}`;
}

/** `{a="b", c=~"d"}` as links have it. */
export function formatMatchers(matchers: readonly Matcher[]): string {
  return `{${matchers.map(formatMatcher).join(', ')}}`;
}

/** Matchers that only these labels, or more of them, have. */
export function matchersOf(labels: Readonly<Record<string, string>>): Matcher[] {
  return Object.entries(labels).map(([name, value]) => ({ name, operator: '=', value }));
}

export function fromWire({ name, value, isRegex, isEqual = true }: WireMatcher): Matcher {
  const operator = isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=';
  return { name, operator, value };
}

export function toWire({ name, operator, value }: Matcher): WireMatcher {
  return {
    name,
    value,
    isRegex: operator.endsWith('~'),
    isEqual: !operator.startsWith('!'),
  };
}

/** A receiver's name as the pattern that links carry, as Go's `regexp.QuoteMeta` writes it. */
export function receiverPattern(name: string): string {
  return name.replaceAll(/[\\.+*?()|[\]{}^$]/gu, '\\$&');
}
