import { type HttpResponse, OperatingError, Slices } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { isLegacyLabelName, Labels, quoteText } from '@pollux/model';
import type { Alert } from '../alert/alert.ts';
import { Annotations } from '../alert/annotations.ts';
import { labelsHash } from '../alert/label-hash.ts';
import { AlertError } from '../errors.ts';
import { ZERO_TIME_MS } from '../template/go-time.ts';
import { type AlertDraft, type AlertReader, isUri } from './alert-reader.ts';
import type { ApiOptions } from './api-options.ts';
import {
  BodyError,
  type JsonMap,
  mapAt,
  parseJson,
  readBody,
  textAt,
  textsAt,
} from './json-body.ts';
import { type ItemPlace, itemsOf } from './json-items.ts';
import { done, refusal } from './respond.ts';
import { parseDateTime } from './time.ts';

/** Far beyond what any rule writes: each costs whoever groups, matches, shows or sends the alert. */
const MAX_PAIRS = 10_000;
/** Labels, annotations, and what else a sender may say of an alert. */
const MAX_VALUES = 2 * MAX_PAIRS + 100;
/** Of a larger body that is no list of JSON it is not looked for what is wrong. */
const MAX_EXPLAINED_BYTES = 1024 * 1024;
const BLANK = Buffer.from(' ');
/** The clock is looked at after so many alerts. */
const LOOKS_EVERY = 16;

/** Stores every valid alert; when some are not, says so for each of them and still keeps the rest. */
export async function postAlerts(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const body = await readBody(exchange);
  const slices = new Slices(api.clock);
  // The form of all is checked before any is stored, as the original's generated code does.
  const drafts =
    (await plainDrafts(api.reader, body, slices)) ?? (await generalDrafts(api, body, slices));
  const nowMs = api.clock.now();
  const resolveTimeoutMs = api.live().config.global.resolve_timeout;
  const firing = api.received.with('firing', 'v2');
  const resolved = api.received.with('resolved', 'v2');
  const problems: string[] = [];
  const put = async (): Promise<void> => {
    let taken = 0;
    for (const draft of drafts) {
      try {
        if (draft instanceof AlertError) throw draft;
        const alert = alertOf(draft, nowMs, resolveTimeoutMs);
        api.provider.put(alert, draft.hash);
        (alert.endsAtMs <= nowMs ? resolved : firing).inc();
      } catch (error) {
        if (!OperatingError.is(error)) throw error;
        problems.push(error.message);
        api.invalid.with('v2').inc();
      }
      if (++taken % LOOKS_EVERY === 0 && slices.isOver) await slices.pause();
    }
  };
  const attributes = { 'alerting.alerts.count': drafts.length };
  await api.tracing.within(() => ({ name: 'provider.mem.Put', kind: 'producer', attributes }), put);
  return problems.length === 0 ? done() : refusal(400, problems.join('; '));
}

/** Null when the body is not of the shape that senders usually write. */
async function plainDrafts(
  reader: AlertReader,
  body: Uint8Array,
  slices: Slices,
): Promise<readonly AlertDraft[] | null> {
  const drafts: AlertDraft[] = [];
  const reading = reader.read(body);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value ? drafts : null;
    const count = drafts.push(step.value);
    if (count % LOOKS_EVERY === 0 && slices.isOver) await slices.pause();
  }
}

/**
 * Of any JSON; what is wrong with one alert alone stands in its place. One with too many values is refused unread: building
 * them would hold the thread.
 */
async function generalDrafts(
  api: ApiOptions,
  body: Uint8Array,
  slices: Slices,
): Promise<readonly (AlertDraft | AlertError)[]> {
  const places = await itemsOf(body, slices);
  if (places === null) {
    noList(body);
    return [];
  }
  // All are JSON before any is looked at, as if the body were parsed whole.
  const items: unknown[] = [];
  for (const [index, place] of places.entries()) {
    items.push(
      place.values > MAX_VALUES ? tooManyValues(place.values) : parseItem(body, place, index),
    );
    if (slices.isOver) await slices.pause();
  }
  const drafts: (AlertDraft | AlertError)[] = [];
  for (const [index, item] of items.entries()) {
    const place = `alerts.${index}`;
    drafts.push(item instanceof AlertError ? item : draftOf(api, mapAt(item, place), place));
    if (slices.isOver) await slices.pause();
  }
  return drafts;
}

