import { type Address, type Clock, type Random, type StopSignal, withTimeout } from '@pollux/base';
import { isPeerFailure } from '../errors.ts';

/** Survivors that are asked; more would tell the same. */
const MAX_ASKED = 3;
/** Losses at one time that are asked for; when half of a large cluster is cut off, the first answers tell of all. */
const MAX_RUNNING = 4;
/** Nobody waits longer: a survivor that is slow now must not hold up notifications. */
const MAX_WAIT_MS = 1_000;

/**
 * When a member is lost, some may know what it told last and others not. The others are asked at once, and whoever acts on
 * the shared states in place of the lost one waits for their answers: those are the notifications that it has sent.
 */
export class CatchUp {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #ask: (member: Address) => Promise<boolean>;
  readonly #running = new Set<Promise<void>>();

  constructor(
    env: { readonly clock: Clock; readonly random: Random },
    ask: (member: Address) => Promise<boolean>,
  ) {
    this.#clock = env.clock;
    this.#random = env.random;
    this.#ask = ask;
  }

  begin(survivors: readonly Address[]): void {
    if (this.#running.size >= MAX_RUNNING) return;
    const left = [...survivors];
    const asked: Promise<boolean>[] = [];
    // At random: all survivors begin at the same time, and are not to ask the same ones.
    while (asked.length < MAX_ASKED && left.length > 0) {
      const [survivor] = left.splice(this.#random.below(left.length), 1);
      if (survivor !== undefined) asked.push(this.#ask(survivor));
    }
    const running: Promise<void> = Promise.allSettled(asked).then(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  /** Resolves when all that was begun has ended, at once when nothing was, and after a second at the latest. */
  async done(signal: StopSignal): Promise<void> {
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
