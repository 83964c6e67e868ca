import type { Clock } from '@pollux/base';
import { integrationName, type OutboxEntry, type Owed } from './owed.ts';

/** The shortest pause between rounds, ms; each failed one doubles it, up to 32 times as long. */
const BASE_MS = 30_000;
const MAX_LEVEL = 5;

type Lane = { readonly key: string; level: number; nextMs: number; isRunning: boolean };

/**
 * When each integration is tried again. Times are multiples of the pause on the wall clock, pauses multiples of each other,
 * so that members which failed at different times try at common ones and the first of them is done before the next begins.
 */
export class Lanes {
  readonly #clock: Clock;
  readonly #clusterWaitMs: () => number;
  readonly #lanes = new Map<string, Lane>();

  /** `clusterWaitMs`: how long all members together may wait for each other. */
  constructor(clock: Clock, clusterWaitMs: () => number) {
    this.#clock = clock;
    this.#clusterWaitMs = clusterWaitMs;
  }

  static keyOf({ receiverName, receiver }: Owed): string {
    return `${receiverName}/${integrationName(receiver)}`;
  }

  /** Lanes with entries whose time has come. One that is new has its time at the next common one. */
  due(entries: Iterable<OutboxEntry>): Lane[] {
    const nowMs = this.#clock.now();
    const used = new Set([...entries].map(({ owed }) => Lanes.keyOf(owed)));
    for (const [key, lane] of this.#lanes) {
      if (!used.has(key) && !lane.isRunning) this.#lanes.delete(key);
    }
    const due: Lane[] = [];
    for (const key of used) {
      const lane = this.#lane(key);
      // A clock that was set back does not prolong the pause.
      if (lane.nextMs > nowMs + this.#pauseMs(MAX_LEVEL)) lane.nextMs = nowMs;
      if (!lane.isRunning && lane.nextMs <= nowMs) due.push(lane);
    }
    return due;
  }

  /** Tried at the next look. */
  hasten(owed: Owed): void {
    this.#lane(Lanes.keyOf(owed)).nextMs = 0;
  }

  failed(key: string): void {
    const lane = this.#lane(key);
    lane.nextMs = this.#nextMs(lane.level);
    lane.level = Math.min(lane.level + 1, MAX_LEVEL);
  }

  done(key: string): void {
    const lane = this.#lane(key);
    lane.level = 0;
    lane.nextMs = this.#nextMs(0);
  }

  pause(key: string, pauseMs: number): void {
    this.#lane(key).nextMs = this.#clock.now() + pauseMs;
  }

  #lane(key: string): Lane {
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane = { key, level: 0, nextMs: this.#nextMs(0), isRunning: false };
    this.#lanes.set(key, lane);
    return lane;
  }

  #nextMs(level: number): number {
    const pauseMs = this.#pauseMs(level);
    return (Math.floor(this.#clock.now() / pauseMs) + 1) * pauseMs;
  }

  /** Long enough that all members had their turn, and a doubling of the shortest. */
  #pauseMs(level: number): number {
    let pauseMs = BASE_MS;
    while (pauseMs < this.#clusterWaitMs() && pauseMs < 64 * BASE_MS) pauseMs *= 2;
    return pauseMs * 2 ** level;
  }
}
