import { createDingtalkSink, type SinkMessage } from '@pollux/alertmanager';
import {
  type HttpClientRequest,
  type HttpClientResponse,
  OperatingError,
  SeededRandom,
} from '@pollux/base';
import type { RunningRole } from '@pollux/roles';
import type { Link } from '../link.ts';
import { type SimHost, SimWorld } from '../sim-world.ts';
import type { Notification } from './notification-checks.ts';
import { DATA, startMember } from './simulated-member.ts';

/** Times of the configuration that the members run with, ms. */
export const GROUP_WAIT_MS = 2_000;
export const GROUP_INTERVAL_MS = 10_000;
export const PEER_TIMEOUT_MS = 5_000;
/** How often a server repeats the alerts that fire. */
const RESEND_MS = 5_000;
/** A cluster waits for ten quiet gossip rounds before its first notification. */
const SETTLE_MS = 12_000;
const SECRET = 'SECsim';
const REQUEST_TIMEOUT_MS = 5_000;

const CONFIG = `
route:
  receiver: dingtalk
  group_by: [alertname]
  group_wait: ${GROUP_WAIT_MS}ms
  group_interval: ${GROUP_INTERVAL_MS}ms
  repeat_interval: 4h
receivers:
  - name: dingtalk
    dingtalk_configs:
      - url: http://sink:8060/robot/send?access_token=sim
        secret: ${SECRET}
        send_resolved: true
        title: sim
        text: '{{ .Status }}{{ range .Alerts }} {{ .Labels.alertname }}/{{ .Labels.instance }}={{ .Status }}{{ end }}'
`;

export type MemberName = 'a' | 'b';
export const MEMBERS: readonly MemberName[] = ['a', 'b'];

export type AlertWorldOptions = {
  readonly seed: number;
  readonly link?: Partial<Link>;
  readonly peerTimeoutMs?: number;
};

type Member = { readonly host: SimHost; readonly role: RunningRole };
/** An alert as a server repeats it until it has told of its end. */
type Firing = { readonly labels: Readonly<Record<string, string>>; endsAtMs: number | null };

/**
 * Two whole alertmanagers in one cluster, two servers that send them alerts, and a DingTalk robot, each on a host of its
 * own. Server `a` stands beside alertmanager `a`, and so for `b`.
 */
export class AlertWorld {
  readonly world: SimWorld;
  readonly random: SeededRandom;
  /** What the members log, for a run that failed. */
  readonly logs: string[] = [];
  readonly #members = new Map<MemberName, Member>();
  readonly #servers = new Map<MemberName, SimHost>();
  readonly #firing = new Map<MemberName, Firing[]>();
  readonly #observer: SimHost;
  readonly #sink: SimHost;

  readonly #peerTimeoutMs: number;

  private constructor({ seed, link = {}, peerTimeoutMs = PEER_TIMEOUT_MS }: AlertWorldOptions) {
    this.#peerTimeoutMs = peerTimeoutMs;
    this.random = new SeededRandom(seed);
    this.world = new SimWorld({ seed, link });
    this.#sink = this.world.addHost('sink');
    this.#observer = this.world.addHost('observer');
  }

  /** A world whose cluster has settled. */
  static async start(options: AlertWorldOptions): Promise<AlertWorld> {
    const world = new AlertWorld(options);
    await world.#start();
    return world;
  }

  async end(): Promise<void> {
    for (const name of MEMBERS) await this.stop(name);
  }

  /** An orderly end of one member, as by SIGTERM. */
  async stop(name: MemberName): Promise<void> {
    const member = this.#members.get(name);
    if (member === undefined) return;
    this.#members.delete(name);
    await this.#until(member.role.close());
  }

  /** Power loss of one member. */
  crash(name: MemberName): void {
    this.#members.delete(name);
    this.world.crash(name);
  }

  /** From now on the server beside `at` sends this alert to every alertmanager it reaches. */
  fire(at: MemberName, labels: Readonly<Record<string, string>>): void {
    this.#firing.get(at)?.push({ labels, endsAtMs: null });
    this.#send(at);
  }

