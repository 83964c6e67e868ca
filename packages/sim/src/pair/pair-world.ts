import { type Env, errorText, type HttpClientRequest, type HttpClientResponse } from '@pollux/base';
import type { RoleModule, RunningRole } from '@pollux/roles';
import { role as gatewayRole } from '@pollux/roles/gateway';
import { role as serverRole } from '@pollux/roles/server';
import type { CoverageWire } from '@pollux/storage';
import { type SimHost, SimWorld } from '../sim-world.ts';
import type { Absence } from './absence.ts';
import type { Scene } from './one-truth.ts';
import { ALERTMANAGERS, MEMBERS, PairAlerts } from './pair-alerts.ts';
import type { Told } from './pair-answers.ts';
import { gatewayConfig, RULES, type ServerPeers, serverConfig } from './pair-configs.ts';
import {
  describePairEvent,
  GUARD_MS,
  LOOKBACK_MS,
  type PairEvent,
  type PairPlan,
  REPLICA_NAMES,
} from './pair-plan.ts';
import type { PairQuestion } from './pair-question.ts';
import { PairStores, STORES, storeUrl } from './pair-stores.ts';
import { CoverageWatch } from './pair-watch.ts';
import { startRole } from './simulated-role.ts';
import { serveTarget } from './target-double.ts';

export const SERVER_PORT = 9090;
const GATEWAY_PORT = 9099;
const DATA = '/data';
/** Servers, their twins and targets hear each other after the same time, so that twins see what replicas see. */
const SCRAPE_LINK = { minDelayMs: 1, maxDelayMs: 1 };
const REQUEST_TIMEOUT_MS = 20_000;

/** What a test breaks so that a checker has something to find. */
export type PairSabotage = {
  /** What the gateway hears of what members cover. */
  readonly coverage?: (report: CoverageWire) => CoverageWire;
  readonly guardMs?: number;
  /** The world as a server sees it; twins see theirs as it is. */
  readonly serverEnv?: (env: Env) => Env;
  /** In place of what the gateway told. */
  readonly tell?: (told: Told, question: PairQuestion, scene: Scene) => Promise<Told>;
};

/** One of the pair, and its twin that never fails. */
export class Replica {
  readonly name: string;
  /** The twin's host is called so. */
  readonly twin: string;
  role: Promise<RunningRole> | null = null;
  closing: Promise<void> | null = null;
  readonly down: Absence[] = [];
  readonly unheard: Absence[] = [];
  /** When it did not reach a target. */
  readonly broken: (Absence & { readonly target: number })[] = [];
  /** When it began with an empty disk; null while it has to. */
  sinceMs: number | null = null;

  constructor(name: string) {
    this.name = name;
    this.twin = `twin-${name}`;
  }
}

/**
 * A pair (or three) of whole servers behind a whole gateway, targets that they scrape, and beside each server a twin with the
 * same name, configuration, clock and links to targets, to which nothing else happens: the history that the server would
 * hold had it never failed.
 */
export class PairWorld {
  readonly plan: PairPlan;
  readonly world: SimWorld;
  readonly replicas: readonly Replica[];
  readonly logs: { readonly atMs: number; readonly line: string }[] = [];
  /** When time began, ms since 1970. */
  readonly startMs: number;
  readonly coverage: CoverageWatch;
  readonly sabotage: PairSabotage;
  readonly #hosts = new Map<string, SimHost>();
  readonly alerts: PairAlerts | null;
  readonly stores: PairStores | null;
  readonly #user: SimHost;
  readonly #running: RunningRole[] = [];

  constructor(plan: PairPlan, sabotage: PairSabotage = {}) {
    this.plan = plan;
    this.sabotage = sabotage;
    this.coverage = new CoverageWatch(sabotage.coverage);
    this.world = new SimWorld({ seed: plan.seed });
    this.startMs = this.world.clock.now();
    this.replicas = REPLICA_NAMES.slice(0, plan.replicas).map((name) => new Replica(name));
    this.#user = this.world.addHost('user');
    this.#hosts.set('gateway', this.world.addHost('gateway'));
    const how = {
      onLog: (line: string) => this.#log(line),
      ask: (request: Omit<HttpClientRequest, 'timeoutMs'>) => this.request(request),
    };
    this.alerts = plan.hasAlerts ? new PairAlerts(this.world, how) : null;
    this.stores = plan.hasStores ? new PairStores(this.world, how.onLog) : null;
    const targets = plan.targets.map(({ name }) => this.world.addHost(name));
    for (const host of targets) this.#hosts.set(host.name, host);
    for (const [index, { name, twin }] of this.replicas.entries()) {
      for (const host of [name, twin]) {
        this.#hosts.set(host, this.world.addHost(host));
        this.world.setClock(host, plan.aheadMs[index]!);
        for (const target of targets) this.world.network.setLink(host, target.name, SCRAPE_LINK);
      }
    }
  }

