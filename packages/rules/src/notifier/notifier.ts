import type { Env } from '@pollux/base';
import { type DiscoveredTargets, DiscoveryManager } from '@pollux/discovery';
import type { Variables } from '@pollux/http';
import { Labels, relabel } from '@pollux/model';
import type { Log, Registry } from '@pollux/telemetry';
import type { AlertSink, OutgoingAlert } from '../outgoing-alert.ts';
import { alertmanagerTargets } from './alertmanager-targets.ts';
import { type AlertingConfig, type AlertmanagersConfig, NO_ALERTING } from './config.ts';
import { NotifierMetrics } from './metrics.ts';
import { SendLoop } from './send-loop.ts';

export type NotifierOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  /** Joins a relative file name of the configuration to its folder. */
  readonly resolvePath: (name: string) => string;
  /** The environment's, for proxies. */
  readonly variables: Variables;
  /** As `Prometheus/3.14.0`. */
  readonly userAgent: string;
  /** Alerts waiting for one alertmanager. Default 10,000. */
  readonly queueCapacity?: number;
  /** Alerts in one request. Default 256. */
  readonly batchSize?: number;
  /** How long {@link Notifier.close} goes on sending what is queued. Default 3 s; 0 drops it. */
  readonly drainMs?: number;
};

const DEFAULT_QUEUE_CAPACITY = 10_000;
const DEFAULT_BATCH_SIZE = 256;
const DEFAULT_DRAIN_MS = 3_000;

/** Sends every alert to every alertmanager that is configured or discovered. */
export class Notifier implements AlertSink {
  readonly #options: NotifierOptions;
  readonly #log: Log;
  readonly #metrics: NotifierMetrics;
  readonly #discovery: DiscoveryManager;
  readonly #loops = new Map<string, SendLoop>();
  readonly #leaving = new Set<Promise<void>>();
  #config: AlertingConfig = NO_ALERTING;
  #externalLabels = Labels.EMPTY;
  #droppedUrls: readonly string[] = [];
  #isClosed = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#log = options.log.with({ component: 'notifier' });
    this.#metrics = new NotifierMetrics(
      options.registry,
      options.queueCapacity ?? DEFAULT_QUEUE_CAPACITY,
      () => this.#loops.size,
    );
    this.#discovery = new DiscoveryManager({
      env: options.env,
      log: this.#log,
      registry: options.registry,
      name: 'notify',
      resolvePath: options.resolvePath,
      variables: options.variables,
      onUpdate: (targets) => this.#follow(targets),
    });
  }

  /** The configuration was checked when it was decoded; `commit` makes it live. */
  prepare(config: AlertingConfig, externalLabels: Labels): { commit(): void } {
    const sets = new Map(
      config.alertmanagers.map((entry, index) => [setName(index), entry.providers] as const),
    );
    const discovery = this.#discovery.prepare(sets);
    return {
      commit: () => {
        this.#config = config;
        this.#externalLabels = externalLabels;
        discovery.commit();
      },
    };
  }

  start(): void {
    this.#discovery.start();
  }

  send(alerts: readonly OutgoingAlert[]): void {
    if (alerts.length === 0 || this.#isClosed) return;
    const outgoing: OutgoingAlert[] = [];
    for (const alert of alerts) {
      // The alert's own labels go before external ones.
      const labels = relabel(
        Labels.from([...this.#externalLabels, ...alert.labels]),
        this.#config.alertRelabel,
      );
      if (labels !== null && !labels.isEmpty) outgoing.push({ ...alert, labels });
    }
    for (const loop of this.#loops.values()) loop.add(outgoing);
  }

  /** URLs that alerts are posted to, and those that relabelling dropped; sorted. */
  alertmanagers(): { readonly active: readonly string[]; readonly dropped: readonly string[] } {
    return { active: [...this.#loops.keys()].sort(), dropped: [...this.#droppedUrls].sort() };
  }

  /** Drains the queues within the limit, then stops. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#discovery.close();
    const drainMs = this.#options.drainMs ?? DEFAULT_DRAIN_MS;
    await Promise.all([
      ...this.#leaving,
      ...[...this.#loops.values()].map((loop) => loop.close(drainMs)),
    ]);
  }

  /** Discovery or a reload changed the set of alertmanagers; loops of known ones go on with their queues. */
  #follow(targets: DiscoveredTargets): void {
    if (this.#isClosed) return;
    const wanted = new Map<string, AlertmanagersConfig>();
    const dropped: string[] = [];
    for (const [index, entry] of this.#config.alertmanagers.entries()) {
      const found = alertmanagerTargets(entry, targets.get(setName(index)) ?? []);
      for (const fault of found.faults) {
        this.#log.error('Creating discovered Alertmanagers failed', { err: fault });
      }
      for (const url of found.activeUrls) if (!wanted.has(url)) wanted.set(url, entry);
      dropped.push(...found.droppedUrls);
    }
    this.#droppedUrls = dropped;
    for (const [url, loop] of this.#loops) if (!wanted.has(url)) this.#remove(url, loop);
    for (const [url, entry] of wanted) {
      const known = this.#loops.get(url);
      if (known === undefined) this.#add(url, entry);
      else known.reconfigure(entry);
    }
  }

  #add(url: string, entry: AlertmanagersConfig): void {
    const { env, resolvePath, variables, userAgent, queueCapacity, batchSize } = this.#options;
    const loop = new SendLoop(
      {
        url,
        env,
        log: this.#log,
        metrics: this.#metrics,
        queueCapacity: queueCapacity ?? DEFAULT_QUEUE_CAPACITY,
        batchSize: batchSize ?? DEFAULT_BATCH_SIZE,
        userAgent,
        resolvePath,
        variables,
      },
      entry,
    );
    this.#loops.set(url, loop);
    loop.start();
  }

  #remove(url: string, loop: SendLoop): void {
    this.#loops.delete(url);
    // An alertmanager that left the configuration needs nothing that is still queued.
    const leaving = loop.close(0).then(() => {
      this.#leaving.delete(leaving);
      if (!this.#loops.has(url)) this.#metrics.removeAlertmanager(url);
    });
    this.#leaving.add(leaving);
  }
}

function setName(index: number): string {
  return `config-${index}`;
}
