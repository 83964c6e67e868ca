import { type HttpResponse, Slices } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { type Matcher, matchesAll } from '@pollux/model';
import type { Acknowledgement } from '../acknowledge/acknowledgement.ts';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import { answer, done } from '../api/respond.ts';
import { formatDateTime } from '../api/time.ts';
import { groupKeysOf } from '../dispatch/group-keys.ts';
import { spellMatcher } from '../silence/silence.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { NotFoundError, RequestError } from './errors.ts';
import { Fields } from './input.ts';

/** Somebody takes firing alerts over. */
export async function postAcknowledgement(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const fields = await Fields.of(exchange);
  const matchers = fields.matchers('matchers', api.matcherMode);
  const fingerprint = fields.text('fingerprint', 16);
  const groupKey = fields.text('groupKey');
  const owner = fields.text('owner', 200) || exchange.principal.user;
  const note = fields.text('note', 4_000);
  const untilMs = fields.time('until') ?? 0;
  fields.end();
  if (matchers.length === 0 && fingerprint === '' && groupKey === '') {
    throw new RequestError('matchers', 'give matchers, a fingerprint or a groupKey');
  }
  if (owner === '') throw new RequestError('owner', 'is required');
  if (untilMs !== 0 && untilMs <= api.clock.now()) {
    throw new RequestError('until', 'must be in the future');
  }
  const alerts = await firing(api, { matchers, fingerprint, groupKey });
  if (alerts.length === 0) {
    const message = 'no alert that fires is meant; what is not there cannot be acknowledged';
    throw new RequestError('matchers', message, 409);
  }
  const created = api.acknowledgements.create({
    matchers: matchers.map(({ name, operator, value }) => ({ name, operator, pattern: value })),
    fingerprint,
    groupKey,
    owner,
    note,
    untilMs,
    latestStartMs: alerts.reduce((latest, { startsAtMs }) => Math.max(latest, startsAtMs), 0),
  });
  return answer(200, { ...acknowledgementView(api, created), alerts: alerts.length });
}

/** Those of this member, latest first; with `ended=true` also those that have ended within a day. */
export async function getAcknowledgements(api: ApiV3, { query }: Exchange): Promise<HttpResponse> {
  const withEnded = query.get('ended') === 'true';
  const shown = [...api.acknowledgements.all()]
    .filter((item) => withEnded || api.acknowledgements.isLive(item))
    .sort((a, b) => b.createdMs - a.createdMs);
  return answer(200, { acknowledgements: shown.map((item) => acknowledgementView(api, item)) });
}

export async function getAcknowledgement(api: ApiV3, { params }: Exchange): Promise<HttpResponse> {
  return answer(200, acknowledgementView(api, known(api, params.id ?? '')));
}

export async function deleteAcknowledgement(
  api: ApiV3,
  { params }: Exchange,
): Promise<HttpResponse> {
  api.acknowledgements.end(known(api, params.id ?? '').id);
  return done();
}

function known({ acknowledgements }: ApiV3, id: string): Acknowledgement {
  const found = acknowledgements.get(id);
  if (found === undefined) throw new NotFoundError('id', `acknowledgement ${id} is not known here`);
  return found;
}

async function firing(
  api: ApiV3,
  meant: {
    readonly matchers: readonly Matcher[];
    readonly fingerprint: string;
    readonly groupKey: string;
  },
): Promise<Alert[]> {
  const { clock, provider } = api;
  const { route } = api.live();
  const slices = new Slices(clock);
  const nowMs = clock.now();
  const found: Alert[] = [];
  for (const alert of provider.list()) {
    if (slices.isOver) await slices.pause();
    const { labels, fingerprint } = alert.identity;
    if (isResolvedAt(alert, nowMs) || !matchesAll(meant.matchers, labels)) continue;
    if (meant.fingerprint !== '' && fingerprint !== meant.fingerprint) continue;
    if (meant.groupKey !== '' && !groupKeysOf(route, alert).includes(meant.groupKey)) continue;
    found.push(alert);
  }
  return found;
}

function acknowledgementView({ acknowledgements }: ApiV3, item: Acknowledgement): object {
  const timeOrNull = (ms: number): string | null => (ms === 0 ? null : formatDateTime(ms));
  return {
    id: item.id,
    state: acknowledgements.isLive(item) ? 'active' : 'ended',
    owner: item.owner,
    note: item.note,
    matchers: item.matchers.map(spellMatcher),
    fingerprint: item.fingerprint,
    groupKey: item.groupKey,
    createdAt: formatDateTime(item.createdMs),
    until: timeOrNull(item.untilMs),
    endedAt: timeOrNull(item.endedMs),
  };
}
