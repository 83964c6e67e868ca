import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText, type Random, sleep } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import {
  addressOf,
  type Command,
  findLayout,
  HOSTS,
  type HostName,
  type Layout,
  pairCommands,
  programPath,
  type RenderedPair,
  renderPair,
  Supervisor,
  untilReady,
} from '@pollux/roles/up';

/** What the configuration in `pair/` says, ms. */
export const SCRAPE_MS = 1_000;
export const LOOKBACK_MS = 10_000;
export const GROUP_WAIT_MS = 2_000;
export const GROUP_INTERVAL_MS = 10_000;
export const PEER_TIMEOUT_MS = 5_000;
export const FOR_MS = 3_000;
/** After a message nothing further may come for so long. */
export const QUIET_MS = GROUP_WAIT_MS + 2 * PEER_TIMEOUT_MS + GROUP_INTERVAL_MS;

const KEPT_LOG_LINES = 4_000;

type ExtraArguments = Readonly<Record<string, readonly string[]>>;
export type SinkMessage = { readonly receivedAtMs: number; readonly text: string };

/** A promise of the drill was broken; the message says which. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
}

export function promise(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BrokenPromise(what);
}

/** The pair as real processes on free ports, and the ways to look at it and to break it. */
export class World {
  readonly env = nodeEnv();
  readonly random: Random;
  readonly layout: Layout;
  readonly pair: RenderedPair;
  readonly commands: readonly Command[];
  readonly logs: string[] = [];
  readonly #supervisor: Supervisor;

  private constructor(random: Random, layout: Layout, pair: RenderedPair, extra: ExtraArguments) {
    this.random = random;
    this.layout = layout;
    this.pair = pair;
    this.commands = pairCommands({
      layout,
      pair,
      extra: {
        ...extra,
        server: [
          `--query.lookback-delta=${LOOKBACK_MS}ms`,
          '--rules.alert.resend-delay=5s',
          ...(extra.server ?? []),
        ],
      },
    });
    this.#supervisor = new Supervisor({
      clock: this.env.clock,
      program: [process.execPath, programPath()],
      commands: this.commands,
      onLine: (name, line) => {
        this.logs.push(`${name} | ${line}`);
        if (this.logs.length > KEPT_LOG_LINES) this.logs.shift();
      },
      restarts: false,
    });
  }

  /** `extra`: further arguments of a role, as `server: ['--log.level=debug']`. */
  static async start(random: Random, extra: ExtraArguments = {}): Promise<World> {
    const layout = await findLayout(true);
    const examples = path.join(path.dirname(fileURLToPath(import.meta.url)), 'pair');
    const directory = mkdtempSync(path.join(tmpdir(), 'pollux-drill-'));
    const world = new World(random, layout, renderPair(examples, directory, layout), extra);
    world.#supervisor.startAll();
    await world.ready();
    return world;
  }

  async end(): Promise<void> {
    await this.#supervisor.stopAll();
    await this.env.net.close();
    rmSync(this.pair.directory, { recursive: true, force: true });
  }

  /** One of the two, drawn from the seed. */
  anyHost(): HostName {
    return HOSTS[this.random.below(2)] ?? 'A';
  }

  other(host: HostName): HostName {
    return host === 'A' ? 'B' : 'A';
  }

  now(): number {
    return this.env.clock.now();
  }

  sleep(durationMs: number): Promise<void> {
    return sleep(this.env.clock, durationMs);
  }

  start(name: string): void {
    this.#supervisor.start(name);
  }

  stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return this.#supervisor.stop(name, signal);
  }

  /** The process id, or null while it is down. */
  pid(name: string): number | null {
    return this.#supervisor.pid(name);
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.#supervisor.signal(name, signal);
  }

  /** Waits until the named processes (all by default) answer. */
  ready(...names: readonly string[]): Promise<void> {
    const wanted = this.commands.filter(({ name }) => names.length === 0 || names.includes(name));
    return untilReady(this.env, wanted, new AbortController().signal);
  }

  url(name: string): string {
    const command = this.commands.find((candidate) => candidate.name === name);
    if (command === undefined) throw new RangeError(`no process ${name}`);
    return `http://${command.address}`;
  }

  target(host: HostName): string {
    return addressOf(this.layout, 'node-exporter', host);
  }

  /** Where an alertmanager of the pair gossips. */
  gossipAddress(host: HostName): string {
    return addressOf(this.layout, 'gossip', host);
  }

  dataOf(name: `${HostName}/${'server' | 'alertmanager' | 'store'}`): string {
    const [host = 'A', role = ''] = name.split('/');
    return path.join(this.pair.hosts[host as HostName].data, role);
  }

  wipe(name: `${HostName}/${'server' | 'alertmanager' | 'store'}`): void {
    rmSync(this.dataOf(name), { recursive: true, force: true });
  }

  /** GET or POST; the JSON of a 2xx answer. */
  async json<T>(
    url: string,
    body?: unknown,
    method = body === undefined ? 'GET' : 'POST',
    timeoutMs = 5_000,
  ): Promise<T> {
    const response = await this.env.net.request({
      method,
      url,
      timeoutMs,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = new TextDecoder().decode(response.body);
    if (response.status >= 300)
      throw new BrokenPromise(`${method} ${url}: ${response.status} ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  }

  async messages(): Promise<readonly SinkMessage[]> {
    const list = await this.json<readonly { receivedAt: number; body: unknown }[]>(
      `${this.url('sink')}/messages`,
    );
    return list.map(({ receivedAt, body }) => ({
      receivedAtMs: receivedAt,
      text: JSON.stringify(body),
    }));
  }

  /** Asks until `check` gives something; a failing question counts as not yet. Breaks the promise `what` after `timeoutMs`. */
  async eventually<T>(what: string, timeoutMs: number, check: () => Promise<T | null>): Promise<T> {
    const endMs = this.env.clock.monotonic() + timeoutMs;
    let last = '';
    for (;;) {
      try {
        const found = await check();
        if (found !== null) return found;
        last = 'not yet';
      } catch (error) {
        last = errorText(error);
      }
      if (this.env.clock.monotonic() > endMs) {
        throw new BrokenPromise(`${what}: not within ${timeoutMs} ms (${last})`);
      }
      await this.sleep(100);
    }
  }
}