/** As Go reads it, null is a list of none; all else is refused. */
function noList(body: Uint8Array): void {
  const isLarge = body.length > MAX_EXPLAINED_BYTES;
  const value = isLarge ? undefined : parseJson(body, 'alerts');
  if (value !== null) throw new BodyError('alerts', 'must be a list', 400);
}

function tooManyValues(count: number): AlertError {
  return new AlertError(
    `${count} values; an alert may have ${MAX_PAIRS} labels and as many annotations`,
  );
}

function parseItem(body: Uint8Array, { from, to }: ItemPlace, index: number): unknown {
  const item = body.subarray(from, to);
  // Nothing between two commas is wrong JSON, not a body that is missing.
  return parseJson(item.length === 0 ? BLANK : item, `alerts.${index}`);
}

function draftOf(api: ApiOptions, map: JsonMap, place: string): AlertDraft | AlertError {
  if (map.labels === undefined || map.labels === null) {
    throw new BodyError('', `${place.replace('alerts.', '')}.labels in body is required`, 422);
  }
  const pairs = textsAt(map, 'labels', place);
  const annotations = textsAt(map, 'annotations', place);
  const rest = {
    startsAtMs: timeAt(map, 'startsAt', place),
    endsAtMs: timeAt(map, 'endsAt', place),
    generatorUrl: textAt(map, 'generatorURL', place) ?? '',
  };
  if (!isUri(rest.generatorUrl)) {
    const where = `${place.replace('alerts.', '')}.generatorURL`;
    const what = `${where} in body must be of type uri: ${quoteText(rest.generatorUrl)}`;
    throw new BodyError('', what, 422, 601);
  }
  const count = Math.max(pairs.length, annotations.length);
  if (count > MAX_PAIRS) {
    return new AlertError(`${count} labels or annotations; an alert may have ${MAX_PAIRS} of each`);
  }
  const labels = Labels.from(pairs);
  if (labels.isEmpty) return new AlertError('at least one label pair required');
  const isClassic = api.matcherMode === 'classic';
  const problem =
    badName(pairs, 'label set', isClassic) ?? badName(annotations, 'annotations', isClassic);
  if (problem !== null) return problem;
  return {
    ...rest,
    identity: api.provider.identityOf(labels),
    hash: labelsHash(labels, api.provider.seed),
    annotations: Annotations.from(annotations),
  };
}

function timeAt(map: JsonMap, key: string, place: string): number | null {
  const text = textAt(map, key, place);
  if (text === null || text === '') return null;
  const ms = parseDateTime(text);
  if (ms === null) {
    throw new BodyError(`${place}.${key}`, `"${text}" is no date and time (RFC 3339)`, 400);
  }
  return ms === ZERO_TIME_MS ? null : ms;
}

function alertOf(draft: AlertDraft, nowMs: number, resolveTimeoutMs: number): Alert {
  const endsAtMs = draft.endsAtMs ?? nowMs + resolveTimeoutMs;
  // Without a start an alert begins with its end, also where that lies ahead.
  const startsAtMs = draft.startsAtMs ?? draft.endsAtMs ?? nowMs;
  if (endsAtMs < startsAtMs) throw new AlertError('start time must be before end time');
  return {
    identity: draft.identity,
    annotations: draft.annotations,
    startsAtMs,
    endsAtMs,
    updatedAtMs: nowMs,
    generatorUrl: draft.generatorUrl,
    isTimeout: draft.endsAtMs === null,
  };
}

type NamedTexts = readonly (readonly [string, string])[];

function badName(pairs: NamedTexts, what: string, isClassic: boolean): AlertError | null {
  for (const [name] of pairs) {
    if (name === '' || (isClassic && !isLegacyLabelName(name))) {
      return new AlertError(`invalid ${what}: invalid name ${quoteText(name)}`);
    }
  }
  return null;
}