  /** The server beside `at` sees its alerts end, and says so for as long as it repeats alerts. */
  resolve(at: MemberName): void {
    for (const alert of this.#firing.get(at) ?? []) alert.endsAtMs ??= this.world.clock.now();
    this.#send(at);
  }

  /** Host `a` with its server on one side, `b` with its on the other; the robot is reached from both. */
  partition(): void {
    this.world.network.partition(['a', 'server-a'], ['b', 'server-b']);
  }

  heal(): void {
    this.world.network.heal();
  }

  advance(durationMs: number): Promise<void> {
    return this.world.advance(durationMs);
  }

  now(): number {
    return this.world.clock.now();
  }

  /** Every message that the robot took, in order. */
  async notifications(): Promise<Notification[]> {
    const answer = await this.ask({ method: 'GET', url: 'http://sink:8060/messages' });
    const messages = JSON.parse(new TextDecoder().decode(answer.body)) as SinkMessage[];
    return messages.map(notificationOf);
  }

  async createSilence(at: MemberName, alertname: string): Promise<string> {
    const nowMs = this.now();
    const body = JSON.stringify({
      matchers: [{ name: 'alertname', value: alertname, isRegex: false }],
      startsAt: new Date(nowMs).toISOString(),
      endsAt: new Date(nowMs + 3_600_000).toISOString(),
      createdBy: 'sim',
      comment: 'sim',
    });
    const answer = await this.ask({
      method: 'POST',
      url: `http://${at}:9093/api/v2/silences`,
      body,
    });
    return JSON.parse(new TextDecoder().decode(answer.body)).silenceID;
  }

  /** Ids of the silences that a member shows as active. */
  async silences(at: MemberName): Promise<string[]> {
    const answer = await this.ask({ method: 'GET', url: `http://${at}:9093/api/v2/silences` });
    const silences: { id: string; status: { state: string } }[] = JSON.parse(
      new TextDecoder().decode(answer.body),
    );
    return silences.filter(({ status }) => status.state === 'active').map(({ id }) => id);
  }

  /** A member's last snapshot of its notification log, as it lies on its disk. */
  notificationLog(at: MemberName): Uint8Array {
    const files = this.#members.get(at)?.host.env.files;
    return files?.exists(`${DATA}/nflog`) === true
      ? files.readFile(`${DATA}/nflog`)
      : new Uint8Array(0);
  }

  /** A request of an observer outside, whom no partition concerns; rejects unless the answer is a 2xx. */
  async ask(request: Omit<HttpClientRequest, 'timeoutMs'>): Promise<HttpClientResponse> {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#until(
      this.#observer.env.net.request({ headers, ...request, timeoutMs: REQUEST_TIMEOUT_MS }),
    );
    if (answer.status < 300) return answer;
    const body = new TextDecoder().decode(answer.body);
    throw new OperatingError('SIM.REFUSED', `${request.url}: ${answer.status} ${body}`);
  }

  async #start(): Promise<void> {
    const sink = createDingtalkSink({ clock: this.world.clock, secret: SECRET });
    const at = { host: this.#sink.ip, port: 8060 };
    await this.#sink.env.net.serveHttp({ at, maxConnections: 99, readTimeoutMs: 5_000 }, sink);
    const hosts = MEMBERS.map((name) => [name, this.world.addHost(name)] as const);
    for (const [name, host] of hosts) {
      this.#members.set(name, { host, role: await this.#startMember(host) });
      this.#servers.set(name, this.world.addHost(`server-${name}`));
      this.#firing.set(name, []);
      this.#repeat(name, this.random.below(RESEND_MS));
    }
    await this.advance(SETTLE_MS);
  }

  #startMember(host: SimHost): Promise<RunningRole> {
    return startMember(host, {
      config: CONFIG,
      peers: MEMBERS,
      flags: [
        '--data.maintenance-interval=1s',
        '--cluster.pushpull-interval=15s',
        `--cluster.peer-timeout=${this.#peerTimeoutMs}ms`,
      ],
      onLog: (line) => this.logs.push(line),
    });
  }

  #repeat(name: MemberName, delayMs: number): void {
    this.world.clock.after(delayMs, () => {
      this.#send(name);
      this.#repeat(name, RESEND_MS);
    });
  }

  /** As a server's notifier: all alerts to every alertmanager, each on its own, and what fails is repeated next time. */
  #send(from: MemberName): void {
    const alerts = (this.#firing.get(from) ?? []).map(({ labels, endsAtMs }) => ({
      labels,
      endsAt: new Date(endsAtMs ?? this.now() + 4 * RESEND_MS).toISOString(),
    }));
    if (alerts.length === 0) return;
    for (const to of MEMBERS) {
      const request = {
        method: 'POST',
        url: `http://${to}:9093/api/v2/alerts`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(alerts),
        timeoutMs: REQUEST_TIMEOUT_MS,
      };
      this.#servers
        .get(from)
        ?.env.net.request(request)
        .catch((error: unknown) => this.logs.push(`server-${from} | to ${to}: ${error}`));
    }
  }

  /** Moves time until the work is done. */
  async #until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    // The rejection is the caller's; this branch only must not count as one that nobody handles.
    done.catch(() => {});
    while (!isDone) await this.advance(5);
    return done;
  }
}

function notificationOf({ receivedAt, body }: SinkMessage): Notification {
  const text = (body as { markdown: { text: string } }).markdown.text.trim();
  const [status = '', ...alerts] = text.split(/\s+/);
  return { atMs: receivedAt, status: status === 'firing' ? 'firing' : 'resolved', alerts };
}
