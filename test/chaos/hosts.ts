import { rmSync } from 'node:fs';
import { type Env, errorText, sleep } from '@pollux/base';
import { type Command, HOSTS, type HostName, Supervisor, untilReady } from '@pollux/roles/up';
import type { Isolation } from './isolation.ts';
import type { PlannedFault } from './plan.ts';
import type { FaultKind, PlayedFault, Span } from './record.ts';
import type { SetUp } from './set-up.ts';
import type { Targets } from './targets.ts';

const KEPT_LOG_LINES = 20_000;
const RECOVERY_TIMEOUT_MS = 120_000;
/** A host's parts settle before a deployment goes on to the other. */
const BETWEEN_HOSTS_MS = 10_000;

/** Processes that such a fault names can be asked all the same, or are each away for a time of their own. */
const STAYS_UP: readonly FaultKind[] = ['cut-link', 'partition', 'deploy'];

/** The two hosts: all their processes, and what is done to them. Notes when which process could not answer. */
export class Hosts {
  readonly logs: string[] = [];
  readonly #env: Env;
  readonly #setUp: SetUp;
  readonly #targets: Targets;
  readonly #supervisors: Readonly<Record<HostName, Supervisor>>;
  readonly #isolation: Isolation | null;
  readonly #outages = new Map<string, Span[]>();
  readonly #wiped: Record<HostName, number[]> = { A: [], B: [] };
  readonly #beforeWipe: (host: HostName) => Promise<void>;

  /** `beforeWipe` may still look at what a server has. */
  constructor(
    env: Env,
    setUp: SetUp,
    {
      targets,
      isolation,
      beforeWipe,
    }: {
      readonly targets: Targets;
      readonly isolation: Isolation | null;
      readonly beforeWipe: (host: HostName) => Promise<void>;
    },
  ) {
    this.#beforeWipe = beforeWipe;
    this.#env = env;
    this.#setUp = setUp;
    this.#targets = targets;
    this.#isolation = isolation;
    const supervise = (host: HostName): Supervisor =>
      new Supervisor({
        clock: env.clock,
        program: [...(isolation?.enter(host) ?? []), ...setUp.program],
        commands: setUp.commands.filter(({ name }) => hostOf(name) === host),
        onLine: (name, line) => {
          this.logs.push(`${new Date(env.clock.now()).toISOString()} ${name} | ${line}`);
          if (this.logs.length > KEPT_LOG_LINES) this.logs.shift();
        },
        restarts: false,
      });
    this.#supervisors = { A: supervise('A'), B: supervise('B') };
  }

