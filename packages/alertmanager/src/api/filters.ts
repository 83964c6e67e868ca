import { InputError } from '@pollux/base';
import { type Matcher, Pattern } from '@pollux/model';
import { type MatcherMode, parseMatchers } from '../matcher/parse.ts';

/** A query parameter refused. */
export class QueryError extends InputError {
  constructor(message: string) {
    super('ALERTMANAGER.BAD_QUERY', '', message);
  }
}

/** `true` when missing; only the words true, false, 1 and 0 are taken. */
export function flagOf(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (text === null || text === '') return true;
  if (text === 'true' || text === '1' || text === 't' || text === 'T') return true;
  if (text === 'false' || text === '0' || text === 'f' || text === 'F') return false;
  throw new QueryError(`${name} in query must be of type boolean: "${text}"`);
}

/** All matchers of a repeatable parameter. */
export function matchersOf(query: URLSearchParams, name: string, mode: MatcherMode): Matcher[] {
  return query.getAll(name).flatMap((text) => parseMatchers(text, mode).matchers);
}

/** Which receivers a query asks for, by pattern and by labels. */
export function receiverTest(
  query: URLSearchParams,
  mode: MatcherMode,
  labelsOf: (receiver: string) => Readonly<Record<string, string>>,
): (receiver: string) => boolean {
  const source = query.get('receiver');
  const pattern = source === null || source === '' ? null : new Pattern(`(?:${source})`);
  const matchers = matchersOf(query, 'receiver_matchers', mode);
  return (receiver) => {
    if (pattern !== null && !pattern.matches(receiver)) return false;
    if (matchers.length === 0) return true;
    const labels: Readonly<Record<string, string>> = { ...labelsOf(receiver), name: receiver };
    return matchers.every((matcher) =>
      matcher.matches(Object.hasOwn(labels, matcher.name) ? (labels[matcher.name] ?? '') : ''),
    );
  };
}
