import { type HttpRequest, type HttpResponse, SeededRandom } from '@pollux/base';
import { parseFlags, type RoleContext, type RunningRole } from '@pollux/roles';
import { ALERTMANAGER_FLAGS, assembleAlertmanager } from '@pollux/roles/alertmanager';
import { Log, Registry } from '@pollux/telemetry';
import { type SimHost, SimWorld } from '../sim-world.ts';

/** Times of its configuration, ms. */
export const LONE_TIMES = { groupWaitMs: 10_000, groupIntervalMs: 60_000 } as const;
const DATA = '/data';
const REQUEST_TIMEOUT_MS = 5_000;

const CONFIG = `
route:
  receiver: hook
  group_by: [group]
  group_wait: ${LONE_TIMES.groupWaitMs}ms
  group_interval: ${LONE_TIMES.groupIntervalMs}ms
  repeat_interval: 10h
receivers:
  - {name: hook, webhook_configs: [{url: 'http://sink:8060/'}]}
`;

/** One message as the receiver took it. */
export type HookMessage = {
  readonly atMs: number;
  readonly group: string;
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
};

type HookBody = {
  readonly groupLabels: { readonly group: string };
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: { readonly name: string };
  }[];
};

/** A whole alertmanager role without a cluster, which can be killed and started again over its disk. */
export class LoneAlertmanager {
  readonly world: SimWorld;
  readonly messages: HookMessage[] = [];
  readonly logs: string[] = [];
  isReceiverUp = true;
  readonly #client: SimHost;
  #host: SimHost;
  #role: RunningRole | null = null;

  private constructor(seed: number) {
    this.world = new SimWorld({ seed, link: { minDelayMs: 1, maxDelayMs: 1, loss: 0 } });
    this.#client = this.world.addHost('client');
    this.#host = this.world.addHost('am');
  }

  static async start(seed: number): Promise<LoneAlertmanager> {
    const lone = new LoneAlertmanager(seed);
    const sink = lone.world.addHost('sink');
    const at = { host: sink.ip, port: 8060 };
    await sink.env.net.serveHttp({ at, maxConnections: 99, readTimeoutMs: 5_000 }, (request) =>
      lone.#take(request),
    );
    await lone.boot();
    return lone;
  }

  get now(): number {
    return this.world.clock.now();
  }

  get isUp(): boolean {
    return this.#role !== null;
  }

  /** The disk that it runs on. */
  get disk(): ReturnType<SimWorld['diskOf']> {
    return this.world.diskOf('am');
  }

  advance(ms: number): Promise<void> {
    return this.world.advance(ms);
  }

  /** Ends the process, and with other than `all` surviving the power as well. */
  kill(survives: 'all' | 'some' | 'none' = 'all'): void {
    this.#role = null;
    this.#host = this.world.crash('am', survives);
  }

  /** Takes away what it remembers beside upstream's files. */
  forget(): void {
    for (const name of ['alerts', 'outbox']) this.#host.env.files.remove(`${DATA}/${name}`);
  }

  async boot(): Promise<void> {
    const { env } = this.#host;
    env.files.makeDirectory('/etc');
    env.files.replaceFile('/etc/alertmanager.yml', CONFIG);
    const { values } = parseFlags(ALERTMANAGER_FLAGS, [
      '--config.file=/etc/alertmanager.yml',
      `--storage.path=${DATA}`,
      '--cluster.listen-address=',
      // An empty group is removed at once, so that a run does not depend on when the process began to look for them.
      '--dispatch.maintenance-interval=500ms',
    ]);
    const context: RoleContext = {
      env,
      log: new Log({
        level: 'info',
        format: 'logfmt',
        now: () => env.clock.now(),
        write: (line) => this.logs.push(line),
      }),
      registry: new Registry(),
      lock: () => () => {},
      variables: {},
      hostname: 'am',
    };
    this.#role = await assembleAlertmanager(context, values, { advertiseAddress: () => '' });
  }

  /** True when it answered 200, after which the alert must not be forgotten. */
  async post(group: string, name: string, endsAtMs: number): Promise<boolean> {
    const request = this.#client.env.net.request({
      method: 'POST',
      url: 'http://am:9093/api/v2/alerts',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([
        { labels: { alertname: 'A', group, name }, endsAt: new Date(endsAtMs).toISOString() },
      ]),
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    let status: number | null = null;
    const done = request.then(
      (answer) => {
        status = answer.status;
      },
      () => {
        status = 0;
      },
    );
    while (status === null) await this.advance(1);
    await done;
    return status === 200;
  }

  async #take(request: HttpRequest): Promise<HttpResponse> {
    if (!this.isReceiverUp) return { status: 503, headers: {}, body: 'not now' };
    const text = new TextDecoder().decode(await request.body(1_000_000));
    const { groupLabels, alerts } = JSON.parse(text) as HookBody;
    const named = (status: string): string[] =>
      alerts.filter((alert) => alert.status === status).map(({ labels }) => labels.name);
    this.messages.push({
      atMs: this.now,
      group: groupLabels.group,
      firing: named('firing'),
      resolved: named('resolved'),
    });
    return { status: 200, headers: {}, body: '' };
  }
}

/** What happens in a run; moments are pauses before it, ms. */
export type LoneStep =
  | { readonly kind: 'fire' | 'resolve'; readonly group: string; readonly name: string }
  | { readonly kind: 'kill' | 'power cut'; readonly downMs: number }
  | { readonly kind: 'receiver'; readonly isUp: boolean }
  | { readonly kind: 'disk fault'; readonly error: 'EIO' | 'ENOSPC'; readonly forMs: number }
  | { readonly kind: 'wait'; readonly ms: number };

/** The same steps for the same seed. */
export function randomSteps(
  seed: number,
  count: number,
  kinds: readonly LoneStep['kind'][],
): LoneStep[] {
  const random = new SeededRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[random.below(items.length)]!;
  const steps: LoneStep[] = [];
  for (let i = 0; i < count; i++) {
    const kind = pick(kinds);
    if (kind === 'fire' || kind === 'resolve') {
      steps.push({ kind, group: pick(['g', 'h']), name: pick(['a', 'b', 'c']) });
    } else if (kind === 'kill' || kind === 'power cut') {
      steps.push({ kind, downMs: pick([0, 500, 5_000, 70_000]) });
    } else if (kind === 'receiver') steps.push({ kind, isUp: random.below(2) === 0 });
    else if (kind === 'disk fault') {
      steps.push({ kind, error: pick(['EIO', 'ENOSPC']), forMs: pick([1_000, 12_000]) });
    } else steps.push({ kind, ms: 0 });
    steps.push({ kind: 'wait', ms: pick([10, 900, 2_500, 8_000, 20_000, 65_000]) });
  }
  return steps;
}