  get outages(): Readonly<Record<string, readonly Span[]>> {
    return Object.fromEntries(this.#outages);
  }

  get wiped(): Readonly<Record<HostName, readonly number[]>> {
    return this.#wiped;
  }

  async start(): Promise<void> {
    for (const { name } of this.#setUp.commands) this.#of(name).start(name);
    await this.#ready(this.#setUp.commands);
    await this.#setUp.prepare();
  }

  async stop(): Promise<void> {
    await Promise.all(HOSTS.map((host) => this.#supervisors[host].stopAll()));
  }

  /** Does the damage, waits, takes it back, and waits until everything answers. */
  async play(fault: PlannedFault): Promise<PlayedFault> {
    const hit = this.#hit(fault);
    if (fault.kind === 'wiped-disk') await this.#beforeWipe(fault.host);
    const fromMs = this.#env.clock.now();
    const downs = STAYS_UP.includes(fault.kind) ? [] : hit;
    await this.#during(downs, async () => {
      await this.#damage(fault, hit);
      if (fault.kind !== 'deploy') await sleep(this.#env.clock, fault.durationMs);
      this.#mend(fault, hit);
      await this.#ready(hit);
    });
    const endedMs = fault.kind === 'deploy' ? this.#env.clock.now() : fromMs + fault.durationMs;
    return {
      kind: fault.kind,
      host: fault.host,
      processes: fault.kind === 'cut-link' ? [] : hit.map(({ name }) => name),
      fromMs,
      endedMs,
      recoveredMs: this.#env.clock.now(),
    };
  }

  /** The processes of a fault, as far as the set-up has them. */
  #hit({ kind, host, role }: PlannedFault): readonly Command[] {
    const { commands } = this.#setUp;
    const ofHost = commands.filter(({ name }) => name.startsWith(`${host}/`));
    switch (kind) {
      case 'kill-process':
      case 'pause-process':
        return ofHost.filter(({ name }) => name === `${host}/${role}`);
      case 'wiped-disk':
        return ofHost.filter(({ name }) => name === `${host}/server`);
      case 'kill-host':
      case 'silent-host':
      case 'cut-host':
      case 'full-disk':
        return ofHost;
      case 'deploy':
      case 'partition':
        return commands;
      case 'cut-link':
        return [];
    }
  }

  async #damage({ kind, host }: PlannedFault, hit: readonly Command[]): Promise<void> {
    switch (kind) {
      case 'kill-process':
      case 'kill-host':
        await Promise.all(hit.map(({ name }) => this.#of(name).stop(name, 'SIGKILL')));
        return;
      case 'wiped-disk':
        await Promise.all(hit.map(({ name }) => this.#of(name).stop(name, 'SIGKILL')));
        rmSync(this.#setUp.serverData[host], { recursive: true, force: true });
        this.#wiped[host].push(this.#env.clock.now());
        return;
      case 'pause-process':
      case 'silent-host':
        for (const { name } of hit) this.#of(name).signal(name, 'SIGSTOP');
        return;
      case 'cut-link':
        this.#targets.cut(host);
        return;
      case 'cut-host':
        this.#isolated.cut(host);
        return;
      case 'partition':
        this.#isolated.part();
        return;
      case 'full-disk':
        this.#isolated.fill(host);
        return;
      case 'deploy':
        for (const at of [host, ...HOSTS.filter((other) => other !== host)])
          await this.#restart(hit.filter(({ name }) => name.startsWith(`${at}/`)));
    }
  }

  #mend({ kind, host }: PlannedFault, hit: readonly Command[]): void {
    switch (kind) {
      case 'kill-process':
      case 'kill-host':
      case 'wiped-disk':
        for (const { name } of hit) this.#of(name).start(name);
        return;
      case 'pause-process':
      case 'silent-host':
        for (const { name } of hit) this.#of(name).signal(name, 'SIGCONT');
        return;
      case 'cut-link':
        this.#targets.mend(host);
        return;
      case 'cut-host':
        this.#isolated.mend(host);
        return;
      case 'partition':
        this.#isolated.join();
        return;
      case 'full-disk':
        this.#isolated.makeRoom(host);
        return;
      case 'deploy':
        return;
    }
  }

  /** All parts of a host, in good order. */
  async #restart(commands: readonly Command[]): Promise<void> {
    await this.#during(commands, async () => {
      await Promise.all(commands.map(({ name }) => this.#of(name).stop(name)));
      for (const { name } of commands) this.#of(name).start(name);
      await this.#ready(commands);
    });
    await sleep(this.#env.clock, BETWEEN_HOSTS_MS);
  }

  get #isolated(): Isolation {
    if (this.#isolation === null) throw new RangeError('hosts have no network of their own');
    return this.#isolation;
  }

  #of(name: string): Supervisor {
    return this.#supervisors[hostOf(name)];
  }

  async #during(commands: readonly Command[], work: () => Promise<void>): Promise<void> {
    const fromMs = this.#env.clock.now();
    await work();
    for (const { name } of commands) {
      const list = this.#outages.get(name) ?? [];
      list.push({ fromMs, toMs: this.#env.clock.now() });
      this.#outages.set(name, list);
    }
  }

  async #ready(commands: readonly Command[]): Promise<void> {
    try {
      await untilReady(this.#env, commands, new AbortController().signal, RECOVERY_TIMEOUT_MS);
    } catch (error) {
      throw new Error(`${errorText(error)}\n${this.logs.slice(-60).join('\n')}`, { cause: error });
    }
  }
}

function hostOf(process: string): HostName {
  const host = HOSTS.find((name) => process.startsWith(`${name}/`));
  if (host === undefined) throw new RangeError(`${process} is on no host`);
  return host;
}
