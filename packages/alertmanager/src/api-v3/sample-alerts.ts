import { Labels } from '@pollux/model';
import { type Alert, AlertIdentity } from '../alert/alert.ts';
import { Annotations } from '../alert/annotations.ts';
import { EVERYTHING } from '../history/query.ts';
import type { HistoryRecord } from '../history/record.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { NotFoundError, RequestError } from './errors.ts';
import { alertsMatching } from './explain-api.ts';
import type { Fields } from './input.ts';

const MAX_ALERTS = 100;
const MAX_PAST_BYTES = 64 * 1024 * 1024;

/**
 * The alerts that a request names for a trial: written out (`alerts`), active ones (`filter`), or past ones from history
 * (`filter` with `past`). None when it names none.
 */
export async function sampleAlerts(api: ApiV3, fields: Fields): Promise<readonly Alert[]> {
  const given = fields.maps('alerts', MAX_ALERTS).map((item) => givenAlert(item, api.clock.now()));
  const matchers = fields.matchers('filter', api.matcherMode);
  const isPast = fields.flag('past', false);
  const limit = fields.integer('limit', 10, { min: 1, max: MAX_ALERTS });
  if (given.length > 0) return given;
  if (matchers.length === 0 && !isPast) return [];
  if (!isPast) {
    const active = await alertsMatching(api, matchers, limit);
    if (active.length === 0) throw new NotFoundError('filter', 'no alert matches');
    return active;
  }
  const page = await api.history.search(
    { ...EVERYTHING, kinds: new Set(['alert'] as const), matchers },
    { limit, maxReadBytes: MAX_PAST_BYTES },
  );
  const past = page.records.flatMap((record) => pastAlert(record));
  if (past.length === 0) throw new NotFoundError('filter', 'no past alert matches');
  return past;
}

function givenAlert(fields: Fields, nowMs: number): Alert {
  const labels = Labels.from(fields.pairs('labels', 200));
  if (labels.isEmpty) throw new RequestError(fields.at('labels'), 'at least one is required');
  const alert = {
    identity: new AlertIdentity(labels),
    annotations: Annotations.from(fields.pairs('annotations', 200)),
    startsAtMs: fields.time('startsAt') ?? nowMs,
    endsAtMs: fields.time('endsAt') ?? 0,
    updatedAtMs: nowMs,
    generatorUrl: fields.text('generatorURL'),
    isTimeout: false,
  };
  fields.end();
  return alert;
}

function pastAlert(record: HistoryRecord): Alert[] {
  if (record.kind !== 'alert') return [];
  const timeMs = Date.parse(record.time);
  return [
    {
      identity: new AlertIdentity(Labels.from(record.labels)),
      annotations: Annotations.from(Object.entries(record.annotations)),
      startsAtMs: Date.parse(record.startsAt),
      // One that fired is shown as it was then, without an end.
      endsAtMs: record.change === 'fired' ? 0 : Date.parse(record.endsAt),
      updatedAtMs: timeMs,
      generatorUrl: record.generatorURL,
      isTimeout: false,
    },
  ];
}
