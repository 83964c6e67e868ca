import { type Address, type Clock, type Random, type StopSignal, withTimeout } from '@pollux/base';
import { isPeerFailure } from '../errors.ts';

/** Survivors that are asked; more would tell the same. */
const MAX_ASKED = 3;
/** Losses at one time that are asked for; when half of a large cluster is cut off, the first answers tell of all. */
const MAX_RUNNING = 4;
/**
 * A member of the Go program tells each news a few times, to members drawn by lot, and draws lost ones too for 30 s: all of its few packets
 * with an entry may go there. That may have been one wait for the members before this one ago.
 */
const AFTER_LOSS_MS = 60_000;
/** A full state is asked for no more often; what those before this one have sent is a peer timeout old when its turn comes. */
const FRESH_MS = 1_000;
/** Nobody waits longer: a survivor that is slow now must not hold up notifications. */
const MAX_WAIT_MS = 1_000;

/**
 * When a member is lost, some may know what it told last and others not. The others are asked at once, and whoever acts on
 * the shared states in place of the lost one waits for their answers: those are the notifications that it has sent. For a while news go
 * astray behind a loss; until then those whose turn comes earlier are asked again by whoever acts behind them.
 */
export class CatchUp {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #ask: (member: Address) => Promise<boolean>;
  readonly #running = new Set<Promise<void>>();
  #lostMs = Number.NEGATIVE_INFINITY;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(
    env: { readonly clock: Clock; readonly random: Random },
    ask: (member: Address) => Promise<boolean>,
  ) {
    this.#clock = env.clock;
    this.#random = env.random;
    this.#ask = ask;
  }

  /** A member was lost. */
  begin(survivors: readonly Address[]): void {
    this.#lostMs = this.#clock.monotonic();
    this.#askAll(survivors);
  }

  /** Asks those that act before this member, when news of theirs may have gone to one that was lost, or that does not answer. */
  renew(before: readonly Address[], isOneSilent: boolean): void {
    const nowMs = this.#clock.monotonic();
    if (before.length === 0 || nowMs - this.#askedMs < FRESH_MS) return;
    if (isOneSilent || nowMs - this.#lostMs < AFTER_LOSS_MS) this.#askAll(before);
  }

  #askAll(members: readonly Address[]): void {
    if (this.#running.size >= MAX_RUNNING) return;
    this.#askedMs = this.#clock.monotonic();
    const left = [...members];
    const asked: Promise<boolean>[] = [];
    // At random: survivors begin at the same time, and are not to ask the same ones.
    while (asked.length < MAX_ASKED && left.length > 0) {
      const [member] = left.splice(this.#random.below(left.length), 1);
      if (member !== undefined) asked.push(this.#ask(member));
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
