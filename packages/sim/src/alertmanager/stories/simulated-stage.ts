import { OperatingError } from '@pollux/base';
import type { RunningRole } from '@pollux/roles';
import { type SimHost, SimWorld } from '../../sim-world.ts';
import { hostName, names } from '../cluster/cluster-plan.ts';
import { API_PORT, startMember } from '../simulated-member.ts';
import { configOf, type Stage, storyName } from './stage.ts';
import type { Story } from './story.ts';
import { type Told, toldBy } from './told.ts';

const HOOK_PORT = 8060;
/** A member alone looks for others for 15 s before it begins to settle. */
const SETTLE_MS = 26_000;
const MAX_BODY_BYTES = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 2_000;

/** A cluster of whole alertmanagers on the simulated network and the virtual clock, with gossip, for stories. */
export class SimulatedStage implements Stage {
  readonly members: number;
  /** What members logged. */
  readonly logs: string[] = [];
  readonly #world: SimWorld;
  readonly #hosts: readonly SimHost[];
  readonly #hook: SimHost;
  readonly #broken = new Set<string>();
  readonly #told = new Map<string, Told[]>();
  readonly #config: string;
  #roles: readonly RunningRole[] = [];
  #beganMs = 0;

  private constructor(members: number, stories: readonly Story[]) {
    this.members = members;
    this.#world = new SimWorld({ seed: members });
    this.#hosts = names('m', members).map((name) => this.#world.addHost(name));
    this.#hook = this.#world.addHost('hook');
    this.#config = configOf(stories, `http://hook:${HOOK_PORT}`);
  }

  /** A stage whose cluster has settled; the stories begin now. */
  static async open(members: number, stories: readonly Story[]): Promise<SimulatedStage> {
    const stage = new SimulatedStage(members, stories);
    await stage.#open();
    return stage;
  }

  nowS(): number {
    return (this.#world.clock.now() - this.#beganMs) / 1_000;
  }

  /** Somebody else has to move time: see {@link advance}. */
  waitUntil(atS: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.clock.after(Math.max(0, atS - this.nowS()) * 1_000, resolve);
    });
  }

  timeOf(atS: number): string {
    return new Date(this.#beganMs + atS * 1_000).toISOString();
  }

  async ask(
    member: number,
    { method, path, body }: { method: string; path: string; body?: unknown },
  ): Promise<unknown> {
    const answer = await this.#hook.env.net.request({
      method,
      url: `http://${hostName('m', member)}:${API_PORT}/api/v2${path}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body) ?? '',
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    const text = new TextDecoder().decode(answer.body);
    if (answer.status < 300) return text === '' ? null : JSON.parse(text);
    throw new OperatingError('SIM.REFUSED', `${path}: ${answer.status} ${text}`);
  }

  setHook(story: number, hook: string, isWell: boolean): void {
    if (isWell) this.#broken.delete(`${story}/${hook}`);
    else this.#broken.add(`${story}/${hook}`);
  }

  async reload(): Promise<void> {
    for (const role of this.#roles) await role.reload();
  }

  told(story: number): readonly Told[] {
    return this.#told.get(storyName(story)) ?? [];
  }

  /** Moves time until the work is done. */
  async advance<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    // The rejection is the caller's.
    done.catch(() => {});
    while (!isDone) await this.#world.advance(50);
    return done;
  }

  async close(): Promise<void> {
    await this.advance(Promise.all(this.#roles.map((role) => role.close())));
  }

  async #open(): Promise<void> {
    const at = { host: this.#hook.ip, port: HOOK_PORT };
    const options = { at, maxConnections: 999, readTimeoutMs: 5_000 };
    await this.#hook.env.net.serveHttp(options, async (request) => {
      const [, story = '', hook = ''] = request.target.split('/');
      if (this.#broken.has(`${story}/${hook}`)) return { status: 503 };
      const body = new TextDecoder().decode(await request.body(MAX_BODY_BYTES));
      const name = storyName(Number(story));
      const message = toldBy(body, hook, this.#world.clock.now(), this.#beganMs);
      this.#told.set(name, [...(this.#told.get(name) ?? []), message]);
      return { status: 200 };
    });
    const starting = this.#hosts.map((host) =>
      startMember(host, {
        config: this.#config,
        peers: this.#hosts.map(({ name }) => name),
        flags: [],
        onLog: (line) => this.logs.push(line),
      }),
    );
    this.#roles = await this.advance(Promise.all(starting));
    await this.#world.advance(SETTLE_MS);
    this.#beganMs = this.#world.clock.now();
  }
}
