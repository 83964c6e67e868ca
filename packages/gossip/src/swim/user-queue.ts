import { transmitLimit } from './broadcast-queue.ts';

/** Messages looked at per level for ones that still fit a packet. */
const MAX_LOOK_AHEAD = 64;

/**
 * User messages waiting to be gossiped, each as often as the cluster's size asks. Least-sent first, among these the oldest:
 * memberlist takes the newest, so that in a flood the first messages are not sent until it is over, and their places in
 * the order of duplicates are lost with them. Taking costs the same however many wait.
 */
export class UserQueue {
  readonly #mult: number;
  /** Index: how often a message was sent. */
  readonly #levels: Uint8Array[][] = [];

  /** Each message is sent `mult` × ceil(log10(n + 1)) times. */
  constructor(mult: number) {
    this.#mult = mult;
  }

  get size(): number {
    return this.#levels.reduce((sum, level) => sum + level.length, 0);
  }

  push(message: Uint8Array): void {
    this.#level(0).push(message);
  }

  /** Messages for one packet: each costs its length and `overheadBytes` of `budgetBytes`. Counts them as sent. */
  take(memberCount: number, overheadBytes: number, budgetBytes: number): Uint8Array[] {
    const limit = transmitLimit(this.#mult, memberCount);
    const taken: Uint8Array[] = [];
    const sentAgain: [level: number, message: Uint8Array][] = [];
    let free = budgetBytes;
    for (const [sent, level] of this.#levels.entries()) {
      const looked = level.splice(0, MAX_LOOK_AHEAD);
      const kept: Uint8Array[] = [];
      for (const message of looked) {
        if (message.length + overheadBytes > free) {
          kept.push(message);
          continue;
        }
        free -= message.length + overheadBytes;
        taken.push(message);
        if (sent + 1 < limit) sentAgain.push([sent + 1, message]);
      }
      level.unshift(...kept);
    }
    for (const [sent, message] of sentAgain) this.#level(sent).push(message);
    return taken;
  }

  #level(sent: number): Uint8Array[] {
    const known = this.#levels[sent];
    if (known !== undefined) return known;
    const level: Uint8Array[] = [];
    this.#levels[sent] = level;
    return level;
  }

  /** Drops the most-sent and oldest beyond `maxCount`; returns how many. */
  prune(maxCount: number): number {
    const excess = this.size - maxCount;
    let left = excess;
    for (let at = this.#levels.length - 1; at >= 0 && left > 0; at--) {
      left -= this.#levels[at]?.splice(0, left).length ?? 0;
    }
    return Math.max(0, excess);
  }
}
