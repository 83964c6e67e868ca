import type { Alert } from '../alert/alert.ts';
import { formatDateTime } from '../api/time.ts';
import type { AggregationGroup } from '../dispatch/aggregation-group.ts';
import type { VerdictEvent } from '../events/notify-event.ts';
import type { LiveConfig } from '../live-config.ts';
import type { LogReceiver } from '../nflog/entry.ts';
import type { Flush } from '../notify/batch.ts';
import type { Integration } from '../notify/integration.ts';
import type { PipelinePreview } from '../notify/pipeline.ts';
import { toMs } from '../wire/timestamp.ts';
import type { ExplainSources, PastAttempt } from './explain-sources.ts';

/** How one integration of the receiver stands to the group. */
export type IntegrationView = {
  readonly integration: string;
  readonly sendResolved: boolean;
  /** The notification log's entry, by whichever member wrote it; null when nothing was notified. */
  readonly log: {
    readonly notifiedAt: string;
    readonly firing: number;
    readonly resolved: number;
    readonly alertIsIn: 'firing' | 'resolved' | 'neither';
  } | null;
  /** What a flush now would do; null when no alert of the group would come that far. */
  readonly now: {
    readonly isDue: boolean;
    /** The reason it would be sent for, or why it would not. */
    readonly because: string;
    /** When the same would be repeated; null when it is due or never repeated. */
    readonly repeatAt: string | null;
  } | null;
  /** A delivery that has failed and is tried again at this moment. */
  readonly underWay: {
    readonly attempt: number;
    readonly error: string;
    readonly at: string;
  } | null;
  readonly lastAttempts: readonly PastAttempt[];
};

export type GroupView = {
  readonly alerts: number;
  readonly nextFlush: { readonly at: string; readonly because: string };
  readonly lastFlush: string | null;
  readonly isFlushing: boolean;
  /** Why this alert would be taken out of a flush now; null when it would not. */
  readonly withheld: { readonly reason: string; readonly by: readonly string[] } | null;
  readonly integrations: readonly IntegrationView[];
};

/** What a flush of a group now would do, with the flush. */
export type GroupPreview = PipelinePreview & {
  readonly flush: Flush;
  readonly alertCount: number;
};

/** Dear for a large group: explanations of several of its alerts share one. */
export async function previewGroup(
  live: LiveConfig,
  group: AggregationGroup,
): Promise<GroupPreview> {
  const { flush, alerts } = group.flushNow(NEVER);
  const preview = await live.pipeline.preview(flush, alerts);
  return { ...preview, flush, alertCount: alerts.length };
}

/** The group that holds the alert, asked by the stages that flush it. */
export async function explainGroup(
  sources: ExplainSources,
  { group, preview }: { readonly group: AggregationGroup; readonly preview: GroupPreview },
  alert: Alert,
): Promise<GroupView> {
  const live = sources.live();
  const { fingerprint } = alert.identity;
  const withheld = preview.withheld.flatMap(({ reason, withheld: list }) =>
    list
      .filter((item) => item.alert.identity.fingerprint === fingerprint)
      .map(({ by }) => ({ reason, by })),
  )[0];
  const integrations = live.integrations.get(group.route.settings.receiver) ?? [];
  const views: IntegrationView[] = [];
  for (const integration of integrations) {
    const isOfThis = ({ receiver }: { readonly receiver: LogReceiver }): boolean =>
      receiver === integration.receiver;
    const verdict = preview.verdicts.find(isOfThis);
    const isAcknowledged = preview.acknowledged.some(isOfThis);
    views.push(
      await explainIntegration(sources, preview.flush, {
        alert,
        integration,
        verdict,
        isAcknowledged,
      }),
    );
  }
  return {
    alerts: preview.alertCount,
    nextFlush: {
      at: formatDateTime(group.nextFlush.atMs),
      because: group.nextFlush.because,
    },
    lastFlush: group.lastFlushMs === null ? null : formatDateTime(group.lastFlushMs),
    isFlushing: group.isFlushing,
    withheld: withheld ?? null,
    integrations: views,
  };
}

/** A preview ends by itself. */
const NEVER = new AbortController().signal;

async function explainIntegration(
  { notificationLog, underWay, attemptsOf }: ExplainSources,
  flush: Flush,
  asked: {
    readonly alert: Alert;
    readonly integration: Integration;
    readonly verdict: VerdictEvent | undefined;
    readonly isAcknowledged: boolean;
  },
): Promise<IntegrationView> {
  const { alert, integration, verdict, isAcknowledged } = asked;
  const { receiver, sendResolved } = integration;
  const entry = notificationLog.find(flush.groupKeySpellings, receiver);
  const { hash } = alert.identity;
  const failing = underWay.find(flush.groupKey, receiver);
  return {
    integration: `${receiver.integration}[${receiver.index}]`,
    sendResolved,
    log:
      entry === null
        ? null
        : {
            notifiedAt: formatDateTime(toMs(entry.timestamp)),
            firing: entry.firing.length,
            resolved: entry.resolved.length,
            alertIsIn: entry.firing.includes(hash)
              ? 'firing'
              : entry.resolved.includes(hash)
                ? 'resolved'
                : 'neither',
          },
    now: verdict === undefined ? null : verdictView(verdict, isAcknowledged),
    underWay:
      failing === null
        ? null
        : {
            attempt: failing.attempt,
            error: failing.error,
            at: formatDateTime(failing.timeMs),
          },
    lastAttempts: await attemptsOf(flush.groupKey, receiver),
  };
}

function verdictView(
  { verdict }: VerdictEvent,
  isAcknowledged: boolean,
): NonNullable<IntegrationView['now']> {
  if (isAcknowledged) return { isDue: false, because: 'acknowledged', repeatAt: null };
  if (verdict.isDue) return { isDue: true, because: verdict.reason, repeatAt: null };
  return {
    isDue: false,
    because: verdict.because,
    repeatAt: 'repeatAtMs' in verdict ? formatDateTime(verdict.repeatAtMs) : null,
  };
}
