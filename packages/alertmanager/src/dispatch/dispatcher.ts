import { CanceledError, type Clock, StopSource, type Timer, withTimeout } from '@pollux/base';
import { ALERT_NAME, type Labels } from '@pollux/model';
import type { Log, Summary, Tracing } from '@pollux/telemetry';
import type { Alert, AlertIdentity, Placement } from '../alert/alert.ts';
import type { AlertListener, AlertProvider } from '../alert/alert-provider.ts';
import type { GroupMemory } from '../durable/group-memory.ts';
import type { Flush } from '../notify/batch.ts';
import type { Route } from '../route/route.ts';
import { AggregationGroup } from './aggregation-group.ts';
import type { GroupObserver } from './group-observer.ts';

export type DispatcherOptions = {
  readonly clock: Clock;
  readonly provider: AlertProvider;
  readonly route: Route;
  /** Flushes wait for it: no notification before the cluster's silences and log are here. */
  readonly settled: Promise<void>;
  readonly peerWaitMs: () => number;
  readonly notify: (flush: Flush, alerts: readonly Alert[]) => Promise<boolean>;
  /** How often empty groups are removed. */
  readonly maintenanceIntervalMs: number;
  /** Flushes of an earlier dispatcher that may still be under way, by group key. */
  readonly draining: ReadonlyMap<string, Promise<void>>;
  /** What outlives groups. */
  readonly memory: GroupMemory;
  /** Told of each group: it notifies when it has waited so long, ms. */
  readonly onNewGroup: (waitMs: number) => void;
  /** How long it takes to put an alert into its groups. */
  readonly processingSeconds: Summary;
  readonly observer: GroupObserver | null;
  readonly tracing: Pick<Tracing, 'along' | 'isWithin'>;
  readonly log: Log;
};

/** Sorts alerts into groups by the routing tree and lets each group flush at its times. */
export class Dispatcher implements AlertListener {
  readonly #options: DispatcherOptions;
  readonly #groups = new Map<Route, Map<string, AggregationGroup>>();
  readonly #single = new WeakMap<AggregationGroup, Groups>();
  readonly #stop = new StopSource();
  /** Flushes of earlier dispatchers that still run, by group key. */
  readonly #draining: Map<string, Promise<void>>;
  #unsubscribe: () => void = () => {};
  #maintenance: Timer | null = null;
  #isStarting = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#draining = new Map(options.draining);
    for (const [key, end] of this.#draining) void end.then(() => this.#draining.delete(key));
  }

  /** Groups all alerts that are known, then each that arrives. */
  start(): void {
    this.#isStarting = true;
    this.#unsubscribe = this.#options.provider.subscribe(this);
    this.#isStarting = false;
    this.#scheduleMaintenance();
  }

