import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '@pollux/base';
import type { Command } from './commands.ts';

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 10_000;
/** A process that ran this long is taken to have been well; its next fall starts the back-off anew. */
const WELL_AFTER_MS = 30_000;
const STOP_TIMEOUT_MS = 11_000;

/**
 * Keeps glibc from holding freed memory: its thresholds otherwise rise with the largest block ever freed, and each thread may
 * get an arena of its own. Blocks of 32 KiB and more are mapped one by one and given back at once, so that the 64 KiB pages and
 * windows of checkpoints, merges and compression leave no holes in the heap. MMAP_MAX stays far below the kernel's 65,530
 * maps a process. Measured over five head truncations of a pair at 1 s scrapes: servers grew by up to 2.6 % a cycle after the
 * second without these. Read only at a process' start; ignored by other C libraries.
 */
const MALLOC: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '32768',
  MALLOC_MMAP_MAX_: '16384',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

type Entry = {
  readonly command: Command;
  child: ChildProcess | null;
  backoffMs: number;
  startedMs: number;
  restarts: number;
  /** False while somebody wants it to stay down. */
  isWanted: boolean;
};

export type SupervisorOptions = {
  readonly clock: Clock;
  /** Node's own path and the program's script. */
  readonly program: readonly string[];
  readonly commands: readonly Command[];
  /** Takes one line of a process' log. */
  readonly onLine: (name: string, line: string) => void;
  /** When false a process that ends stays down: drills restart by hand. */
  readonly restarts: boolean;
};

/** Starts processes, prefixes their logs, starts them again with back-off when they end, and stops all of them. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #entries: ReadonlyMap<string, Entry>;
  #isStopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#entries = new Map(
      options.commands.map((command) => [
        command.name,
        {
          command,
          child: null,
          backoffMs: FIRST_BACKOFF_MS,
          startedMs: 0,
          restarts: 0,
          isWanted: false,
        },
      ]),
    );
  }

  startAll(): void {
    for (const name of this.#entries.keys()) this.start(name);
  }

  start(name: string): void {
    const entry = this.#entry(name);
    entry.isWanted = true;
    if (entry.child === null && !this.#isStopping) this.#spawn(entry);
  }

  /** The process id, or null while it is down. */
  pid(name: string): number | null {
    return this.#entry(name).child?.pid ?? null;
  }

  /** Sends a signal; SIGKILL, SIGSTOP and SIGCONT leave it wanted. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.#entry(name).child?.kill(signal);
  }

  /** Ends one process and keeps it down. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const entry = this.#entry(name);
    entry.isWanted = false;
    await this.#end(entry, signal);
  }

  /** Ends everything, in reverse order of the commands' kinds at once; what does not end in time is killed. */
  async stopAll(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#entries.values()].map((entry) => this.#end(entry, 'SIGTERM')));
  }

  #spawn(entry: Entry): void {
    const { command } = entry;
    const [node = '', ...script] = this.#options.program;
    const child = spawn(node, [...script, command.role, ...command.args], {
      // The child ends when this pipe does: even kill -9 of the supervisor leaves no orphans.
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...MALLOC, ...process.env, ...command.environment, POLLUX_SUPERVISED: '1' },
      // Ctrl-C in the terminal must reach this process only: it stops the others in good order.
      detached: true,
    });
    entry.child = child;
    entry.startedMs = this.#options.clock.monotonic();
    for (const stream of [child.stdout, child.stderr]) this.#follow(command.name, stream);
    child.once('error', (error) => {
      this.#options.onLine(command.name, `cannot start: ${error.message}`);
      // A process that never was has no exit to tell of.
      if (child.pid === undefined) this.#ended(entry, 'a failed start');
    });
    child.once('exit', (code, signal) =>
      this.#ended(entry, signal === null ? `status ${code}` : signal),
    );
  }

  #ended(entry: Entry, how: string): void {
    const { clock, onLine, restarts } = this.#options;
    const { name } = entry.command;
    entry.child = null;
    if (this.#isStopping || !entry.isWanted) return;
    if (!restarts) {
      onLine(name, `ended by ${how}`);
      return;
    }
    if (clock.monotonic() - entry.startedMs > WELL_AFTER_MS) entry.backoffMs = FIRST_BACKOFF_MS;
    const waitMs = entry.backoffMs;
    entry.backoffMs = Math.min(MAX_BACKOFF_MS, entry.backoffMs * 2);
    entry.restarts++;
    onLine(name, `ended by ${how}; starting again in ${waitMs} ms`);
    clock.after(waitMs, () => {
      if (entry.isWanted && entry.child === null && !this.#isStopping) this.#spawn(entry);
    });
  }

  #follow(name: string, stream: NodeJS.ReadableStream): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#options.onLine(name, line);
    });
    stream.on('end', () => {
      if (rest !== '') this.#options.onLine(name, rest);
    });
  }

  #end(entry: Entry, signal: NodeJS.Signals): Promise<void> {
    const { child } = entry;
    if (child === null) return Promise.resolve();
    return new Promise((resolve) => {
      const kill = this.#options.clock.after(STOP_TIMEOUT_MS, () => child.kill('SIGKILL'));
      child.once('exit', () => {
        kill.cancel();
        resolve();
      });
      // A stopped process takes no SIGTERM until it goes on.
      child.kill('SIGCONT');
      child.kill(signal);
    });
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new RangeError(`no process ${name}`);
    return entry;
  }
}
