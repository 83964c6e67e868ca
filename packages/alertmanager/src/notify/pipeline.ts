import type { Clock, Random } from '@pollux/base';
import { errorText } from '@pollux/base';
import { Labels } from '@pollux/model';
import { type Log, Registry, type Tracing } from '@pollux/telemetry';
import { acknowledgeStage } from '../acknowledge/acknowledge-stage.ts';
import type { Acknowledgements } from '../acknowledge/acknowledgements.ts';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { ClusterPort } from '../cluster-port.ts';
import type { RestoredAlerts } from '../durable/downtime.ts';
import { DeliveryError } from '../errors.ts';
import type { AcknowledgedEvent, VerdictEvent, WithheldEvent } from '../events/notify-event.ts';
import { NotifyEvents } from '../events/notify-events.ts';
import type { Inhibitor } from '../inhibit/inhibitor.ts';
import type { NotificationLog } from '../nflog/notification-log.ts';
import type { OwedNotes } from '../outbox/owed-notes.ts';
import type { SilenceStore } from '../silence/silence-store.ts';
import type { NotificationTemplates } from '../template/templates.ts';
import type { TimeIntervals } from '../time-interval/time-intervals.ts';
import { type Batch, type Flush, runStages, type Stage } from './batch.ts';
import type { Integration } from './integration.ts';
import { NotifyMetrics } from './metrics.ts';
import { type Notification, notificationOf } from './notification.ts';
import { routeLabels } from './route-labels.ts';
import { dedupStage, readStage, verdictOf } from './stages/dedup-stage.ts';
import { doubtStage } from './stages/doubt-stage.ts';
import { inhibitStage } from './stages/inhibit-stage.ts';
import { logStage } from './stages/log-stage.ts';
import { sendStage } from './stages/send-stage.ts';
import { silenceStage } from './stages/silence-stage.ts';
import { activeTimeStage, muteTimeStage } from './stages/time-stages.ts';
import { waitStage } from './stages/wait-stage.ts';
import { type After, counted, keptBack, tracedStage } from './traced.ts';

export type PipelineOptions = {
  readonly clock: Clock;
  readonly random: Random;
  /** As of the network. */
  readonly expectRequests: () => Promise<void> | null;
  readonly log: Log;
  readonly tracing: Tracing;
  readonly metrics: NotifyMetrics;
  readonly events: NotifyEvents;
  readonly cluster: ClusterPort;
  readonly peerTimeoutMs: number;
  readonly externalUrl: string;
  readonly inhibitor: Inhibitor;
  readonly silences: SilenceStore;
  readonly notificationLog: NotificationLog;
  readonly acknowledgements: Acknowledgements;
  readonly timeIntervals: TimeIntervals;
  readonly templates: NotificationTemplates;
  /** By receiver name. */
  readonly receivers: ReadonlyMap<string, readonly Integration[]>;
  /** Null before the start. */
  readonly restored: () => RestoredAlerts | null;
  readonly owed: OwedNotes;
  /** Whether the program is ending. */
  readonly isStopping: () => boolean;
};

