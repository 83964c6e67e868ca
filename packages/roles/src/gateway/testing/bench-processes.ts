import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const PROGRAM = new URL('../../../../../bin/pollux', import.meta.url).pathname;

export type Running = { readonly name: string; readonly port: number; readonly pid: number };

/** Processes of one measurement, in a directory of their own; all end with {@link stop}. */
export class BenchProcesses {
  readonly directory: string;
  readonly #children: ChildProcess[] = [];

  constructor(name: string) {
    this.directory = mkdtempSync(path.join(tmpdir(), `pollux-${name}-`));
  }

  at(file: string): string {
    return path.join(this.directory, file);
  }

  write(file: string, text: string): string {
    writeFileSync(this.at(file), text);
    return this.at(file);
  }

  /** `http` is what stands in that block of its configuration. */
  async nginx(name: string, http: string): Promise<Running> {
    const port = await freePort();
    const at = (file: string): string => this.at(`${name}-${file}`);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const paths = temporary.map((kind) => `${kind}_temp_path ${at(kind)};`).join(' ');
    writeFileSync(
      at('conf'),
      `worker_processes 1; daemon off; pid ${at('pid')}; error_log ${at('log')};
       events { worker_connections 4096; }
       http { access_log off; keepalive_requests 1000000; ${paths} ${http.replace('PORT', String(port))} }`,
    );
    const args = ['-p', this.directory, '-c', at('conf'), '-e', at('log')];
    return this.#started(name, port, 'nginx', args);
  }

  /** A role of the built program; `args` gets the port it shall listen on. */
  async pollux(
    name: string,
    role: string,
    args: (port: number) => readonly string[],
  ): Promise<Running> {
    const port = await freePort();
    return this.#started(name, port, process.execPath, [PROGRAM, role, ...args(port)]);
  }

  /** As many processes of a role, which share a port by `node:cluster`. */
  async clustered(
    name: string,
    count: number,
    role: string,
    args: (port: number) => readonly string[],
  ): Promise<Running> {
    const port = await freePort();
    const primary = this.write(
      `${name}.cjs`,
      `const cluster = require('node:cluster');
cluster.setupPrimary({ exec: ${JSON.stringify(PROGRAM)}, args: process.argv.slice(2), silent: true });
for (let i = 0; i < ${count}; i++) cluster.fork();
process.once('SIGTERM', () => cluster.disconnect(() => process.exit()));
`,
    );
    return this.#started(name, port, process.execPath, [primary, role, ...args(port)]);
  }

  /** Runs `pollux` to its end. */
  async run(...args: string[]): Promise<void> {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' });
    const status = await new Promise((resolve) => child.once('exit', resolve));
    if (status !== 0) throw new Error(`pollux ${args.join(' ')} ended with ${status}`);
  }

  async stop(): Promise<void> {
    const ended = this.#children.map(
      (child) => new Promise((resolve) => child.once('exit', resolve)),
    );
    for (const child of this.#children) child.kill('SIGTERM');
    await Promise.all(ended);
    rmSync(this.directory, { recursive: true });
  }

  async #started(
    name: string,
    port: number,
    command: string,
    args: readonly string[],
  ): Promise<Running> {
    const child = spawn(command, args, { stdio: 'ignore' });
    this.#children.push(child);
    for (let left = 200; left > 0; left--) {
      const answer = await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => null);
      await answer?.arrayBuffer();
      if (answer?.ok === true) return { name, port, pid: child.pid ?? 0 };
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${name} does not answer`);
  }
}

/** Processor time of a process and its children so far. */
export function cpuSeconds(pid: number): number {
  const spawned = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const pids = [pid, ...spawned.split(' ').filter(Boolean).map(Number)];
  const ticks = pids.map((one) => {
    const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, value) => sum + value, 0) / 100;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}
