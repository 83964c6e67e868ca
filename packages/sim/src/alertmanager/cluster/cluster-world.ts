import { type Env, errorText, type HttpClientRequest, SeededRandom } from '@pollux/base';
import type { RunningRole } from '@pollux/roles';
import { type SimHost, SimWorld } from '../../sim-world.ts';
import { API_PORT, DATA, startMember } from '../simulated-member.ts';
import { AlertSenders } from './alert-senders.ts';
import { Attempts } from './attempts.ts';
import { type ClusterEvent, type ClusterPlan, hostName, names } from './cluster-plan.ts';
import { type HeldEntry, HeldLogs } from './held-log.ts';
import { RECEIVER_PORT, ReceiverDouble } from './receiver-double.ts';

/** A cluster waits for ten quiet gossip rounds, three times, before its first notification. */
export const SETTLE_MS = 12_000;
export const PUSH_PULL_MS = 10_000;
export const RECONNECT_MS = 5_000;
/** How often a member writes its state to its disk: what it heard since is gone when it loses power. */
export const MAINTENANCE_MS = 5_000;
const REQUEST_TIMEOUT_MS = 5_000;

/** What a test changes so that a checker has something to find. */
export type Sabotage = {
  /** The world as a member sees it. */
  readonly env?: (env: Env) => Env;
  /** In place of what the plan says. */
  readonly flags?: readonly string[];
  /** Done to the disk of a member that lost power. */
  readonly disk?: (files: Env['files']) => void;
};

/** A silence as whoever asked for it knows it. */
export type AskedSilence = {
  readonly group: number;
  readonly askedMs: number;
  id: string | null;
  /** When a member had confirmed it; null until then. */
  createdMs: number | null;
  endAskedMs: number | null;
  /** When a member had confirmed its end. */
  endedMs: number | null;
};

/** One life of a member. */
export type Life = {
  readonly member: string;
  readonly fromMs: number;
  /** When it lost its power or was asked to end: nothing is promised of it from here on. */
  toMs: number | null;
  /** When it could do nothing more. One that is asked to end still sends for a while, and gives away its ports last. */
  goneMs: number | null;
};
/** A time in which some hosts did not hear others. */
export type Cut = {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly fromMs: number;
  toMs: number | null;
};

/** Members, servers and receivers as a plan wants them, and a record of all that was done to them. */
export class ClusterWorld {
  readonly plan: ClusterPlan;
  readonly world: SimWorld;
  readonly memberNames: readonly string[];
  readonly receivers: ReceiverDouble;
  readonly senders: AlertSenders;
  readonly attempts: Attempts;
  readonly silences: AskedSilence[] = [];
  readonly lives: Life[] = [];
  readonly cuts: Cut[] = [];
  /** Datagrams that chance took. */
  readonly lost: { readonly from: string; readonly to: string; readonly atMs: number }[] = [];
  /** When members got no processor time. */
  readonly stalls: { readonly member: string; readonly fromMs: number; readonly toMs: number }[] =
    [];
  /** How far a member's wall clock was ahead from some moment on. */
  readonly clocks: {
    readonly member: string;
    readonly fromMs: number;
    readonly aheadMs: number;
  }[] = [];
  /** Of members and servers, for a run that failed. */
  readonly logs: { readonly atMs: number; readonly line: string }[] = [];
  readonly #sabotage: Sabotage;
  readonly #random: SeededRandom;
  readonly #hosts = new Map<string, SimHost>();
  readonly #roles = new Map<string, Promise<RunningRole>>();
  /** Members that end in order, until they have. */
  readonly #closing = new Map<string, Promise<void>>();
  readonly #observer: SimHost;
  readonly #logs: HeldLogs;
  /** When the cluster had settled: steps count from here. */
  startMs = 0;