  onAlert(alert: Alert): void {
    const { clock, processingSeconds, tracing } = this.#options;
    const startMs = clock.monotonic();
    // Of a trace that somebody began for a request; all alerts at once, as a reload routes them, would push out the others.
    if (tracing.isWithin && !this.#isStarting) this.#routeTraced(alert);
    else {
      for (const group of this.#place(alert.identity).groups) this.#insert(group, alert);
    }
    processingSeconds.observe((clock.monotonic() - startMs) / 1_000);
  }

  #routeTraced(alert: Alert): void {
    const { tracing } = this.#options;
    const attributes = alertAttributes(alert.identity);
    const route = { name: 'dispatch.Dispatcher.routeAlert', attributes };
    tracing.along(
      () => route,
      (span) => {
        for (const group of this.#place(alert.identity).groups) {
          const to = { 'alerting.route.receiver.name': group.route.settings.receiver };
          span.event('dispatching alert to route', to);
          const name = 'dispatch.Dispatcher.groupAlert';
          tracing.along(
            () => ({ name, attributes: { ...attributes, ...to } }),
            () => this.#insertTraced(group, alert),
          );
        }
      },
    );
  }

  #insertTraced(group: AggregationGroup, alert: Alert): void {
    const key = { 'alerting.aggregation_group.key': group.key };
    const attributes = { ...alertAttributes(alert.identity), ...key };
    this.#options.tracing.along(
      () => ({ name: 'dispatch.AggregationGroup.insert', attributes }),
      () => this.#insert(group, alert),
    );
  }

  #insert(group: AggregationGroup, alert: Alert): void {
    group.insert(alert);
    this.#options.observer?.onGrouped(group, alert);
  }

  onRemoved(): void {
    // A group forgets an alert when it has notified its end, not when the provider does.
  }

  /** Names of the receivers of an alert, in the order of the routing tree. */
  receiversOf(identity: AlertIdentity): readonly string[] {
    const { placement } = identity;
    if (isOf(this, placement)) return placement.receivers;
    return this.#options.route.match(identity).map(({ settings }) => settings.receiver);
  }

  *groups(): IterableIterator<AggregationGroup> {
    for (const groups of this.#groups.values()) yield* groups.values();
  }

  /** The group that alerts of these labels are in by this route, when there is one. */
  groupOf(route: Route, labels: Labels): AggregationGroup | undefined {
    return this.#groups.get(route)?.get(route.groupLabelsKey(labels));
  }

  get groupCount(): number {
    let count = 0;
    for (const groups of this.#groups.values()) count += groups.size;
    return count;
  }

  /** Whether a group has this version and has not told its end. */
  holds(alert: Alert): boolean {
    const { identity } = alert;
    return this.#options.route
      .match(identity)
      .some((route) => this.#groups.get(route)?.get(route.groupLabelsKey(identity))?.holds(alert));
  }

  /** Ends all timers; running flushes go on and are returned by group key, for the dispatcher that follows. */
  retire(): ReadonlyMap<string, Promise<void>> {
    this.#unsubscribe();
    this.#maintenance?.cancel();
    const draining = new Map(this.#draining);
    for (const group of this.groups()) {
      group.stop();
      if (!group.isFlushing) continue;
      const earlier = draining.get(group.key);
      draining.set(
        group.key,
        earlier === undefined ? group.idle() : earlier.then(() => group.idle()),
      );
    }
    return draining;
  }

  /** As {@link retire}, giving running flushes `graceMs` before they are cut. */
  async close(graceMs: number): Promise<void> {
    const running = [...this.retire().values()];
    if (running.length > 0) {
      const all = Promise.all(running).then(() => {});
      // Flushes that are late are cut below; each tells its own error.
      await withTimeout(this.#options.clock, graceMs, 'flushes', () => all).catch(() => {});
    }
    this.#stop.abort(new CanceledError('the alertmanager is stopping'));
  }

  /** The groups of an alert, found anew when one of them has been removed meanwhile. */
  #place(identity: AlertIdentity): Groups {
    const { placement } = identity;
    if (isOf(this, placement) && placement.areAlive) return placement;
    const found = this.#options.route
      .match(identity)
      .map((route) => this.#groupFor(route, identity));
    const [only] = found;
    const placed =
      found.length === 1 && only !== undefined ? this.#alone(only) : new Groups(this, found);
    identity.placement = placed;
    return placed;
  }

  /** All alerts of one group and no other share one object. */
  #alone(group: AggregationGroup): Groups {
    const known = this.#single.get(group);
    if (known !== undefined) return known;
    const made = new Groups(this, [group]);
    this.#single.set(group, made);
    return made;
  }

  #groupFor(route: Route, identity: AlertIdentity): AggregationGroup {
    const key = route.groupLabelsKey(identity);
    const known = this.#groups.get(route)?.get(key);
    if (known !== undefined) return known;
    const ofRoute = this.#groups.get(route) ?? new Map<string, AggregationGroup>();
    this.#groups.set(route, ofRoute);
    const group = new AggregationGroup({
      clock: this.#options.clock,
      route,
      labels: route.groupLabels(identity.labels),
      ready: this.#options.settled,
      peerWaitMs: this.#options.peerWaitMs,
      notify: (flush, alerts) => this.#notifyInTurn(flush, alerts),
      stop: this.#stop,
      memory: this.#options.memory,
      observer: this.#options.observer,
      log: this.#options.log,
    });
    ofRoute.set(key, group);
    this.#options.onNewGroup(route.settings.groupWaitMs);
    return group;
  }

  /** A group that the earlier configuration is still sending waits for the end of that, so as not to send it twice. */
  async #notifyInTurn(flush: Flush, alerts: readonly Alert[]): Promise<boolean> {
    await this.#draining.get(flush.groupKey);
    return this.#options.notify(flush, alerts);
  }

  #scheduleMaintenance(): void {
    this.#maintenance = this.#options.clock.after(this.#options.maintenanceIntervalMs, () => {
      for (const groups of this.#groups.values()) {
        for (const [key, group] of groups) {
          if (!group.isEmpty || group.isFlushing) continue;
          group.stop();
          groups.delete(key);
          this.#options.memory.ended(group.name);
        }
      }
      this.#scheduleMaintenance();
    });
  }
}

/** Where one or many alerts go. */
class Groups implements Placement {
  readonly owner: Dispatcher;
  readonly groups: readonly AggregationGroup[];
  readonly receivers: readonly string[];

  constructor(owner: Dispatcher, groups: readonly AggregationGroup[]) {
    this.owner = owner;
    this.groups = groups;
    this.receivers = groups.map(({ route }) => route.settings.receiver);
  }

  get areAlive(): boolean {
    return this.groups.every(({ isStopped }) => !isStopped);
  }
}

function alertAttributes({ labels, fingerprint }: AlertIdentity) {
  return {
    'alerting.alert.name': labels.get(ALERT_NAME),
    'alerting.alert.fingerprint': fingerprint,
  };
}

function isOf(dispatcher: Dispatcher, placement: Placement | null): placement is Groups {
  return placement !== null && placement.owner === dispatcher;
}
