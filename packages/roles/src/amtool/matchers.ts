import { type MatcherMode, parseMatcher } from '@pollux/alertmanager';
import { OperatingError } from '@pollux/base';
import { compareText, type Matcher, quoteText } from '@pollux/model';

/** Matchers of the arguments; a first one that is none is taken as the name of an alert. Throws MatcherError. */
export function matchersOf(args: readonly string[], mode: MatcherMode): readonly Matcher[] {
  return withAlertName(args, mode).map((text) => parseMatcher(text, mode));
}

/** Arguments as the API's `filter` takes them. */
export function filtersOf(args: readonly string[], mode: MatcherMode): readonly string[] {
  return withAlertName(args, mode);
}

/** Labels of an alert; a first argument that is no matcher is its name. */
export function labelsOf(args: readonly string[], mode: MatcherMode): Record<string, string> {
  return pairsOf(withAlertName(args, mode), 'labels', mode);
}

/** `name=value` pairs, written as matchers are. `what` names them in the refusal of another operator. */
export function pairsOf(
  args: readonly string[],
  what: string,
  mode: MatcherMode,
): Record<string, string> {
  return Object.fromEntries(
    args.map((text) => {
      const matcher = parseMatcher(text, mode);
      if (matcher.operator === '=') return [matcher.name, matcher.value] as const;
      throw new OperatingError('ROLES.AMTOOL', `${what} must be specified as key=value pairs`);
    }),
  );
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

function withAlertName(args: readonly string[], mode: MatcherMode): readonly string[] {
  const [first, ...rest] = args;
  if (first === undefined || isMatcher(first, mode)) return args;
  return [`alertname=${quoteText(first)}`, ...rest];
}

function isMatcher(text: string, mode: MatcherMode): boolean {
  try {
    parseMatcher(text, mode);
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