  constructor(plan: ClusterPlan, sabotage: Sabotage = {}) {
    this.plan = plan;
    this.#sabotage = sabotage;
    this.#random = new SeededRandom(plan.seed ^ 0x5eed);
    this.world = new SimWorld({ seed: plan.seed, link: plan.link });
    this.memberNames = names('m', plan.members);
    const sink = this.world.addHost('sink');
    this.#observer = this.world.addHost('observer');
    const servers = names('server', plan.servers).map((name) => this.world.addHost(name));
    const byIp = new Map<string, string>();
    this.world.network.onLoss((from, to) => {
      const at = { from: byIp.get(from) ?? from, to: byIp.get(to) ?? to };
      this.lost.push({ ...at, atMs: this.now() });
    });
    this.memberNames.forEach((name, index) => {
      const host = this.world.addHost(name);
      this.#hosts.set(name, host);
      byIp.set(host.ip, name);
      this.#setClock(name, plan.aheadMs[index] ?? 0);
    });
    this.#logs = new HeldLogs(
      plan.steps.flatMap(({ event }) => ('alert' in event ? [event.alert] : [])),
    );
    this.attempts = new Attempts({
      now: () => this.now(),
      isToReceiver: ({ hostname }) => hostname === sink.name,
      heldBy: (member, group, receiver) => this.heldBy(member, group, receiver),
    });
    this.receivers = new ReceiverDouble(sink, {
      count: plan.sendResolved.length,
      attempts: this.attempts,
      answerMs: (mode) => (mode === 'slow' ? plan.slowAnswerMs : plan.answerMs),
    });
    this.senders = new AlertSenders({
      servers,
      members: this.memberNames,
      now: () => this.now(),
      after: (delayMs, work) => void this.world.clock.after(delayMs, work),
      delayMs: () => this.#random.below(5_000),
      onLog: (line) => this.#log(line),
    });
    for (const name of ['sink', ...servers.map((host) => host.name)]) this.#reach('observer', name);
  }

  now(): number {
    return this.world.clock.now();
  }

  /** All members run and have settled. */
  async start(): Promise<void> {
    await this.receivers.start();
    for (const name of this.memberNames) this.#start(name);
    await this.world.advance(SETTLE_MS);
    this.senders.start();
    this.startMs = this.now();
  }

  async end(): Promise<void> {
    for (const name of this.memberNames) this.#stop(name);
    await this.world.advance(8_000);
  }

  apply(event: ClusterEvent): void {
    switch (event.kind) {
      case 'fire':
      case 'resolve':
        this.senders[event.kind](event.alert);
        return;
      case 'silence':
        this.#silence(event.group, this.#nameOf(event.member));
        return;
      case 'unsilence':
        this.#unsilence(event.group, this.#nameOf(event.member));
        return;
      case 'cut':
        this.#cut(event.from, event.to);
        return;
      case 'heal':
        this.heal();
        return;
      case 'crash':
        this.#crash(this.#nameOf(event.member));
        return;
      case 'stop':
        this.#stop(this.#nameOf(event.member));
        return;
      case 'start':
        this.#start(this.#nameOf(event.member));
        return;
      case 'receiver':
        this.receivers.modes[event.receiver] = event.mode;
        return;
      case 'stall':
        this.#stall(this.#nameOf(event.member), event.forMs);
        return;
      case 'clock':
        this.#setClock(this.#nameOf(event.member), event.aheadMs);
    }
  }

  /** Everybody runs, hears everybody, and every receiver and clock is well. */
  makeWell(): void {
    this.heal();
    for (const name of this.memberNames) this.#start(name);
    this.receivers.modes.fill('well');
    this.memberNames.forEach((name, index) => {
      this.#setClock(name, Math.min(this.plan.aheadMs[index] ?? 0, 300));
    });
  }

  heal(): void {
    this.world.network.heal();
    for (const cut of this.cuts) cut.toMs ??= this.now();
  }

  isUp(member: string): boolean {
    return this.lifeOf(member) !== undefined;
  }

  /** The life that a member lives now. */
  lifeOf(member: string): Life | undefined {
    return this.lives.findLast((life) => life.member === member && life.toMs === null);
  }

  /** True when nothing on the way from one host to the other is cut now. */
  hears(from: string, to: string): boolean {
    const network = this.world.network;
    return !network.link(network.addressOf(from), network.addressOf(to)).isCut;
  }

  /** A member's own files. */
  file(member: string, name: string): Uint8Array {
    const files = this.#hosts.get(member)?.env.files;
    const path = `${DATA}/${name}`;
    return files?.exists(path) === true ? files.readFile(path) : new Uint8Array(0);
  }

  /** What the log of a member says now. */
  heldBy(member: string, group: number, receiver: number): HeldEntry | null {
    const snapshot = this.file(member, 'nflog');
    return this.#logs.entryOf({ snapshot, journal: this.file(member, 'alerts') }, group, receiver);
  }

  /** The furthest that a member's wall clock has been since then, ms. */
  latestWallMs(member: string, sinceMs: number, untilMs: number): number {
    let latestMs = -Infinity;
    let atMs = untilMs;
    for (const clock of this.clocks.filter((one) => one.member === member).reverse()) {
      if (clock.fromMs > untilMs) continue;
      latestMs = Math.max(latestMs, atMs + clock.aheadMs);
      if (clock.fromMs <= sinceMs) break;
      atMs = clock.fromMs;
    }
    return latestMs;
  }

  /** A question of somebody whom no cut concerns; the answer's JSON. Rejects unless it is a 2xx. */
  async ask(member: string, request: Omit<HttpClientRequest, 'timeoutMs' | 'url'>, path: string) {
    const answer = await this.#observer.env.net.request({
      headers: { 'content-type': 'application/json' },
      ...request,
      url: `http://${member}:${API_PORT}${path}`,
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    const body = new TextDecoder().decode(answer.body);
    if (answer.status >= 300) throw new RangeError(`${member}${path}: ${answer.status} ${body}`);
    return body === '' ? null : (JSON.parse(body) as unknown);
  }

  #nameOf(member: number): string {
    return hostName('m', member);
  }

  #start(name: string): void {
    if (this.isUp(name)) return;
    const closing = this.#closing.get(name);
    if (closing !== undefined) {
      // The life before has to let go of its ports.
      void closing.then(() => this.#start(name));
      return;
    }
    const host = this.#hosts.get(name);
    if (host === undefined) return;
    const { plan } = this;
    this.lives.push({ member: name, fromMs: this.now(), toMs: null, goneMs: null });
    const seen = this.attempts.watch(name, host.env);
    const env = this.#sabotage.env?.(seen) ?? seen;
    const role = startMember(
      { ...host, env },
      {
        config: configOf(plan),
        peers: this.memberNames,
        flags: [
          `--data.maintenance-interval=${MAINTENANCE_MS}ms`,
          `--cluster.pushpull-interval=${PUSH_PULL_MS}ms`,
          `--cluster.reconnect-interval=${RECONNECT_MS}ms`,
          `--cluster.peer-timeout=${plan.peerTimeoutMs}ms`,
          ...(this.#sabotage.flags ?? []),
        ],
        onLog: (line) => this.#log(line),
      },
    );
    role.catch((error: unknown) => this.#log(`${name} | did not start: ${errorText(error)}`));
    this.#roles.set(name, role);
  }

  #stop(name: string): void {
    const life = this.lifeOf(name);
    const role = this.#roles.get(name);
    if (life === undefined || role === undefined) return;
    life.toMs = this.now();
    this.senders.forget(name);
    const closing = role
      .then((running) => running.close())
      .catch((error: unknown) => this.#log(`${name} | did not end: ${errorText(error)}`))
      .then(() => {
        life.goneMs = this.now();
        this.#closing.delete(name);
      });
    this.#closing.set(name, closing);
  }

  #crash(name: string): void {
    const life = this.lifeOf(name);
    if (life === undefined) return;
    life.toMs = this.now();
    life.goneMs = this.now();
    this.senders.forget(name);
    this.#roles.delete(name);
    const host = this.world.crash(name);
    this.#hosts.set(name, host);
    this.#sabotage.disk?.(host.env.files);
  }

  #stall(member: string, forMs: number): void {
    this.world.stall(member, forMs);
    this.stalls.push({ member, fromMs: this.now(), toMs: this.now() + forMs });
  }

  #setClock(member: string, aheadMs: number): void {
    this.world.setClock(member, aheadMs);
    this.clocks.push({ member, fromMs: this.now(), aheadMs });
  }

  #cut(from: readonly string[], to: readonly string[]): void {
    for (const a of from) {
      for (const b of to) this.world.network.setWay(a, b, { isCut: true });
    }
    this.cuts.push({ from, to, fromMs: this.now(), toMs: null });
  }

  #silence(group: number, member: string): void {
    const nowMs = this.now();
    const silence: AskedSilence = {
      group,
      askedMs: nowMs,
      id: null,
      createdMs: null,
      endAskedMs: null,
      endedMs: null,
    };
    this.silences.push(silence);
    const body = JSON.stringify({
      matchers: [{ name: 'group', value: `g${group}`, isRegex: false }],
      startsAt: new Date(nowMs - 10_000).toISOString(),
      endsAt: new Date(nowMs + 100_000_000).toISOString(),
      createdBy: 'sim',
      comment: 'sim',
    });
    this.ask(member, { method: 'POST', body }, '/api/v2/silences').then(
      (answer) => {
        silence.id = (answer as { silenceID: string }).silenceID;
        silence.createdMs = this.now();
      },
      (error: unknown) => this.#log(`observer | ${errorText(error)}`),
    );
  }

  #unsilence(group: number, member: string): void {
    for (const silence of this.silences) {
      if (silence.group !== group || silence.id === null || silence.endAskedMs !== null) continue;
      silence.endAskedMs = this.now();
      this.ask(member, { method: 'DELETE' }, `/api/v2/silence/${silence.id}`).then(
        () => {
          silence.endedMs = this.now();
        },
        (error: unknown) => {
          // It may be that the member has not heard of it, or died over it: the silence goes on.
          this.#log(`observer | ${errorText(error)}`);
        },
      );
    }
  }

  #reach(from: string, to: string): void {
    this.world.network.setLink(from, to, { minDelayMs: 0.2, maxDelayMs: 1, loss: 0 });
  }

  #log(line: string): void {
    this.logs.push({ atMs: this.now(), line });
  }
}

/** Every receiver has a route of its own, which all alerts take. */
function configOf(plan: ClusterPlan): string {
  const receivers = plan.sendResolved.map((sendResolved, index) => ({ index, sendResolved }));
  return `
route:
  receiver: r0
  group_by: [group]
  group_wait: ${plan.groupWaitMs}ms
  group_interval: ${plan.groupIntervalMs}ms
  repeat_interval: ${plan.repeatIntervalMs}ms
  routes:
${receivers.map(({ index }) => `    - {receiver: r${index}, continue: true, matchers: ['alertname="Sim"']}`).join('\n')}
receivers:
${receivers.map(({ index, sendResolved }) => `  - {name: r${index}, webhook_configs: [{url: 'http://sink:${RECEIVER_PORT}/${index}', send_resolved: ${sendResolved}}]}`).join('\n')}
`;
}
