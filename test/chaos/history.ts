import { type Env, sleep } from '@pollux/base';
import { Matcher } from '@pollux/model';
import { HOSTS, type HostName } from '@pollux/roles/up';
import { Dump } from '../drill/dump.ts';
import type { Point } from './record.ts';
import type { SetUp } from './set-up.ts';
import { TARGETS } from './targets.ts';

/** A store that is behind by less has caught up: its writers send every half second, five at most. */
const CAUGHT_UP_MS = 8_000;
const CATCH_UP_TIMEOUT_MS = 60_000;

/** What servers and stores hold in the end, read over the wire. */
export class History {
  readonly #env: Env;
  readonly #setUp: SetUp;
  readonly #fromMs: number;
  readonly #samples: Record<HostName, Point[]> = { A: [], B: [] };

  constructor(env: Env, setUp: SetUp, fromMs: number) {
    this.#env = env;
    this.#setUp = setUp;
    this.#fromMs = fromMs;
  }

  /** What the servers have, and had when {@link keep} was called. */
  async samples(): Promise<Readonly<Record<HostName, readonly Point[]>>> {
    for (const host of HOSTS) await this.keep(host);
    return this.#samples;
  }

  async keep(host: HostName): Promise<void> {
    const command = this.#setUp.commands.find(({ name }) => name === `${host}/server`);
    if (command === undefined) return;
    this.#samples[host].push(...(await this.#read(`http://${command.address}/api/v1/read`)));
  }

  /** Times of samples up to now, once each store has caught up or had its time to. */
  async stored(): Promise<Record<string, readonly number[] | null>> {
    const untilMs = this.#env.clock.now();
    const endMs = this.#env.clock.monotonic() + CATCH_UP_TIMEOUT_MS;
    const stored: Record<string, readonly number[] | null> = {};
    for (const [name, url] of Object.entries(this.#setUp.stores)) {
      for (;;) {
        const times = await this.#times(url);
        stored[name] = times;
        const newestMs = times?.reduce((most, at) => Math.max(most, at), 0) ?? 0;
        if (newestMs > untilMs - CAUGHT_UP_MS || this.#env.clock.monotonic() > endMs) break;
        await sleep(this.#env.clock, 1_000);
      }
    }
    return stored;
  }

  async #times(url: string): Promise<readonly number[] | null> {
    try {
      return (await this.#read(url)).map(([timeMs]) => timeMs);
    } catch {
      // A store that does not answer in the end is told as such.
      return null;
    }
  }

  async #read(url: string): Promise<readonly Point[]> {
    const dump = await Dump.read({ env: this.#env }, url, {
      minMs: this.#fromMs,
      maxMs: this.#env.clock.now(),
      matchers: [
        new Matcher('__name__', '=', 'chaos_time_seconds'),
        new Matcher('instance', '=', TARGETS[0]),
      ],
      drop: this.#setUp.replicaLabels,
    });
    return dump.series.flatMap(({ timestampsMs, values, count }) =>
      Array.from({ length: count }, (_, i): Point => [timestampsMs[i] ?? 0, values[i] ?? 0]),
    );
  }
}
