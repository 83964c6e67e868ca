import { type Env, sleep } from '@pollux/base';
import { HOSTS, type HostName } from '@pollux/roles/up';
import type { Lacking, Span } from './record.ts';
import type { SetUp } from './set-up.ts';

const POLL_MS = 1_000;
const TIMEOUT_MS = 900;

/** What servers say that they lack, looked at each second. */
export class LackingWatch {
  readonly seen: Readonly<Record<HostName, Lacking[]>> = { A: [], B: [] };
  readonly #env: Env;
  readonly #setUp: SetUp;

  constructor(env: Env, setUp: SetUp) {
    this.#env = env;
    this.#setUp = setUp;
  }

  async watchUntil(endMs: number, signal: AbortSignal): Promise<void> {
    const path = this.#setUp.coveragePath;
    if (path === null) return;
    await Promise.all(HOSTS.map((host) => this.#watch(host, path, { endMs, signal })));
  }

  async #watch(
    host: HostName,
    path: string,
    { endMs, signal }: { readonly endMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { clock } = this.#env;
    const command = this.#setUp.commands.find(({ name }) => name === `${host}/server`);
    if (command === undefined) throw new RangeError(`host ${host} has no server`);
    while (clock.now() < endMs) {
      await this.#poll(host, `http://${command.address}${path}`);
      await sleep(clock, POLL_MS, signal);
    }
  }

  async #poll(host: HostName, url: string): Promise<void> {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const { since, serverGaps } = (await response.json()) as {
        readonly since: number;
        readonly serverGaps: readonly number[];
      };
      const gaps: Span[] = [{ fromMs: 0, toMs: since }];
      for (let i = 0; i + 1 < serverGaps.length; i += 2)
        gaps.push({ fromMs: serverGaps[i] ?? 0, toMs: serverGaps[i + 1] ?? 0 });
      const list = this.seen[host];
      // Known from now on, as after an answer; not from when it was asked.
      const atMs = this.#env.clock.now();
      if (JSON.stringify(list.at(-1)?.gaps) !== JSON.stringify(gaps)) list.push({ atMs, gaps });
    } catch {
      // A server that is down says nothing; nobody expects an answer of it then.
    }
  }
}
