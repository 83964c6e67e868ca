import { assert, type Env, type Timer } from '@pollux/base';
import type { Variables } from '@pollux/http';
import type { Counter, Family, Gauge, Log, Registry } from '@pollux/telemetry';
import type { ProviderSpec, TargetGroup } from './discoverer.ts';
import { DiscoveryMetrics } from './metrics.ts';

/** Shortest time between two updates, as Prometheus' `scrape.discovery-reload-interval`. */
const DEFAULT_THROTTLE_MS = 5_000;
/** Providers that start together answer together. */
const GATHER_MS = 10;

/** Per set (scrape job, group of alertmanagers) everything its providers found. */
export type DiscoveredTargets = ReadonlyMap<string, readonly TargetGroup[]>;

export type DiscoveryOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  /** `scrape` or `notify`; the `name` label of the metrics. */
  readonly name: string;
  readonly resolvePath: (name: string) => string;
  /** The environment's, for proxies. */
  readonly variables: Variables;
  /** Called with all sets, soon after the first change and then at most once per `throttleMs`. */
  readonly onUpdate: (targets: DiscoveredTargets) => void;
  readonly throttleMs?: number;
};

export type DiscoveryChange = { commit(): void };

type Running = {
  readonly spec: ProviderSpec;
  readonly abort: AbortController;
  readonly groups: Map<string, TargetGroup>;
  /** The groups are those of the provider it replaces; its own first answer takes their place. */
  isInherited: boolean;
};

/** Runs the providers of all sets, each distinct configuration once. A reload leaves unchanged providers alone. */
export class DiscoveryManager {
  readonly #options: DiscoveryOptions;
  readonly #metrics: DiscoveryMetrics;
  readonly #received: Counter;
  readonly #sent: Counter;
  readonly #delayed: Counter;
  readonly #discovered: Family<Gauge>;
  #sets: ReadonlyMap<string, readonly ProviderSpec[]> = new Map();
  readonly #running = new Map<string, Running>();
  #pending: Timer | null = null;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #isStarted = false;
  #isClosed = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    const { registry, name } = options;
    this.#metrics = new DiscoveryMetrics(registry);
    const counter = (metric: string, help: string): Counter =>
      registry.counters(metric, help, ['name']).with(name);
    this.#received = counter(
      'prometheus_sd_received_updates_total',
      'Total number of update events received from the SD providers.',
    );
    this.#sent = counter(
      'prometheus_sd_updates_total',
      'Total number of update events sent to the SD consumers.',
    );
    this.#delayed = counter(
      'prometheus_sd_updates_delayed_total',
      "Total number of update events that couldn't be sent immediately.",
    );
    this.#discovered = registry.gauges(
      'prometheus_sd_discovered_targets',
      'Current number of discovered targets.',
      ['name', 'config'],
    );
  }

  /** Takes the sets for the next configuration; `commit` makes them run. Nothing changes before. */
  prepare(sets: ReadonlyMap<string, readonly ProviderSpec[]>): DiscoveryChange {
    return { commit: () => this.#apply(sets) };
  }

  start(): void {
    assert(!this.#isStarted, 'discovery started twice');
    this.#isStarted = true;
    this.#apply(this.#sets);
  }

  close(): void {
    this.#isClosed = true;
    this.#pending?.cancel();
    for (const { abort } of this.#running.values()) abort.abort();
    this.#running.clear();
  }

  #apply(sets: ReadonlyMap<string, readonly ProviderSpec[]>): void {
    const before = this.#sets;
    this.#sets = sets;
    if (!this.#isStarted || this.#isClosed) return;
    const wanted = new Map<string, ProviderSpec>();
    for (const specs of sets.values()) for (const spec of specs) wanted.set(spec.identity, spec);
    const removed = new Map<string, Running>();
    for (const [identity, running] of this.#running) {
      if (wanted.has(identity)) continue;
      running.abort.abort();
      this.#running.delete(identity);
      removed.set(identity, running);
    }
    for (const [set, specs] of sets) {
      const predecessors = (before.get(set) ?? []).flatMap(
        (spec) => removed.get(spec.identity) ?? [],
      );
      for (const spec of specs) {
        if (!this.#running.has(spec.identity)) this.#startProvider(spec, predecessors);
      }
    }
    this.#discovered.clear();
    // Consumers hear of new and removed sets at once; only the providers' own updates are held back.
    this.#send();
  }

  /** A provider that takes its time begins with what its predecessor of the same kind knew: no target goes for an edit. */
  #startProvider(spec: ProviderSpec, predecessors: readonly Running[]): void {
    const { env, log, resolvePath, variables } = this.#options;
    const inherited = predecessors
      .filter((running) => running.spec.mechanism === spec.mechanism)
      .flatMap((running) => [...running.groups]);
    const running: Running = {
      spec,
      abort: new AbortController(),
      groups: new Map(inherited),
      isInherited: inherited.length > 0,
    };
    this.#running.set(spec.identity, running);
    const discoverer = spec.create({
      env,
      log: log.with({ discovery: spec.mechanism }),
      metrics: this.#metrics,
      resolvePath,
      variables,
    });
    discoverer.start((groups) => {
      if (running.abort.signal.aborted) return;
      if (running.isInherited) running.groups.clear();
      running.isInherited = false;
      for (const group of groups) {
        if (group.targets.length === 0) running.groups.delete(group.source);
        else running.groups.set(group.source, group);
      }
      this.#received.inc();
      this.#schedule();
    }, running.abort.signal);
  }

  #schedule(): void {
    if (this.#pending !== null || this.#isClosed) return;
    const { clock } = this.#options.env;
    const throttleMs = this.#options.throttleMs ?? DEFAULT_THROTTLE_MS;
    const waitMs = this.#lastSentMs + throttleMs - clock.monotonic();
    if (waitMs > GATHER_MS) this.#delayed.inc();
    this.#pending = clock.after(Math.max(GATHER_MS, waitMs), () => {
      this.#lastSentMs = clock.monotonic();
      this.#send();
    });
  }

  #send(): void {
    this.#pending?.cancel();
    this.#pending = null;
    if (this.#isClosed) return;
    const targets = new Map<string, readonly TargetGroup[]>();
    for (const [set, specs] of this.#sets) {
      const groups: TargetGroup[] = [];
      for (const [index, { identity }] of specs.entries()) {
        // Sources are unique within one provider only.
        for (const group of this.#running.get(identity)?.groups.values() ?? [])
          groups.push({ ...group, source: `${index}/${group.source}` });
      }
      targets.set(set, groups);
      const count = groups.reduce((sum, group) => sum + group.targets.length, 0);
      this.#discovered.with(this.#options.name, set).set(count);
    }
    this.#sent.inc();
    this.#options.onUpdate(targets);
  }
}