  now(): number {
    return this.world.clock.now();
  }

  /** All run; the gateway knows that they do. */
  async start(): Promise<void> {
    for (const target of this.plan.targets)
      await serveTarget(this.#host(target.name), target, this.startMs);
    await this.alerts?.start();
    for (const name of STORES) this.stores?.start(name);
    for (const replica of this.replicas) {
      this.#startServer(replica);
      this.#running.push(await this.until(this.#server(replica.twin, replica.name)));
    }
    const gateway = this.#host('gateway');
    const env = this.coverage.watch(gateway.env);
    const guardMs = this.sabotage.guardMs ?? GUARD_MS;
    const times = { guardMs, lookbackMs: LOOKBACK_MS };
    const members = this.replicas.map(({ name }) => `${name}:${SERVER_PORT}`);
    put(gateway, '/etc/gateway.yml', gatewayConfig(members, this.#alertmanagers(), times));
    const starting = this.#start({ ...gateway, env }, 'gateway', gatewayRole, [
      '--config.file=/etc/gateway.yml',
      `--storage.path=${DATA}`,
      `--web.listen-address=0.0.0.0:${GATEWAY_PORT}`,
    ]);
    this.#running.push(await this.until(starting));
  }

  async end(): Promise<void> {
    for (const replica of this.replicas) this.#stop(replica);
    const closing = Promise.all([
      ...this.#running.map((role) => role.close()),
      ...this.replicas.map(({ closing }) => closing),
      this.alerts?.end(),
      this.stores?.end(),
    ]);
    await this.until(closing);
  }

  apply(event: PairEvent): void {
    if (event.kind === 'ask') return;
    this.#log(`world | ${describePairEvent(event)}`);
    if ('store' in event) {
      const name = STORES[event.store]!;
      if (event.kind === 'start-store') this.stores?.start(name);
      else this.stores?.crash(name);
      return;
    }
    if ('member' in event || event.kind === 'silence') {
      this.#applyToAlerts(event);
      return;
    }
    const replica = this.replicas[event.replica]!;
    switch (event.kind) {
      case 'kill':
      case 'power':
      case 'wipe':
        this.#crash(replica, event.kind);
        return;
      case 'stop':
        this.#stop(replica);
        return;
      case 'start':
        this.#startServer(replica);
        return;
      case 'cut':
      case 'heal':
        this.#hear(replica, event.kind === 'heal');
        return;
      case 'break':
      case 'mend': {
        const isCut = event.kind === 'break';
        const broken = replica.broken.filter(({ target }) => target === event.target);
        if (isCut) replica.broken.push({ target: event.target, fromMs: this.now(), toMs: null });
        else for (const one of broken) one.toMs ??= this.now();
        for (const host of [replica.name, replica.twin])
          this.world.network.setLink(host, `t${event.target}`, { isCut });
        return;
      }
      case 'slow':
        this.world.diskOf(replica.name).slow(event.syncMs);
        return;
      case 'reload':
        void this.#reload(replica);
    }
  }

  /** Everybody runs, hears everybody, and every disk is fast. */
  makeWell(): void {
    for (const name of MEMBERS) this.alerts?.startMember(name);
    for (const name of STORES) this.stores?.start(name);
    for (const [index, replica] of this.replicas.entries()) {
      this.#startServer(replica);
      this.#hear(replica, true);
      this.world.diskOf(replica.name).slow(0);
      for (const target of this.plan.targets.keys())
        this.apply({ kind: 'mend', replica: index, target });
    }
  }

  /** A question to the gateway. */
  askGateway(path: string, form: URLSearchParams): Promise<HttpClientResponse> {
    return this.request({
      method: 'POST',
      url: `http://gateway:${GATEWAY_PORT}${path}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
    });
  }

  /** A request of a user, whom no cut concerns. */
  request(request: Omit<HttpClientRequest, 'timeoutMs'>): Promise<HttpClientResponse> {
    return this.#user.env.net.request({ ...request, timeoutMs: REQUEST_TIMEOUT_MS });
  }

  /** Moves time until the work is done. */
  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    // The rejection is the caller's.
    done.catch(() => {});
    while (!isDone) await this.world.advance(5);
    return done;
  }

  #peers(): ServerPeers {
    const { hasStores, readsStores } = this.plan;
    const urls = (way: 'read' | 'write'): readonly string[] =>
      STORES.map((name) => storeUrl(name, way));
    return {
      alertmanagers: this.#alertmanagers(),
      writes: hasStores ? urls('write') : [],
      reads: hasStores && readsStores ? urls('read') : [],
    };
  }

  #alertmanagers(): readonly string[] {
    return this.alerts === null ? [] : ALERTMANAGERS;
  }

  #applyToAlerts(
    event: PairEvent & { readonly kind: 'kill-member' | 'start-member' | 'silence' },
  ): void {
    const { alerts } = this;
    if (alerts === null) return;
    if (event.kind === 'silence')
      void alerts.silence(`t${event.target}`, `http://gateway:${GATEWAY_PORT}`);
    else if (event.kind === 'kill-member') alerts.killMember(MEMBERS[event.member]!);
    else alerts.startMember(MEMBERS[event.member]!);
  }

  #host(name: string): SimHost {
    return this.#hosts.get(name)!;
  }

  #startServer(replica: Replica): void {
    if (replica.role !== null) return;
    if (replica.closing !== null) {
      // The life before has to let go of its ports.
      void replica.closing.then(() => this.#startServer(replica));
      return;
    }
    const role = this.#server(replica.name, replica.name);
    replica.role = role;
    replica.sinceMs ??= this.now();
    role.then(
      () => {
        const last = replica.down.at(-1);
        if (replica.role === role && last !== undefined) last.toMs = this.now();
      },
      (error: unknown) => this.#log(`${replica.name} | did not start: ${errorText(error)}`),
    );
  }

  /** A server, or a twin under the name of its server. */
  #server(host: string, hostname: string): Promise<RunningRole> {
    const machine = this.#host(host);
    const targets = this.plan.targets.map(({ name }) => name);
    const peers = host === hostname ? this.#peers() : { alertmanagers: [], writes: [], reads: [] };
    put(machine, '/etc/prometheus.yml', serverConfig(hostname, targets, peers));
    put(machine, '/etc/rules.yml', RULES);
    const env = (host === hostname && this.sabotage.serverEnv?.(machine.env)) || machine.env;
    return this.#start({ ...machine, env }, hostname, serverRole, [
      '--config.file=/etc/prometheus.yml',
      `--storage.tsdb.path=${DATA}`,
      `--web.listen-address=0.0.0.0:${SERVER_PORT}`,
      `--query.lookback-delta=${LOOKBACK_MS}ms`,
      // Else an alert that waits for less than ten minutes is not restored after a start.
      '--rules.alert.for-grace-period=5s',
      // Threads would run beside the world's clock.
      '--query.workers=0',
      ...(host === hostname ? this.#healing(host) : []),
    ]);
  }

