import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../soak/child-process.ts';

const PROGRAM = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../bin/pollux');

/** The real Alertmanager that clusters are tested with: Debian's, or another build named by the variable. */
export const REAL_ALERTMANAGER = process.env.POLLUX_TEST_ALERTMANAGER ?? 'prometheus-alertmanager';

export function isRealInstalled(): boolean {
  return spawnSync(REAL_ALERTMANAGER, ['--version']).error === undefined;
}

export type MemberKind = 'ours' | 'real';

export type MemberOptions = {
  readonly kind: MemberKind;
  /** Where its configuration and its data lie; both survive a restart. */
  readonly directory: string;
  /** The text of alertmanager.yml. */
  readonly config: string;
  readonly webPort: number;
  readonly clusterPort: number;
  /** Cluster ports of members to join. */
  readonly peerPorts: readonly number[];
  /** Further flags. */
  readonly flags?: readonly string[];
};

export type ClusterStatus = {
  readonly status: string;
  readonly name: string;
  readonly peers: readonly { readonly name: string; readonly address: string }[];
};

export type SilenceView = {
  readonly id: string;
  readonly comment: string;
  readonly status: { readonly state: string };
  readonly matchers: readonly unknown[];
};

/** One member of a cluster as a process of its own on loopback: ours or a real Alertmanager, with the same flags. */
export class Member {
  readonly kind: MemberKind;
  readonly url: string;
  readonly options: MemberOptions;
  /** Of this start and the ones before. */
  readonly lines: string[] = [];
  #child: Child | null = null;

  constructor(options: MemberOptions) {
    this.kind = options.kind;
    this.options = options;
    this.url = `http://127.0.0.1:${options.webPort}`;
  }

  /** Starts it, also again, and waits until it answers. */
  async start(): Promise<void> {
    const { directory, config, webPort, clusterPort, peerPorts, flags = [], kind } = this.options;
    mkdirSync(directory, { recursive: true });
    const file = path.join(directory, 'alertmanager.yml');
    writeFileSync(file, config);
    const args = [
      `--config.file=${file}`,
      `--storage.path=${path.join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${webPort}`,
      `--cluster.listen-address=127.0.0.1:${clusterPort}`,
      ...peerPorts.map((port) => `--cluster.peer=127.0.0.1:${port}`),
      ...flags,
    ];
    const [command, first] =
      kind === 'real' ? [REAL_ALERTMANAGER, []] : [process.execPath, [PROGRAM, 'alertmanager']];
    this.#child = new Child(command, [...first, ...args], (line) => this.lines.push(line));
    await this.#child.ready(this.url);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  /** Ends it in order; gives its exit status. */
  async stop(): Promise<number | null> {
    const status = (await this.#child?.stop()) ?? null;
    this.#child = null;
    return status;
  }

  /** Lines logged since `from` that match. */
  logged(pattern: RegExp, from = 0): string[] {
    return this.lines.slice(from).filter((line) => pattern.test(line));
  }

  async get<T>(target: string): Promise<T> {
    const response = await this.#fetch(target);
    if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async post<T>(target: string, body: unknown): Promise<T> {
    const response = await fetch(`${this.url}${target}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${target}: ${response.status} ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  }

  /** Once more when a kept connection was closed by the other side in this moment. */
  #fetch(target: string): Promise<Response> {
    const ask = (): Promise<Response> =>
      fetch(`${this.url}${target}`, { signal: AbortSignal.timeout(5_000) });
    return ask().catch(ask);
  }

  async cluster(): Promise<ClusterStatus> {
    return (await this.get<{ cluster: ClusterStatus }>('/api/v2/status')).cluster;
  }

  async silences(): Promise<readonly SilenceView[]> {
    return this.get('/api/v2/silences');
  }

  /** The sum of a metric over its labels; 0 when there is none. */
  async metric(name: string): Promise<number> {
    const response = await this.#fetch('/metrics');
    let sum = 0;
    for (const line of (await response.text()).split('\n')) {
      if (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) {
        sum += Number(line.slice(line.lastIndexOf(' ') + 1));
      }
    }
    return sum;
  }
}

/** Asks until it is so. Rejects with `what` after `timeoutMs`. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  let last = 'not so';
  for (;;) {
    try {
      if (await isSo()) return;
    } catch (error) {
      last = String(error);
    }
    if (Date.now() > endMs) throw new Error(`${what}: not within ${timeoutMs} ms (${last})`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
