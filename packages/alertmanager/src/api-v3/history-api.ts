import type { HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { answer } from '../api/respond.ts';
import { EVERYTHING, type HistoryQuery } from '../history/query.ts';
import { HISTORY_KINDS, type HistoryKind } from '../history/record.ts';
import type { MatcherMode } from '../matcher/parse.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { RequestError } from './errors.ts';
import { integerWithin, matchersAt, timeAt } from './input.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
const MAX_TEXT = 1_000;

/** What happened, newest first. */
export async function getHistory(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const { query, signal } = exchange;
  const limit = integerWithin('limit', query.get('limit') ?? DEFAULT_LIMIT, {
    min: 1,
    max: MAX_LIMIT,
  });
  const page = await api.history.search(historyQueryOf(query, api.matcherMode), { limit, signal });
  return answer(200, {
    records: page.records,
    cursor: page.nextBeforeId === null ? null : String(page.nextBeforeId),
  });
}

function historyQueryOf(query: URLSearchParams, mode: MatcherMode): HistoryQuery {
  const text = (name: string): string => {
    const value = query.get(name) ?? '';
    if (value.length > MAX_TEXT) {
      throw new RequestError(name, `must not be longer than ${MAX_TEXT} characters`);
    }
    return value;
  };
  const from = text('from');
  const until = text('until');
  const cursor = text('cursor');
  return {
    fromMs: from === '' ? EVERYTHING.fromMs : timeAt('from', from),
    untilMs: until === '' ? EVERYTHING.untilMs : timeAt('until', until),
    kinds: kindsOf(query.getAll('kind')),
    matchers: query.getAll('filter').flatMap((item) => matchersAt('filter', item, mode)),
    receiver: text('receiver'),
    integration: text('integration'),
    groupKey: text('groupKey'),
    fingerprint: text('fingerprint'),
    result: text('result'),
    text: text('text'),
    beforeId:
      cursor === ''
        ? EVERYTHING.beforeId
        : integerWithin('cursor', cursor, { min: 1, max: Number.MAX_SAFE_INTEGER }),
  };
}

function kindsOf(given: readonly string[]): ReadonlySet<HistoryKind> | null {
  if (given.length === 0) return null;
  return new Set(
    given.map((name) => {
      const kind = HISTORY_KINDS.find((known) => known === name);
      if (kind === undefined) {
        throw new RequestError('kind', `"${name}" is none of ${HISTORY_KINDS.join(', ')}`);
      }
      return kind;
    }),
  );
}