  #healing(host: string): readonly string[] {
    if (!this.plan.heals) return [];
    const twins = this.replicas.filter(({ name }) => name !== host);
    return [
      ...twins.map(({ name }) => `--ha.twin=http://${name}:${SERVER_PORT}`),
      `--ha.twin.clock-difference=${GUARD_MS}ms`,
    ];
  }

  #start<T extends RoleModule['flags']>(
    host: SimHost,
    hostname: string,
    role: RoleModule<T>,
    flags: readonly string[],
  ): Promise<RunningRole> {
    return startRole(host, role, { hostname, flags, onLog: (line) => this.#log(line) });
  }

  #stop(replica: Replica): void {
    const { role } = replica;
    if (role === null) return;
    replica.role = null;
    replica.down.push({ fromMs: this.now(), toMs: null });
    replica.closing = role
      .then((running) => running.close())
      .catch((error: unknown) => this.#log(`${replica.name} | did not end: ${errorText(error)}`))
      .then(() => {
        replica.closing = null;
      });
  }

  #crash(replica: Replica, how: 'kill' | 'power' | 'wipe'): void {
    if (replica.role === null && replica.closing === null) return;
    if (replica.role !== null) replica.down.push({ fromMs: this.now(), toMs: null });
    replica.role = null;
    replica.closing = null;
    const host = this.world.crash(replica.name, how === 'kill' ? 'all' : 'some');
    this.#hosts.set(replica.name, host);
    if (how !== 'wipe') return;
    host.env.files.removeTree(DATA);
    replica.sinceMs = null;
  }

  async #reload(replica: Replica): Promise<void> {
    try {
      await (await replica.role)?.reload();
    } catch (error) {
      this.#log(`${replica.name} | not reloaded: ${errorText(error)}`);
    }
  }

  #hear(replica: Replica, isHeard: boolean): void {
    this.world.network.setLink('gateway', replica.name, { isCut: !isHeard });
    const last = replica.unheard.at(-1);
    if (!isHeard) replica.unheard.push({ fromMs: this.now(), toMs: null });
    else if (last !== undefined) last.toMs ??= this.now();
  }

  #log(line: string): void {
    this.logs.push({ atMs: this.now(), line });
  }
}

function put({ env }: SimHost, path: string, text: string): void {
  env.files.makeDirectory('/etc');
  env.files.replaceFile(path, text);
}
