import { compareText, type Matcher, type MatchOperator, quoteText } from '@pollux/model';

const NAME_NEEDS_QUOTES = /[\s{}!=~,\\"'`]/u;
/** The order of upstream's matcher types, which decides between matchers of equal name and value. */
const TYPE_RANK: Readonly<Record<MatchOperator, number>> = { '=': 0, '!=': 1, '=~': 2, '!~': 3 };

/** One matcher as group keys and the configuration spell it. */
export function formatMatcher(matcher: Matcher): string {
  const { name, operator, value } = matcher;
  const shownName = NAME_NEEDS_QUOTES.test(name) ? quoteText(name) : name;
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
  return `${shownName}${operator}"${escaped}"`;
}

/** `{a="b",c=~"d"}`, sorted as in route keys. */
export function formatMatchers(matchers: readonly Matcher[]): string {
  return `{${sortMatchers(matchers).map(formatMatcher).join(',')}}`;
}

/** Sorted by name, value and type. */
export function sortMatchers(matchers: readonly Matcher[]): Matcher[] {
  return [...matchers].sort(
    (a, b) =>
      compareText(a.name, b.name) ||
      compareText(a.value, b.value) ||
      TYPE_RANK[a.operator] - TYPE_RANK[b.operator],
  );
}
