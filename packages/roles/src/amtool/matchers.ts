import { parseMatchers } from '@pollux/alertmanager';
import { OperatingError } from '@pollux/base';
import { compareText, type Matcher, quoteText } from '@pollux/model';

/** Matchers of the arguments; a first one that is none is taken as the name of an alert. Throws MatcherError. */
export function matchersOf(args: readonly string[]): readonly Matcher[] {
  return withAlertName(args).flatMap((text) => parseMatchers(text, 'fallback').matchers);
}

/** Arguments as the API's `filter` takes them. */
export function filtersOf(args: readonly string[]): readonly string[] {
  return withAlertName(args);
}

/** `name=value` pairs; a first argument without `=` is the name of the alert. */
export function labelsOf(args: readonly string[]): Record<string, string> {
  const [first, ...rest] = args;
  const named = first === undefined || first.includes('=') ? args : [`alertname=${first}`, ...rest];
  return Object.fromEntries(named.map(labelPair));
}

export function labelPair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new OperatingError('ROLES.AMTOOL', `bad matcher format: ${text}`);
  return [text.slice(0, at).trim(), labelValue(text.slice(at + 1))];
}

/** Order in which a route's matchers are shown. */
export function sortedMatchers(matchers: readonly Matcher[]): readonly Matcher[] {
  return [...matchers].sort((a, b) => compareText(a.name, b.name) || compareText(a.value, b.value));
}

function withAlertName(args: readonly string[]): readonly string[] {
  const [first, ...rest] = args;
  if (first === undefined || isMatcher(first)) return args;
  return [`alertname=${quoteText(first)}`, ...rest];
}

function isMatcher(text: string): boolean {
  try {
    parseMatchers(text, 'fallback');
    return true;
  } catch (error) {
    // Something with an operator was meant as a matcher; its fault is told when it is parsed for use.
    if (OperatingError.is(error)) return /[=~]/.test(text);
    throw error;
  }
}

function labelValue(text: string): string {
  const isQuoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"');
  const inner = isQuoted ? text.slice(1, -1) : text;
  if (/(?<!\\)(?:\\\\)*"/.test(inner))
    throw new OperatingError(
      'ROLES.AMTOOL',
      `matcher value contains unescaped double quote: ${text}`,
    );
  return inner.replace(/\\(["\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char));
}
