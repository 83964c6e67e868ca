import { type HttpResponse, OperatingError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { isLegacyLabelName, Labels } from '@pollux/model';
import { type Alert, annotationsFrom } from '../alert/alert.ts';
import { AlertError } from '../errors.ts';
import { ZERO_TIME_MS } from '../template/go-time.ts';
import type { ApiOptions } from './api-options.ts';
import { BodyError, type JsonMap, listAt, mapAt, readJson, textAt, textsAt } from './json-body.ts';
import { done, refusal } from './respond.ts';
import { parseDateTime } from './time.ts';

/** Stores every valid alert; when some are not, says so for each of them and still keeps the rest. */
export async function postAlerts(api: ApiOptions, exchange: Exchange): Promise<HttpResponse> {
  const items = listAt(await readJson(exchange, 'alerts'), 'alerts');
  const nowMs = api.clock.now();
  const resolveTimeoutMs = api.live().config.global.resolve_timeout;
  // The form of all is checked before any is stored, as the original's generated code does.
  const drafts = items.map((item, index) =>
    draftOf(mapAt(item, `alerts.${index}`), `alerts.${index}`),
  );
  const problems: string[] = [];
  for (const draft of drafts) {
    try {
      const alert = alertOf(api, draft, nowMs, resolveTimeoutMs);
      api.provider.put(alert);
      api.received.with(alert.endsAtMs <= nowMs ? 'resolved' : 'firing', 'v2').inc();
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      problems.push(error.message);
      api.invalid.with('v2').inc();
    }
  }
  return problems.length === 0 ? done() : refusal(400, problems.join('; '));
}

type Draft = {
  readonly labels: readonly (readonly [string, string])[];
  readonly annotations: readonly (readonly [string, string])[];
  /** Null when not given. */
  readonly startsAtMs: number | null;
  readonly endsAtMs: number | null;
  readonly generatorUrl: string;
};

function draftOf(map: JsonMap, place: string): Draft {
  if (map.labels === undefined || map.labels === null) {
    throw new BodyError(`${place}.labels`, `${place}.labels in body is required`, 422);
  }
  return {
    labels: textsAt(map, 'labels', place),
    annotations: textsAt(map, 'annotations', place),
    startsAtMs: timeAt(map, 'startsAt', place),
    endsAtMs: timeAt(map, 'endsAt', place),
    generatorUrl: textAt(map, 'generatorURL', place) ?? '',
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

function alertOf(api: ApiOptions, draft: Draft, nowMs: number, resolveTimeoutMs: number): Alert {
  const labels = Labels.from(draft.labels);
  if (labels.isEmpty) throw new AlertError('at least one label pair required');
  for (const [name] of draft.labels) checkName(name, 'label', api.matcherMode === 'classic');
  for (const [name] of draft.annotations)
    checkName(name, 'annotation', api.matcherMode === 'classic');
  const endsAtMs = draft.endsAtMs ?? nowMs + resolveTimeoutMs;
  const startsAtMs =
    draft.startsAtMs ?? (draft.endsAtMs === null ? nowMs : Math.min(draft.endsAtMs, nowMs));
  if (endsAtMs < startsAtMs) throw new AlertError('start time must be before end time');
  return {
    identity: api.provider.identityOf(labels),
    annotations: annotationsFrom(draft.annotations),
    startsAtMs,
    endsAtMs,
    updatedAtMs: nowMs,
    generatorUrl: draft.generatorUrl,
    isTimeout: draft.endsAtMs === null,
  };
}

function checkName(name: string, what: string, isClassic: boolean): void {
  if (name === '' || (isClassic && !isLegacyLabelName(name))) {
    throw new AlertError(`invalid ${what} name ${JSON.stringify(name)}`);
  }
}
