import { type Env, errorText, OperatingError, type StopSignal } from '@pollux/base';
import type { CoverageReport } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { MemberReadError } from '../splice/member-read-error.ts';
import type { CoverageFollower, Upstream } from '../upstream.ts';
import { PlainPast } from './plain-past.ts';
import { readScrapes, type ScrapesSource } from './read-plain-past.ts';

/** Between two readings of a member's scrapes. */
const READ_EVERY_MS = 5_000;
const LOWEST_EVERY_MS = 60_000;
/** After a reading that failed. */
const RETRY_MS = 30_000;
/** After one that showed that the member cannot be read. */
const UNABLE_MS = 10 * 60_000;

/** Keeps up with what a member that has no coverage report covers, by the samples that it has of scrapes. */
export class PlainMember implements CoverageFollower {
  readonly #env: Env;
  readonly #log: Log;
  readonly #source: ScrapesSource;
  readonly #upstream: Upstream;
  readonly #past: PlainPast;
  #lowestMs: number | null = null;
  #lowestReadMs = Number.NEGATIVE_INFINITY;
  #nextReadMs = Number.NEGATIVE_INFINITY;
  #isKnown = false;
  #reading: Promise<void> | null = null;

  /** Scrapes of the last `lookbackMs` are read at first. */
  constructor(options: {
    readonly env: Env;
    readonly log: Log;
    readonly source: ScrapesSource;
    readonly upstream: Upstream;
    readonly lookbackMs: number;
  }) {
    const { env, log, source, upstream, lookbackMs } = options;
    this.#env = env;
    this.#log = log;
    this.#source = source;
    this.#upstream = upstream;
    this.#past = new PlainPast(env.clock.now() - lookbackMs);
  }

  seenDown(): void {
    this.#past.seenDown(this.#env.clock.now());
    this.#nextReadMs = Number.NEGATIVE_INFINITY;
  }

  /** Null until all of the past was read once. */
  report(): CoverageReport | null {
    if (!this.#isKnown || this.#lowestMs === null) return null;
    // Who does not tell where its samples begin is taken to have them from the beginning, or else from the first that is found.
    const lowestMs = Math.max(0, this.#lowestMs);
    const { isStore } = this.#source;
    const beginsMs = isStore ? this.#past.beginsMs : null;
    return this.#past.report(this.#env.clock.now(), beginsMs ?? lowestMs, isStore);
  }

  /** Begins a reading when one is due; nobody waits for it. */
  keepUp(signal: StopSignal): void {
    if (this.#reading !== null || this.#env.clock.now() < this.#nextReadMs) return;
    if (!this.#source.isReady()) return;
    this.#reading = this.#read(signal).finally(() => {
      this.#reading = null;
    });
  }

  async settled(): Promise<void> {
    await this.#reading;
  }

  async #read(signal: StopSignal): Promise<void> {
    const { clock } = this.#env;
    try {
      if (this.#lowestMs === null || clock.now() >= this.#lowestReadMs + LOWEST_EVERY_MS) {
        this.#lowestMs = await this.#source.lowestMs(signal);
        this.#lowestReadMs = clock.now();
      }
      await readScrapes(await this.#source.open(signal), this.#past, clock, signal);
      this.#isKnown = true;
      this.#nextReadMs = clock.now() + READ_EVERY_MS;
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      const isUnable = error instanceof MemberReadError && error.isUnable;
      this.#nextReadMs = clock.now() + (isUnable ? UNABLE_MS : RETRY_MS);
      if (signal.aborted) return;
      const fields = { member: this.#upstream.name, err: errorText(error) };
      this.#log.warn('what the member covers cannot be told from its samples', fields);
    }
  }
}
