import type { StopSignal } from '@pollux/base';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { Fallback } from '../config/receivers-beside.ts';
import type { LogEntry, LogReceiver } from '../nflog/entry.ts';
import { type Batch, type Flush, runStages, type Stage } from '../notify/batch.ts';
import type { Integration } from '../notify/integration.ts';
import { compose, type PipelineOptions, sharedStages } from '../notify/pipeline.ts';
import { hashesOf, verdictOf } from '../notify/stages/dedup-stage.ts';
import { doubtStage } from '../notify/stages/doubt-stage.ts';
import { sendStage } from '../notify/stages/send-stage.ts';
import { groupKeySpellings, type Route } from '../route/route.ts';
import { toMs } from '../wire/timestamp.ts';
import type { Owed } from './owed.ts';

export type ResendResult =
  | 'delivered'
  | 'overtaken'
  | 'not due'
  /** Silenced, inhibited or muted for now. */
  | 'withheld';

export type ResenderOptions = {
  readonly pipeline: PipelineOptions;
  readonly route: Route;
  /** By the name of the receiver that has one. */
  readonly fallbacks: ReadonlyMap<string, Fallback>;
  /** The version of an alert that is known now. */
  readonly current: (alert: Alert) => Alert | undefined;
};

/** Sends owed notifications by one configuration: as a flush of the group would, for one integration, in one attempt. */
export class Resender {
  readonly #options: ResenderOptions;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #shared: readonly Stage[];

  constructor(options: ResenderOptions) {
    this.#options = options;
    this.#routes = new Map([...options.route.walk()].map((route) => [route.key, route]));
    this.#shared = sharedStages(options.pipeline);
  }

  fallbackOf(receiverName: string): Fallback | null {
    return this.#options.fallbacks.get(receiverName) ?? null;
  }

  integrationsOf(receiverName: string): readonly Integration[] {
    return this.#options.pipeline.receivers.get(receiverName) ?? [];
  }

  /** Null when the configuration has it no more. */
  integrationOf({ receiverName, receiver }: Owed): Integration | null {
    const found = this.integrationsOf(receiverName).find(
      (one) =>
        one.receiver.integration === receiver.integration && one.receiver.index === receiver.index,
    );
    return found ?? null;
  }

  /** True when nobody has told the integration of it, nor anything else since the flush that called for it. */
  isStillNews(owed: Owed, spellings: readonly string[] = this.#spellingsOf(owed)): boolean {
    const entry = this.#options.pipeline.notificationLog.find(spellings, owed.receiver);
    return entry === null || (toMs(entry.timestamp) < owed.flushMs && !hasAll(entry, owed));
  }

