import { type Matcher, METRIC_NAME } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';

/** What an InfluxDB's times reach to, ms. */
const MAX_MS = 9_223_372_036_854;

/**
 * The InfluxQL that gives at least what the matchers choose. What it cannot say rightly (labels that a series may lack, names that are not
 * so) is left to who looks at the answer with the same matchers.
 */
export function influxStatement(
  matchers: readonly Matcher[],
  range: TimeRange,
  retentionPolicy: string,
): string {
  const conditions = matchers.flatMap(conditionOf);
  conditions.push(`time >= ${within(range.minMs)}ms`, `time <= ${within(range.maxMs)}ms`);
  const policy = retentionPolicy === '' ? '' : `${quoted('"', retentionPolicy)}.`;
  const from = policy + measurementOf(matchers);
  return `SELECT "value"::float FROM ${from} WHERE ${conditions.join(' AND ')} GROUP BY *`;
}

function measurementOf(matchers: readonly Matcher[]): string {
  const named = matchers.filter(({ name }) => name === METRIC_NAME);
  const one = named.find(({ operator, value }) => operator === '=' && value !== '');
  if (one !== undefined) return quoted('"', one.value);
  const like = named.find((matcher) => matcher.operator === '=~' && !matcher.matchesEmpty);
  return like === undefined ? '/.+/' : regex(like.value);
}

function conditionOf(matcher: Matcher): string[] {
  const { name, operator, value } = matcher;
  if (name === METRIC_NAME) return [];
  // A field may have the same name.
  const tag = `${quoted('"', name)}::tag`;
  const text = quoted("'", value);
  switch (operator) {
    case '=':
      return value === '' ? [] : [`${tag} = ${text}`];
    case '!=':
      return value === '' ? [] : [`${tag} != ${text}`];
    case '=~':
      return matcher.matchesEmpty ? [] : [`${tag} =~ ${regex(value)}`];
    case '!~':
      return [`${tag} !~ ${regex(value)}`];
  }
}

function quoted(mark: string, text: string): string {
  const inner = text.replaceAll('\\', '\\\\').replaceAll(mark, `\\${mark}`).replaceAll('\n', '\\n');
  return mark + inner + mark;
}

/** Of the whole text, as matchers are; a group keeps alternatives together. */
function regex(pattern: string): string {
  return `/^(?s:${pattern.replaceAll('/', '\\/').replaceAll('\n', '\\n')})$/`;
}

function within(ms: number): number {
  return Math.trunc(Math.min(MAX_MS, Math.max(-MAX_MS, ms)));
}