/**
 * The way of one flush:
 *
 *     inhibit → active times → mute times → silence ─┬→ wait → doubt → dedup → acknowledge → send → log     (integration 0)
 *                                                    └→ wait → doubt → dedup → acknowledge → send → log     (integration 1) …
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #shared: readonly Stage[];
  readonly #perReceiver: ReadonlyMap<string, readonly Way[]>;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#shared = sharedStages(options);
    const ways = new Map<string, readonly Way[]>();
    for (const [name, integrations] of options.receivers) {
      ways.set(
        name,
        integrations.map((integration) => ({ integration, stages: wayOf(options, integration) })),
      );
    }
    this.#perReceiver = ways;
  }

  /** True when every integration did what the log called for; failures are logged and counted where they happen. */
  notify(flush: Flush, alerts: readonly Alert[]): Promise<boolean> {
    const { tracing } = this.#options;
    if (!tracing.isOn) return this.#notify(flush, alerts);
    const count = { 'alerting.alerts.count': alerts.length };
    return tracing.within(
      () => ({
        name: 'dispatch.AggregationGroup.flush',
        isRoot: true,
        attributes: { 'alerting.aggregation_group.key': flush.groupKey, ...count },
      }),
      async (span) => {
        const { receiver } = flush.route.settings;
        const attributes = { 'alerting.notify.receiver.name': receiver, ...count };
        const isComplete = await tracing.within(
          () => ({ name: 'notify.RoutingStage.Exec', attributes }),
          () => this.#notify(flush, alerts),
        );
        if (!isComplete) span.fail('notification failed');
        return isComplete;
      },
    );
  }

  async #notify(flush: Flush, alerts: readonly Alert[]): Promise<boolean> {
    const { events, owed } = this.#options;
    if (events.isHeard) events.tell({ kind: 'flush', flush, alerts });
    const ways = this.#perReceiver.get(flush.route.settings.receiver) ?? [];
    let isComplete = true;
    const fanOut: Stage = async (batch) => {
      const results = await Promise.allSettled(
        ways.map(({ integration, stages }) =>
          owed.inTurn(flush, integration, () => runStages(stages, batch)),
        ),
      );
      isComplete = results.every(({ status }) => status === 'fulfilled');
      return null;
    };
    await runStages([...this.#shared, fanOut], startOf(flush, alerts));
    return isComplete;
  }

  /**
   * What {@link notify} would do now, by the same stages, up to the log's verdicts: nothing is sent, waited for, noted or
   * counted.
   */
  async preview(flush: Flush, alerts: readonly Alert[]): Promise<PipelinePreview> {
    const events = new NotifyEvents();
    const withheld: WithheldEvent[] = [];
    const verdicts: VerdictEvent[] = [];
    const acknowledged: AcknowledgedEvent[] = [];
    events.subscribe((event) => {
      if (event.kind === 'withheld') withheld.push(event);
      else if (event.kind === 'verdict') verdicts.push(event);
      else if (event.kind === 'acknowledged') acknowledged.push(event);
    });
    const { notificationLog, acknowledgements, receivers } = this.#options;
    // Metrics of its own, which nobody reads: a question is no suppressed notification.
    const options = { ...this.#options, metrics: new NotifyMetrics(new Registry()), events };
    const integrations = receivers.get(flush.route.settings.receiver) ?? [];
    const ask: Stage = async (batch) => {
      for (const integration of integrations) {
        const way = [
          dedupStage(notificationLog, integration, events),
          acknowledgeStage({ acknowledgements, integration, notificationLog: null, events }),
        ];
        await runStages(way, batch);
      }
      return null;
    };
    await runStages([...sharedStages(options), ask], startOf(flush, alerts));
    return { withheld, verdicts, acknowledged };
  }
}

type Way = { readonly integration: Integration; readonly stages: readonly Stage[] };

export type PipelinePreview = {
  readonly withheld: readonly WithheldEvent[];
  /** One for each integration; none when no alert came that far. */
  readonly verdicts: readonly VerdictEvent[];
  /** Of integrations whose repetition would be left out. */
  readonly acknowledged: readonly AcknowledgedEvent[];
};

/** Those that concern all receivers. */
export function sharedStages(options: PipelineOptions): readonly Stage[] {
  const { metrics, timeIntervals, events, tracing, inhibitor, silences } = options;
  const traced = (name: string, stage: Stage, reason: string): Stage =>
    tracedStage(tracing, name, stage, keptBack(reason));
  return [
    traced('MuteStage', inhibitStage(inhibitor, metrics, events, tracing), 'inhibition'),
    traced(
      'TimeActiveStage',
      activeTimeStage(timeIntervals, metrics, events),
      'active_time_interval',
    ),
    traced('TimeMuteStage', muteTimeStage(timeIntervals, metrics, events), 'mute_time_interval'),
    traced('MuteStage', silenceStage(silences, metrics, events, tracing), 'silence'),
  ];
}

function startOf(flush: Flush, alerts: readonly Alert[]): Batch {
  return { flush, alerts, reason: 'unknown', firing: [], resolved: [], memory: new Map() };
}

function wayOf(options: PipelineOptions, integration: Integration): readonly Stage[] {
  const { notificationLog, acknowledgements, events, owed, tracing } = options;
  const traced = (name: string, stage: Stage, after?: After): Stage =>
    tracedStage(tracing, name, stage, after);
  const send = sendStage({
    clock: options.clock,
    random: options.random,
    log: options.log,
    metrics: options.metrics,
    events,
    integration,
    compose: (batch) => compose(options, batch, integration),
    isStillDue: (batch) =>
      verdictOf(notificationLog, integration, batch).isDue ||
      owed.owedReason(batch, integration) !== null,
    owed,
    isStopping: options.isStopping,
    expectRequests: options.expectRequests,
  });
  const name = { 'alerting.integration.name': integration.receiver.integration };
  return [
    readStage(notificationLog, integration),
    traced('WaitStage', waitStage(options.cluster, options.clock, options.peerTimeoutMs)),
    doubtStage(notificationLog, integration, options.restored),
    traced('DedupStage', dedupStage(notificationLog, integration, events, owed)),
    acknowledgeStage({ acknowledgements, integration, notificationLog, events }),
    traced('RetryStage', send, () => name),
    traced('SetNotifiesStage', logStage(notificationLog, integration, owed), counted),
  ];
}

/** The message of a batch for one integration. Throws a DeliveryError when a label of the route fails. */
export function compose(
  { externalUrl, templates, acknowledgements }: PipelineOptions,
  { flush, alerts, reason }: Batch,
  integration: Integration,
): Notification {
  const plain = notificationOf(alerts, {
    receiver: integration.receiver.groupName,
    reason,
    groupLabels: flush.groupLabels,
    routeLabels: Labels.EMPTY,
    externalUrl,
    groupKey: flush.groupKey,
    nowMs: flush.nowMs,
    acknowledgedBy: (alert) => {
      const atMs = isResolvedAt(alert, flush.nowMs) ? alert.endsAtMs - 1 : undefined;
      return acknowledgements.covering(alert, () => flush.groupKeySpellings, atMs);
    },
  });
  try {
    return { ...plain, routeLabels: routeLabels(flush.route, templates, plain) };
  } catch (error) {
    throw new DeliveryError(`labels of the route: ${errorText(error)}`, { retry: false });
  }
}
