import { type HttpResponse, Slices } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { Labels, type Matcher, matchesAll } from '@pollux/model';
import { type Alert, AlertIdentity } from '../alert/alert.ts';
import { answer } from '../api/respond.ts';
import type { AggregationGroup } from '../dispatch/aggregation-group.ts';
import { explainAlert, inhibitionView, silencingView } from '../explain/explain.ts';
import type { GroupPreview } from '../explain/explain-group.ts';
import { explainRoutes } from '../explain/explain-route.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { NotFoundError, RequestError } from './errors.ts';
import { Fields, integerWithin, matchersAt } from './input.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 200;

/** Why alerts are or are not notified. */
export async function getExplanation(api: ApiV3, { query }: Exchange): Promise<HttpResponse> {
  const limit = integerWithin('limit', query.get('limit') ?? DEFAULT_LIMIT, {
    min: 1,
    max: MAX_LIMIT,
  });
  const { found, isTruncated } = await alertsAsked(api, query, limit);
  const alerts = [];
  const previews = new Map<AggregationGroup, GroupPreview>();
  for (const alert of found) alerts.push(await explainAlert(api, alert, previews));
  return answer(200, { alerts, isTruncated });
}

async function alertsAsked(
  api: ApiV3,
  query: URLSearchParams,
  limit: number,
): Promise<{ readonly found: readonly Alert[]; readonly isTruncated: boolean }> {
  const fingerprint = query.get('fingerprint') ?? '';
  if (fingerprint !== '') {
    const alert = api.provider.get(fingerprint);
    if (alert === undefined) {
      throw new NotFoundError('fingerprint', `no alert ${fingerprint} is known here`);
    }
    return { found: [alert], isTruncated: false };
  }
  const matchers = query
    .getAll('filter')
    .flatMap((text) => matchersAt('filter', text, api.matcherMode));
  if (matchers.length === 0) {
    throw new RequestError('filter', 'give a fingerprint or at least one matcher');
  }
  const found = await alertsMatching(api, matchers, limit + 1);
  return { found: found.slice(0, limit), isTruncated: found.length > limit };
}

/** The first alerts that match, looked for in slices. */
export async function alertsMatching(
  { provider, clock }: Pick<ApiV3, 'provider' | 'clock'>,
  matchers: readonly Matcher[],
  limit: number,
): Promise<Alert[]> {
  const slices = new Slices(clock);
  const found: Alert[] = [];
  for (const alert of provider.list()) {
    if (slices.isOver) await slices.pause();
    if (!matchesAll(matchers, alert.identity)) continue;
    found.push(alert);
    if (found.length >= limit) break;
  }
  return found;
}

/** Where an alert of these labels would go; it need not exist. */
export async function postExplanation(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const fields = await Fields.of(exchange);
  const labels = Labels.from(fields.pairs('labels', 200));
  fields.end();
  if (labels.isEmpty) throw new RequestError('labels', 'at least one label is required');
  const live = api.live();
  const inhibition = live.inhibitor.inhibitionOf(labels, api.clock.now());
  return answer(200, {
    fingerprint: new AlertIdentity(labels).fingerprint,
    labels: labels.toObject(),
    routes: await explainRoutes(live, labels, api.clock),
    inhibitedBy: inhibition === null ? null : inhibitionView(inhibition),
    silencedBy: api.silences.silencedBy(labels).map((id) => silencingView(api, id)),
  });
}