  /** Sends what is owed as its alerts are now, if it is due still. Rejects as the integration does. */
  async retry(owed: Owed, integration: Integration, signal: StopSignal): Promise<ResendResult> {
    const { pipeline } = this.#options;
    const nowMs = pipeline.clock.now();
    const known = owed.alerts.map((alert) => this.#asNow(alert, nowMs));
    // Who wants no ends is told of what fired, though it is over: else nobody ever hears of it.
    const asWere =
      !integration.sendResolved &&
      !owed.isFallback &&
      known.every((alert) => isResolvedAt(alert, nowMs));
    const flush = this.#flushOf(owed, asWere ? owed.flushMs : nowMs, signal);
    const batch = await this.#passed(flush, asWere ? owed.alerts : known, owed.receiver);
    if (batch === null) return 'withheld';
    const asked = { ...batch, ...hashesOf(batch.alerts, flush.nowMs) };
    const isNews = this.isStillNews(owed, flush.groupKeySpellings);
    const target = { receiver: owed.receiver, sendResolved: integration.sendResolved };
    const verdict = verdictOf(pipeline.notificationLog, target, asked);
    const opens =
      verdict.isDue &&
      (verdict.reason === 'first notification' || verdict.reason === 'new alerts added');
    const isDue = owed.isFallback ? opens : verdict.isDue || isNews;
    if (!isDue) return isNews ? 'not due' : 'overtaken';
    const reason = isNews || owed.isFallback || !verdict.isDue ? owed.reason : verdict.reason;
    await this.#send({ ...asked, reason }, owed.receiver, integration);
    return 'delivered';
  }

  /** Sends what is owed as its alerts were, whatever the log says. */
  async replay(owed: Owed, integration: Integration, signal: StopSignal): Promise<void> {
    const flush = this.#flushOf(owed, owed.flushMs, signal);
    const hashes = hashesOf(owed.alerts, flush.nowMs);
    const batch = { ...startOf(flush, owed.alerts), ...hashes, reason: owed.reason };
    await this.#send(batch, owed.receiver, integration);
  }

  /** What the stages that concern all receivers leave of the alerts. */
  async #passed(
    flush: Flush,
    alerts: readonly Alert[],
    receiver: LogReceiver,
  ): Promise<Batch | null> {
    const { pipeline } = this.#options;
    let passed: Batch | null = null;
    const end: Stage = async (batch) => {
      passed = batch;
      return null;
    };
    const doubt = doubtStage(pipeline.notificationLog, { receiver }, pipeline.restored);
    await runStages([...this.#shared, doubt, end], startOf(flush, alerts));
    return passed;
  }

  async #send(batch: Batch, receiver: LogReceiver, integration: Integration): Promise<void> {
    const { pipeline } = this.#options;
    const { notificationLog } = pipeline;
    const { groupKeySpellings, groupKey, route } = batch.flush;
    const before = notificationLog.find(groupKeySpellings, receiver);
    const memory = new Map(before?.memory);
    const send = sendStage({
      clock: pipeline.clock,
      random: pipeline.random,
      log: pipeline.log,
      metrics: pipeline.metrics,
      events: pipeline.events,
      integration,
      compose: (sent) => compose(pipeline, sent, integration),
      isStillDue: () => false,
      isStopping: pipeline.isStopping,
      expectRequests: () => null,
      owed: null,
    });
    const sent = await send({ ...batch, memory });
    if (sent === null) return;
    notificationLog.write(
      { groupKey, receiver, memory, ...joined(before, batch) },
      2 * route.settings.repeatIntervalMs,
    );
  }

  #flushOf(owed: Owed, nowMs: number, signal: StopSignal): Flush {
    return {
      route: this.#routes.get(owed.routeKey) ?? this.#options.route,
      groupLabels: owed.groupLabels,
      groupKey: owed.groupKey,
      groupKeySpellings: this.#spellingsOf(owed),
      nowMs,
      // What is owed is sent as it was: nothing waits for a turn on this way.
      latest: (alerts) => ({ nowMs, alerts }),
      number: 0,
      // What is owed has times of its own.
      toldByOther: () => {},
      signal,
    };
  }

  #spellingsOf({ routeKey, groupKey, groupLabels }: Owed): readonly string[] {
    const route = this.#routes.get(routeKey);
    return route === undefined ? [groupKey] : groupKeySpellings(route, groupLabels);
  }

  /** An alert that nobody knows any more has ended: only those are forgotten. */
  #asNow(alert: Alert, nowMs: number): Alert {
    const now = this.#options.current(alert);
    if (now === undefined)
      return isResolvedAt(alert, nowMs) ? alert : { ...alert, endsAtMs: nowMs };
    return isResolvedAt(now, nowMs) ? now : { ...now, endsAtMs: 0 };
  }
}

/** Members' clocks differ: what the log speaks of was told, whenever. */
function hasAll({ firing, resolved }: LogEntry, { alerts, flushMs }: Owed): boolean {
  return alerts.every((alert) => {
    const { hash } = alert.identity;
    return resolved.includes(hash) || (!isResolvedAt(alert, flushMs) && firing.includes(hash));
  });
}

function startOf(flush: Flush, alerts: readonly Alert[]): Batch {
  return { flush, alerts, reason: 'unknown', firing: [], resolved: [], memory: new Map() };
}

/** What was sent, and of what the log had before all that this does not speak of: a flush would have had it in its batch. */
function joined(
  before: LogEntry | null,
  { firing, resolved }: Pick<Batch, 'firing' | 'resolved'>,
): Pick<LogEntry, 'firing' | 'resolved'> {
  const spokenOf = new Set([...firing, ...resolved]);
  const rest = (hashes: readonly bigint[] = []): bigint[] =>
    hashes.filter((hash) => !spokenOf.has(hash));
  return {
    firing: [...firing, ...rest(before?.firing)],
    resolved: [...resolved, ...rest(before?.resolved)],
  };
}
