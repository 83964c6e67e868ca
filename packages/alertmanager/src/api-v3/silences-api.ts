import { type HttpResponse, LimitError, OperatingError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { Labels, type Matcher } from '@pollux/model';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import { mapAt } from '../api/json-body.ts';
import { answer } from '../api/respond.ts';
import { draftOf } from '../api/silences.ts';
import { SilenceNotFoundError } from '../errors.ts';
import { EVERYTHING } from '../history/query.ts';
import { toMs } from '../wire/timestamp.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { RequestError } from './errors.ts';
import { alertsMatching } from './explain-api.ts';
import { Fields } from './input.ts';

const DAY_MS = 24 * 3_600_000;
const MAX_BULK = 1_000;
const MAX_SHOWN = 200;
const MAX_ACTIVE = 100_000;
/** Past alerts are counted over so many records and bytes of history at most. */
const MAX_PAST_RECORDS = 20_000;
const MAX_PAST_BYTES = 64 * 1024 * 1024;

/** What a silence of these matchers would reach: alerts that fire now, and those that fired in the last days. */
export async function postPreview(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const fields = await Fields.of(exchange);
  const matchers = fields.matchers('matchers', api.matcherMode);
  const days = fields.integer('days', 7, { min: 0, max: 365 });
  fields.end();
  checkMatchers(matchers);
  const nowMs = api.clock.now();
  const found = await alertsMatching(api, matchers, MAX_ACTIVE);
  const firing = found.filter((alert) => !isResolvedAt(alert, nowMs));
  const past =
    days === 0 ? { alerts: [], isComplete: true } : await pastAlerts(api, matchers, days);
  return answer(200, {
    active: {
      count: firing.length,
      receivers: [...new Set(firing.flatMap((alert) => receiversOf(api, alert)))].sort(),
      alerts: firing.slice(0, MAX_SHOWN).map((alert) => ({
        fingerprint: alert.identity.fingerprint,
        labels: alert.identity.labels.toObject(),
        receivers: receiversOf(api, alert),
        silencedBy: api.silences.silencedBy(alert.identity),
      })),
    },
    past: {
      days,
      count: past.alerts.length,
      isComplete: past.isComplete,
      alerts: past.alerts.slice(0, MAX_SHOWN),
    },
  });
}

/** As the silence would be refused: everything must not be silenced. */
export function checkMatchers(matchers: readonly Matcher[]): void {
  if (matchers.length === 0) throw new RequestError('matchers', 'at least one is required');
  if (matchers.every((matcher) => matcher.matchesEmpty)) {
    throw new RequestError('matchers', 'at least one must not match the empty string');
  }
}

function receiversOf({ live }: ApiV3, { identity }: Alert): string[] {
  return live()
    .route.match(identity)
    .map(({ settings }) => settings.receiver);
}

type PastAlert = {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly receivers: readonly string[];
  readonly fired: number;
  readonly lastFired: string;
};

async function pastAlerts(
  { history, live, clock }: ApiV3,
  matchers: readonly Matcher[],
  days: number,
): Promise<{ readonly alerts: readonly PastAlert[]; readonly isComplete: boolean }> {
  const page = await history.search(
    {
      ...EVERYTHING,
      kinds: new Set(['alert'] as const),
      result: 'fired',
      matchers,
      fromMs: clock.now() - days * DAY_MS,
    },
    { limit: MAX_PAST_RECORDS, maxReadBytes: MAX_PAST_BYTES },
  );
  const byFingerprint = new Map<string, PastAlert>();
  for (const record of page.records) {
    if (record.kind !== 'alert') continue;
    const known = byFingerprint.get(record.fingerprint);
    const { fingerprint, labels, time } = record;
    // Newest first, so that the first time met is the last one fired.
    byFingerprint.set(fingerprint, {
      fingerprint,
      labels,
      receivers:
        known?.receivers ??
        live()
          .route.match(Labels.from(labels))
          .map(({ settings }) => settings.receiver),
      fired: (known?.fired ?? 0) + 1,
      lastFired: known?.lastFired ?? time,
    });
  }
  const alerts = [...byFingerprint.values()].sort((a, b) => b.fired - a.fired);
  return { alerts, isComplete: page.nextBeforeId === null };
}

type ItemResult = { readonly id: string } | { readonly error: { code: string; message: string } };

/** Creates, ends and prolongs many; each item is done or refused by itself. */
export async function postBulk(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const fields = await Fields.of(exchange);
  const created = fields.list('create', MAX_BULK);
  const expired = fields.texts('expire', MAX_BULK);
  const extended = fields.maps('extend', MAX_BULK).map((item) => {
    const wanted = { id: item.requiredText('id', 100), endsAtMs: item.time('endsAt') };
    item.end();
    return wanted;
  });
  fields.end();
  const { user } = exchange.principal;
  return answer(200, {
    created: created.map((item) =>
      attempt(() => api.silences.set({ ...draftOf(mapAt(item, 'create')), id: '' }, user)),
    ),
    expired: expired.map((id) =>
      attempt(() => {
        api.silences.expire(id, user);
        return id;
      }),
    ),
    extended: extended.map(({ id, endsAtMs }) =>
      attempt(() => extend(api, { id, endsAtMs, user })),
    ),
  });
}

/** The id stays, also of one that is active. */
function extend(
  { silences }: ApiV3,
  wanted: { readonly id: string; readonly endsAtMs: number | null; readonly user: string },
): string {
  const { id, endsAtMs, user } = wanted;
  const silence = silences.get(id);
  if (silence === undefined) throw new SilenceNotFoundError(id);
  if (endsAtMs === null) throw new RequestError('endsAt', 'is required');
  const { matchers, createdBy, comment, annotations } = silence;
  const startsAtMs = toMs(silence.startsAt);
  return silences.set(
    { id, matchers, startsAtMs, endsAtMs, createdBy, comment, annotations },
    user,
  );
}

function attempt(work: () => string): ItemResult {
  try {
    return { id: work() };
  } catch (error) {
    if (!OperatingError.is(error) && !LimitError.is(error)) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}

/** Which members hold the silence in the version that this one has. */
export async function getSeen(api: ApiV3, { params }: Exchange): Promise<HttpResponse> {
  const id = params.id ?? '';
  if (api.silences.get(id) === undefined) throw new SilenceNotFoundError(id);
  const peers = api.cluster.peers();
  // Alone, there is nobody but this member.
  const members = peers.length === 0 ? [{ name: api.cluster.name, address: '' }] : peers;
  const shown = members.map(({ name, address }) => ({
    name,
    address,
    state: api.silencesBeyond.seen.stateOf(name, id),
  }));
  return answer(200, {
    id,
    seen: shown.filter(({ state }) => state === 'seen').length,
    of: shown.length,
    members: shown,
  });
}
