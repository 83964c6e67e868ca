import { type ChildProcess, spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';

const STOP_TIMEOUT_MS = 15_000;
const READY_TIMEOUT_MS = 60_000;

/** A server under test and what it printed. */
export class Child {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  /** `onLine` is told each line at once. */
  constructor(command: string, args: readonly string[], onLine?: (line: string) => void) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        this.lines.push(...lines);
        if (onLine !== undefined) for (const line of lines) onLine(line);
      });
    }
    this.#ended = new Promise((resolve) => {
      // After its last line, not only after its end.
      child.once('close', (code) => resolve(code));
      child.once('error', (error) => {
        this.lines.push(error.message);
        resolve(null);
      });
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits until `base`/-/ready is answered well. */
  async ready(base: string): Promise<void> {
    const endMs = Date.now() + READY_TIMEOUT_MS;
    while (Date.now() < endMs && this.#child.exitCode === null) {
      const isReady = await fetch(`${base}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`${base} is not ready:\n${this.lines.slice(-30).join('\n')}`);
  }

  /** Asks it to end; gives its exit status, or null when it had to be killed. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const status = await this.#ended;
    clearTimeout(kill);
    return status;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
