import type { Clock, Random } from '@pollux/base';
import { errorText } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import type { Alert } from '../alert/alert.ts';
import type { ClusterPort } from '../cluster-port.ts';
import { DeliveryError } from '../errors.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import type { Inhibitor } from '../inhibit/inhibitor.ts';
import type { NotificationLog } from '../nflog/notification-log.ts';
import type { SilenceStore } from '../silence/silence-store.ts';
import type { NotificationTemplates } from '../template/templates.ts';
import type { TimeIntervals } from '../time-interval/time-intervals.ts';
import { type Batch, type Flush, runStages, type Stage } from './batch.ts';
import type { Integration } from './integration.ts';
import type { NotifyMetrics } from './metrics.ts';
import { type Notification, notificationOf } from './notification.ts';
import { routeLabels } from './route-labels.ts';
import { dedupStage, verdictOf } from './stages/dedup-stage.ts';
import { inhibitStage } from './stages/inhibit-stage.ts';
import { logStage } from './stages/log-stage.ts';
import { sendStage } from './stages/send-stage.ts';
import { silenceStage } from './stages/silence-stage.ts';
import { activeTimeStage, muteTimeStage } from './stages/time-stages.ts';
import { waitStage } from './stages/wait-stage.ts';

export type PipelineOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: NotifyMetrics;
  readonly events: NotifyEvents;
  readonly cluster: ClusterPort;
  readonly peerTimeoutMs: number;
  readonly externalUrl: string;
  readonly inhibitor: Inhibitor;
  readonly silences: SilenceStore;
  readonly notificationLog: NotificationLog;
  readonly timeIntervals: TimeIntervals;
  readonly templates: NotificationTemplates;
  /** By receiver name. */
  readonly receivers: ReadonlyMap<string, readonly Integration[]>;
};

/**
 * The way of one flush:
 *
 *     inhibit → active times → mute times → silence ─┬→ wait → dedup → send → log     (integration 0)
 *                                                    └→ wait → dedup → send → log     (integration 1) …
 */
export class Pipeline {
  readonly #events: NotifyEvents;
  readonly #shared: readonly Stage[];
  readonly #perReceiver: ReadonlyMap<string, readonly (readonly Stage[])[]>;

  constructor(options: PipelineOptions) {
    const { metrics, timeIntervals, events } = options;
    this.#events = events;
    this.#shared = [
      inhibitStage(options.inhibitor, metrics, events),
      activeTimeStage(timeIntervals, metrics, events),
      muteTimeStage(timeIntervals, metrics, events),
      silenceStage(options.silences, metrics, events),
    ];
    const ways = new Map<string, readonly (readonly Stage[])[]>();
    for (const [name, integrations] of options.receivers) {
      ways.set(
        name,
        integrations.map((integration) => wayOf(options, integration)),
      );
    }
    this.#perReceiver = ways;
  }

  /** True when every integration did what the log called for; failures are logged and counted where they happen. */
  async notify(flush: Flush, alerts: readonly Alert[]): Promise<boolean> {
    if (this.#events.isHeard) this.#events.tell({ kind: 'flush', flush, alerts });
    const start: Batch = {
      flush,
      alerts,
      reason: 'unknown',
      firing: [],
      resolved: [],
      memory: new Map(),
    };
    const ways = this.#perReceiver.get(flush.route.settings.receiver) ?? [];
    let isComplete = true;
    const fanOut: Stage = async (batch) => {
      const results = await Promise.allSettled(ways.map((stages) => runStages(stages, batch)));
      isComplete = results.every(({ status }) => status === 'fulfilled');
      return null;
    };
    await runStages([...this.#shared, fanOut], start);
    return isComplete;
  }
}

function wayOf(options: PipelineOptions, integration: Integration): readonly Stage[] {
  const { notificationLog, events } = options;
  return [
    waitStage(options.cluster, options.clock, options.peerTimeoutMs),
    dedupStage(notificationLog, integration, events),
    sendStage({
      clock: options.clock,
      random: options.random,
      log: options.log,
      metrics: options.metrics,
      events,
      integration,
      compose: (batch) => compose(options, batch, integration),
      isStillDue: (batch) => verdictOf(notificationLog, integration, batch).isDue,
    }),
    logStage(notificationLog, integration),
  ];
}

function compose(
  { externalUrl, templates }: PipelineOptions,
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
  });
  try {
    return { ...plain, routeLabels: routeLabels(flush.route, templates, plain) };
  } catch (error) {
    throw new DeliveryError(`labels of the route: ${errorText(error)}`, { retry: false });
  }
}
