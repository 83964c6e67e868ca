import type { Acknowledgement } from '../acknowledge/acknowledgement.ts';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import { formatDateTime } from '../api/time.ts';
import type { AggregationGroup } from '../dispatch/aggregation-group.ts';
import { groupKeysOf } from '../dispatch/group-keys.ts';
import type { Inhibition } from '../inhibit/inhibitor.ts';
import { formatMatchers } from '../matcher/format.ts';
import { spellMatcher } from '../silence/silence.ts';
import { toMs } from '../wire/timestamp.ts';
import { explainGroup, type GroupPreview, type GroupView, previewGroup } from './explain-group.ts';
import { explainRoute, type RouteView } from './explain-route.ts';
import type { ExplainSources } from './explain-sources.ts';

export type AlertExplanation = {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly status: 'firing' | 'resolved';
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  /** Whether the sender told when the alert ends, or `resolve_timeout` guesses it. */
  readonly endIsGuessed: boolean;
  readonly acknowledgedBy: readonly AcknowledgementView[];
  readonly inhibitedBy: InhibitionView | null;
  readonly silencedBy: readonly SilencingView[];
  /** One for each route that takes the alert. */
  readonly routes: readonly (RouteView & { readonly state: GroupView | null })[];
  readonly member: {
    readonly name: string;
    readonly clusterStatus: string;
    readonly position: number;
    /** How long this member lets those before it speak first, s. */
    readonly waitSeconds: number;
  };
};

export type AcknowledgementView = {
  readonly id: string;
  readonly owner: string;
  readonly note: string;
  readonly until: string | null;
};

type AcknowledgementSources = Pick<ExplainSources, 'acknowledgements' | 'live'>;

/** The live acknowledgements of an alert. */
export function acknowledging(
  { acknowledgements, live }: AcknowledgementSources,
  alert: Alert,
): readonly Acknowledgement[] {
  return acknowledgements.covering(alert, () => groupKeysOf(live().route, alert));
}

/** The same as answers show them. */
export function acknowledgementsOf(
  sources: AcknowledgementSources,
  alert: Alert,
): AcknowledgementView[] {
  return acknowledging(sources, alert).map(({ id, owner, note, untilMs }) => ({
    id,
    owner,
    note,
    until: untilMs === 0 ? null : formatDateTime(untilMs),
  }));
}

export type InhibitionView = {
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly rule: {
    readonly name: string;
    readonly source: string;
    readonly target: string;
    readonly equal: readonly string[];
  };
};

export type SilencingView = {
  readonly id: string;
  readonly matchers: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly startsAt: string;
  readonly endsAt: string;
};

/**
 * Why an alert is or is not notified, as this member's own parts answer when they are asked. Explanations of one request
 * share `previews`.
 */
export async function explainAlert(
  sources: ExplainSources,
  alert: Alert,
  previews: Map<AggregationGroup, GroupPreview> = new Map(),
): Promise<AlertExplanation> {
  const { clock, cluster, peerTimeoutMs } = sources;
  const nowMs = clock.now();
  const { labels, fingerprint } = alert.identity;
  const live = sources.live();
  const stateOf = async (group: AggregationGroup): Promise<GroupView> => {
    const preview = previews.get(group) ?? (await previewGroup(live, group));
    previews.set(group, preview);
    return explainGroup(sources, { group, preview }, alert);
  };
  const routes: (RouteView & { readonly state: GroupView | null })[] = [];
  for (const route of live.route.match(labels)) {
    const group = live.dispatcher.groupOf(route, labels);
    routes.push({
      ...(await explainRoute(live, route, labels, clock)),
      state: group === undefined ? null : await stateOf(group),
    });
  }
  const inhibition = live.inhibitor.inhibitionOf(labels, nowMs);
  const position = cluster.position();
  return {
    fingerprint,
    labels: labels.toObject(),
    annotations: Object.fromEntries(alert.annotations),
    status: isResolvedAt(alert, nowMs) ? 'resolved' : 'firing',
    startsAt: formatDateTime(alert.startsAtMs),
    endsAt: formatDateTime(alert.endsAtMs),
    updatedAt: formatDateTime(alert.updatedAtMs),
    endIsGuessed: alert.isTimeout,
    acknowledgedBy: acknowledgementsOf(sources, alert),
    inhibitedBy: inhibition === null ? null : inhibitionView(inhibition),
    silencedBy: sources.silences.silencedBy(labels).map((id) => silencingView(sources, id)),
    routes,
    member: {
      name: cluster.name,
      clusterStatus: cluster.status(),
      position,
      waitSeconds: (position * peerTimeoutMs) / 1000,
    },
  };
}

export function inhibitionView({ rule, source }: Inhibition): InhibitionView {
  return {
    fingerprint: source.identity.fingerprint,
    labels: source.identity.labels.toObject(),
    rule: {
      name: rule.name,
      source: formatMatchers(rule.source),
      target: formatMatchers(rule.target),
      equal: rule.equal,
    },
  };
}

export function silencingView({ silences }: ExplainSources, id: string): SilencingView {
  const silence = silences.get(id);
  return {
    id,
    matchers: `{${(silence?.matchers ?? []).map(spellMatcher).join(',')}}`,
    createdBy: silence?.createdBy ?? '',
    comment: silence?.comment ?? '',
    startsAt: silence === undefined ? '' : formatDateTime(toMs(silence.startsAt)),
    endsAt: silence === undefined ? '' : formatDateTime(toMs(silence.endsAt)),
  };
}
