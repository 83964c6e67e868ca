import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const PROGRAM = path.join(ROOT, 'bin', 'pollux');
/** Generous: the machine may be busy with other suites. */
const READY_TIMEOUT_MS = 45_000;
const END_TIMEOUT_MS = 45_000;

export type Variables = Readonly<Record<string, string>>;

/** How a process ended; `status` is null after a signal. */
export type Ended = {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the request to end, or from the start, to the end. */
  readonly tookMs: number;
};

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
};

/** A directory below the system's temporary one. */
export class Scratch {
  readonly path = mkdtempSync(path.join(tmpdir(), 'pollux-system-'));

  /** Writes a file, with the folders on its way, and returns its path. */
  file(name: string, text: string): string {
    const file = this.at(name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  at(name: string): string {
    return path.join(this.path, name);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Of 127.0.0.1, for a role that others must know before it runs. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs the program until it ends by itself. */
export function runToEnd(args: readonly string[], variables: Variables = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const child = spawnProgram(args, variables);
    const output = collect(child);
    const cut = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
    child.once('error', reject);
    child.once('close', (status) => {
      clearTimeout(cut);
      resolve({ status, ...output, tookMs: performance.now() - startMs });
    });
  });
}

/** A role as a process of its own that has said it is ready. */
export class RunningRole {
  readonly url: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #output: { readonly stdout: string; readonly stderr: string };
  readonly #ended: Promise<number | null>;

  private constructor(
    url: string,
    child: ChildProcess,
    output: { readonly stdout: string; readonly stderr: string },
    ended: Promise<number | null>,
  ) {
    this.url = url;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.#output = output;
    this.#ended = ended;
  }

  /** Starts `pollux ROLE …` and waits for its ready line, whose address it takes. */
  static async start(args: readonly string[], variables: Variables = {}): Promise<RunningRole> {
    const child = spawnProgram(args, variables);
    const output = collect(child);
    const ended = new Promise<number | null>((resolve) => {
      child.once('close', resolve);
    });
    const cut = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS);
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr?.on('data', () => {
        const found = readyLine(output.stderr);
        if (found !== null) resolve(found);
      });
      child.once('error', reject);
      child.once('close', () => reject(new Error(`${args.join(' ')} ended:\n${output.stderr}`)));
    });
    clearTimeout(cut);
    return new RunningRole(url, child, output, ended);
  }

  /** Everything it has logged. */
  get log(): string {
    return this.#output.stderr;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks it to end and waits until it has. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    const startMs = performance.now();
    const cut = setTimeout(() => this.#child.kill('SIGKILL'), END_TIMEOUT_MS);
    this.#child.kill(signal);
    const status = await this.#ended;
    clearTimeout(cut);
    return { status, ...this.#output, tookMs: performance.now() - startMs };
  }

  async get(target: string): Promise<Answer> {
    return answerOf(await fetch(this.url + target, { signal: AbortSignal.timeout(20_000) }));
  }

  async post(
    target: string,
    body: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const signal = AbortSignal.timeout(20_000);
    const sent = typeof body === 'string' ? body : new Uint8Array(body);
    return answerOf(
      await fetch(this.url + target, { method: 'POST', body: sent, headers, signal }),
    );
  }

  /** The `result` of an instant query, as label sets with their values. */
  async query(expression: string): Promise<{ metric: Variables; value: [number, string] }[]> {
    const answer = await this.get(`/api/v1/query?query=${encodeURIComponent(expression)}`);
    if (answer.status !== 200) throw new Error(`query ${expression}: ${answer.text}`);
    return JSON.parse(answer.text).data.result;
  }

  /** A sample of its own metrics. */
  async metric(name: string): Promise<number | null> {
    const { text } = await this.get('/metrics');
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
    return line === undefined ? null : Number(line.slice(name.length + 1));
  }
}

/** Asks until `check` gives something; what it throws counts as not yet, until the time is over. */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  check: () => Promise<T | null>,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let why: unknown = 'not yet';
    try {
      const found = await check();
      if (found !== null) return found;
    } catch (error) {
      why = error;
    }
    if (performance.now() > endMs) {
      throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: why });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function spawnProgram(args: readonly string[], variables: Variables): ChildProcess {
  if (!existsSync(path.join(ROOT, 'apps', 'pollux', 'dist', 'main.js'))) {
    throw new Error('the program is not built; run: npm run build');
  }
  // As a user starts it, by the shell's line in it.
  return spawn(PROGRAM, args, {
    // The child ends when this pipe does: a test run that is killed leaves no orphans.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...variables, POLLUX_SUPERVISED: '1' },
  });
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
    });
  }
  return output;
}

function readyLine(log: string): string | null {
  const match = /msg=ready role=\S+ address=(\S+)$|"msg":"ready".*"address":"([^"]+)"/m.exec(log);
  return match?.[1] ?? match?.[2] ?? null;
}
