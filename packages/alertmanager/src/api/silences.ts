import type { GettableSilence } from '@pollux/api-types';
import type { HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { type Matcher, type MatchOperator, quoteText } from '@pollux/model';
import { type Silence, type SilenceMatcher, stateAt } from '../silence/silence.ts';
import type { SilenceDraft } from '../silence/silence-store.ts';
import { toMs } from '../wire/timestamp.ts';
import type { ApiOptions } from './api-options.ts';
import { flagOf, matchersOf } from './filters.ts';
import {
  BodyError,
  booleanAt,
  type JsonMap,
  listAt,
  mapAt,
  mapOrEmpty,
  readJson,
  textAt,
  textsAt,
} from './json-body.ts';
import { answer, answerEscaped, done, notFound } from './respond.ts';
import { formatDateTime, parseDateTime } from './time.ts';

export async function getSilences(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const { query } = exchange;
  const nowMs = api.clock.now();
  const filters = matchersOf(query, 'filter', api.matcherMode);
  const wanted = {
    active: flagOf(query, 'active'),
    pending: flagOf(query, 'pending'),
    expired: flagOf(query, 'expired'),
  };
  const found = [...api.silences.all()].filter(
    (silence) =>
      wanted[stateAt(silence, nowMs)] && filters.every((filter) => hasMatcher(silence, filter)),
  );
  return answerEscaped(
    200,
    sortSilences(found, nowMs).map((silence) => silenceView(silence, nowMs)),
  );
}

export async function postSilence(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const draft = draftOf(mapOrEmpty(await readJson(exchange, 'silence'), 'silence'));
  return answer(200, { silenceID: api.silences.set(draft, exchange.principal.user) });
}

export async function getSilence(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const silence = api.silences.get(idOf(exchange));
  if (silence === undefined) return notFound();
  return answerEscaped(200, silenceView(silence, api.clock.now()));
}

export async function deleteSilence(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const id = idOf(exchange);
  if (api.silences.get(id) === undefined) return notFound();
  api.silences.expire(id, exchange.principal.user);
  return done();
}

/** Throws a BodyError for what cannot be an id. */
function idOf({ params, path }: Exchange): string {
  const id = params.id ?? '';
  if (id === '') throw new BodyError('', `path ${path} was not found`, 404);
  if (UUID.test(id)) return id;
  throw new BodyError('', `silenceID in path must be of type uuid: ${quoteText(id)}`, 422, 601);
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** A filter must be one of the silence's own matchers; whether it would match is not asked. */
function hasMatcher(silence: Silence, filter: Matcher): boolean {
  return silence.matchers.some(
    ({ name, operator, pattern }) =>
      name === filter.name && operator === filter.operator && pattern === filter.value,
  );
}

const STATE_RANK = { active: 0, pending: 1, expired: 2 } as const;

/** Active ones by end, pending ones by start, expired ones by end, latest first. */
function sortSilences(silences: readonly Silence[], nowMs: number): Silence[] {
  return [...silences].sort((a, b) => {
    const state = stateAt(a, nowMs);
    const order = STATE_RANK[state] - STATE_RANK[stateAt(b, nowMs)];
    if (order !== 0) return order;
    if (state === 'pending') return toMs(a.startsAt) - toMs(b.startsAt);
    const byEnd = toMs(a.endsAt) - toMs(b.endsAt);
    return state === 'active' ? byEnd : -byEnd;
  });
}

function silenceView(silence: Silence, nowMs: number): GettableSilence {
  return {
    id: silence.id,
    status: { state: stateAt(silence, nowMs) },
    updatedAt: formatDateTime(toMs(silence.updatedAt)),
    annotations: Object.fromEntries(silence.annotations),
    comment: silence.comment,
    createdBy: silence.createdBy,
    endsAt: formatDateTime(toMs(silence.endsAt)),
    matchers: silence.matchers.map(({ name, operator, pattern }) => ({
      isEqual: operator === '=' || operator === '=~',
      isRegex: operator === '=~' || operator === '!~',
      name,
      value: pattern,
    })),
    startsAt: formatDateTime(toMs(silence.startsAt)),
  };
}

/** As the body of POST /api/v2/silences. */
export function draftOf(map: JsonMap): SilenceDraft {
  // In this order the original's generated code finds what is missing.
  for (const name of ['comment', 'createdBy', 'endsAt', 'matchers', 'startsAt']) {
    required(map, name);
  }
  const matchers = listAt(map.matchers, 'silence.matchers');
  if (matchers.length === 0) {
    throw new BodyError('', 'matchers in body should have at least 1 items', 422, 612);
  }
  return {
    id: textAt(map, 'id', 'silence') ?? '',
    matchers: matchers.map((item, index) => matcherOf(mapAt(item, `matchers.${index}`), index)),
    startsAtMs: timeOf(map, 'startsAt'),
    endsAtMs: timeOf(map, 'endsAt'),
    createdBy: requiredText(map, 'createdBy'),
    comment: requiredText(map, 'comment'),
    annotations: new Map(textsAt(map, 'annotations', 'silence')),
  };
}

function matcherOf(map: JsonMap, index: number): SilenceMatcher {
  const place = `matchers.${index}`;
  if (typeof required(map, 'isRegex', `${place}.`) !== 'boolean') {
    throw new BodyError(`${place}.isRegex`, 'must be a boolean', 400);
  }
  required(map, 'name', `${place}.`);
  required(map, 'value', `${place}.`);
  const name = textAt(map, 'name', place) ?? '';
  const pattern = textAt(map, 'value', place) ?? '';
  const isEqual = booleanAt(map, 'isEqual', place, true);
  const operator: MatchOperator = map.isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=';
  return { name, operator, pattern };
}

function required(map: JsonMap, key: string, place = ''): unknown {
  const value = Object.hasOwn(map, key) ? map[key] : undefined;
  if (value === undefined || value === null) {
    throw new BodyError('', `${place}${key} in body is required`, 422);
  }
  return value;
}

function requiredText(map: JsonMap, key: string): string {
  required(map, key);
  return textAt(map, key, 'silence') ?? '';
}

function timeOf(map: JsonMap, key: string): number {
  const text = requiredText(map, key);
  const ms = parseDateTime(text);
  if (ms === null) {
    throw new BodyError(`silence.${key}`, `"${text}" is no date and time (RFC 3339)`, 400);
  }
  return ms;
}
