import { InputError, OperatingError } from '@pollux/base';
import { type Matcher, Pattern } from '@pollux/model';
import { type MatcherMode, parseMatcher } from '../matcher/parse.ts';

/** A query parameter refused. */
export class QueryError extends InputError {
  constructor(message: string) {
    super('ALERTMANAGER.BAD_QUERY', '', message);
  }
}

/** What the original's generated code takes for true; any other word is false. */
const TRUE_WORDS: ReadonlySet<string> = new Set([
  'true',
  '1',
  'yes',
  'ok',
  'y',
  'on',
  'selected',
  'checked',
  't',
  'enabled',
]);

/** `true` when missing. */
export function flagOf(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  return text === null || text === '' || TRUE_WORDS.has(text.toLowerCase());
}

/** Of a repeatable parameter, each of which is one matcher without braces. */
export function matchersOf(query: URLSearchParams, name: string, mode: MatcherMode): Matcher[] {
  return query.getAll(name).map((text) => {
    if (text === '') throw new QueryError('bad matcher format: ');
    return parseMatcher(text, mode);
  });
}

/** A fault of this parameter, named. */
function inParameter<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    throw new QueryError(`failed to parse ${name} param: ${error.message}`);
  }
}

/** Which receivers a query asks for, by pattern and by labels. */
export function receiverTest(
  query: URLSearchParams,
  mode: MatcherMode,
  labelsOf: (receiver: string) => Readonly<Record<string, string>>,
): (receiver: string) => boolean {
  const source = query.get('receiver');
  const pattern = inParameter('receiver', () =>
    source === null || source === '' ? null : new Pattern(`(?:${source})`),
  );
  const matchers = inParameter('receiver_matchers', () =>
    matchersOf(query, 'receiver_matchers', mode),
  );
  return (receiver) => {
    if (pattern !== null && !pattern.matches(receiver)) return false;
    if (matchers.length === 0) return true;
    const labels: Readonly<Record<string, string>> = { ...labelsOf(receiver), name: receiver };
    return matchers.every((matcher) =>
      matcher.matches(Object.hasOwn(labels, matcher.name) ? (labels[matcher.name] ?? '') : ''),
    );
  };
}
