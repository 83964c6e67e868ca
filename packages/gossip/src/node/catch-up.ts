import { type Address, type Clock, withTimeout } from '@pollux/base';
import { isPeerFailure } from '../errors.ts';

/** Survivors that are asked; more would tell the same. */
const MAX_ASKED = 3;
/** Nobody waits longer: a survivor that is slow now must not hold up notifications. */
const MAX_WAIT_MS = 1_000;

/**
 * When a member is lost, some may know what it told last and others not. The others are asked at once, and whoever acts on
 * the shared states in place of the lost one waits for their answers: those are the notifications that it has sent.
 */
export class CatchUp {
  readonly #clock: Clock;
  readonly #ask: (member: Address) => Promise<boolean>;
  readonly #running = new Set<Promise<void>>();

  constructor(clock: Clock, ask: (member: Address) => Promise<boolean>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  begin(survivors: readonly Address[]): void {
    const asked = survivors.slice(0, MAX_ASKED).map((survivor) => this.#ask(survivor));
    const running: Promise<void> = Promise.allSettled(asked).then(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  /** Resolves when all that was begun has ended, at once when nothing was, and after a second at the latest. */
  async done(signal: AbortSignal): Promise<void> {
    if (this.#running.size === 0) return;
    const all = Promise.all(this.#running);
    try {
      await withTimeout(this.#clock, MAX_WAIT_MS, 'asking survivors', () => all, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isPeerFailure(error)) throw error;
    }
  }
}
