import { createDingtalkSink, type SinkMessage } from '@pollux/alertmanager';
import { errorText, sleep } from '@pollux/base';
import type { RunningRole } from '@pollux/roles';
import { API_PORT, startMember } from '../alertmanager/simulated-member.ts';
import type { SimHost, SimWorld } from '../sim-world.ts';
import type { Absence } from './absence.ts';
import { TARGET_PORT } from './target-double.ts';

export const MEMBERS = ['am-a', 'am-b'] as const;
const ROBOT = 'robot';
const ROBOT_PORT = 8060;
const SECRET = 'SECsim';
/** A user who is refused tries again. */
const SILENCE_TRIES = 10;

const CONFIG = `
route:
  receiver: dingtalk
  group_by: [alertname, instance]
  group_wait: 2s
  group_interval: 10s
  repeat_interval: 4h
receivers:
  - name: dingtalk
    dingtalk_configs:
      - url: http://${ROBOT}:${ROBOT_PORT}/robot/send?access_token=sim
        secret: ${SECRET}
        send_resolved: true
        title: sim
        text: '{{ .Status }}{{ range .Alerts }} {{ .Labels.instance }}{{ end }}'
`;

/** What the robot took. */
export type Message = {
  readonly atMs: number;
  readonly status: 'firing' | 'resolved';
  readonly instance: string;
};

export type AskedSilence = { readonly instance: string; confirmedMs: number | null };

type Asks = (request: {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}) => Promise<{ readonly status: number; readonly body: Uint8Array }>;

/** Two alertmanagers in one cluster and a DingTalk robot, beside the servers of a world. */
export class PairAlerts {
  /** Of each member, when it was not there. */
  readonly down = new Map<string, Absence[]>(MEMBERS.map((name) => [name, []]));
  readonly silences: AskedSilence[] = [];
  readonly #world: SimWorld;
  readonly #hosts = new Map<string, SimHost>();
  readonly #roles = new Map<string, Promise<RunningRole>>();
  readonly #onLog: (line: string) => void;
  readonly #ask: Asks;

  constructor(
    world: SimWorld,
    how: { readonly onLog: (line: string) => void; readonly ask: Asks },
  ) {
    this.#world = world;
    this.#onLog = how.onLog;
    this.#ask = how.ask;
    for (const name of [...MEMBERS, ROBOT]) this.#hosts.set(name, world.addHost(name));
  }

  async start(): Promise<void> {
    const { ip, env } = this.#hosts.get(ROBOT)!;
    const sink = createDingtalkSink({ clock: this.#world.clock, secret: SECRET });
    const at = { host: ip, port: ROBOT_PORT };
    await env.net.serveHttp({ at, maxConnections: 99, readTimeoutMs: 5_000 }, sink);
    for (const name of MEMBERS) this.startMember(name);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#roles.values()].map(async (role) => (await role).close()));
  }

  startMember(name: string): void {
    if (this.#roles.has(name)) return;
    const role = startMember(this.#hosts.get(name)!, {
      config: CONFIG,
      peers: MEMBERS,
      flags: [
        '--data.maintenance-interval=5s',
        '--cluster.pushpull-interval=10s',
        '--cluster.reconnect-interval=5s',
        '--cluster.peer-timeout=5s',
        // Smaller clusters need no swifter news.
        '--cluster.gossip-interval=500ms',
      ],
      onLog: this.#onLog,
    });
    role.catch((error: unknown) => this.#onLog(`${name} | did not start: ${errorText(error)}`));
    this.#roles.set(name, role);
    const last = this.down.get(name)!.at(-1);
    if (last !== undefined) last.toMs ??= this.#world.clock.now();
  }

  killMember(name: string): void {
    if (!this.#roles.delete(name)) return;
    this.#hosts.set(name, this.#world.crash(name, 'all'));
    this.down.get(name)!.push({ fromMs: this.#world.clock.now(), toMs: null });
  }

  /** A silence for one target for ever, by way of the gateway. */
  async silence(target: string, gateway: string): Promise<void> {
    const instance = `${target}:${TARGET_PORT}`;
    const silence: AskedSilence = { instance, confirmedMs: null };
    this.silences.push(silence);
    const nowMs = this.#world.clock.now();
    const body = JSON.stringify({
      matchers: [{ name: 'instance', value: instance, isRegex: false }],
      startsAt: new Date(nowMs - 10_000).toISOString(),
      endsAt: new Date(nowMs + 100_000_000).toISOString(),
      createdBy: 'sim',
      comment: 'sim',
    });
    for (let tries = 0; tries < SILENCE_TRIES; tries++) {
      try {
        const headers = { 'content-type': 'application/json' };
        const url = `${gateway}/api/v2/silences`;
        const answer = await this.#ask({ method: 'POST', url, headers, body });
        if (answer.status < 300) {
          silence.confirmedMs = this.#world.clock.now();
          return;
        }
        this.#onLog(`user | silence: ${answer.status} ${new TextDecoder().decode(answer.body)}`);
      } catch (error) {
        this.#onLog(`user | silence: ${errorText(error)}`);
      }
      await sleep(this.#world.clock, 1_000);
    }
  }

  /** All that the robot took, in order. */
  async messages(): Promise<readonly Message[]> {
    const url = `http://${ROBOT}:${ROBOT_PORT}/messages`;
    const { body } = await this.#ask({ method: 'GET', url });
    const messages = JSON.parse(new TextDecoder().decode(body)) as SinkMessage[];
    return messages.map(({ receivedAt, body: sent }) => {
      const text = (sent as { markdown: { text: string } }).markdown.text.trim();
      const [status = '', instance = ''] = text.split(/\s+/);
      return {
        atMs: receivedAt,
        status: status === 'firing' ? 'firing' : 'resolved',
        instance,
      };
    });
  }
}

/** For servers' `alerting`. */
export const ALERTMANAGERS = MEMBERS.map((name) => `${name}:${API_PORT}`);
