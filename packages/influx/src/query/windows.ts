import { zoneOffsetMs } from '../http/time-text.ts';

/** GROUP BY time(interval, offset), in a zone. */
export class Windows {
  readonly interval: bigint;
  readonly #offset: bigint;
  readonly timeZone: string | null;

  constructor(interval: bigint, offset: bigint, timeZone: string | null) {
    this.interval = interval;
    this.#offset = offset;
    this.timeZone = timeZone;
  }

  /** Start of the window that holds `time`. */
  start(time: bigint): bigint {
    const zone = this.#zone(time);
    const start = this.#floor(time + zone) - zone;
    const zoneThere = this.#zone(start);
    // The clock was changed inside the window: it begins where the local time does.
    return zoneThere === zone ? start : start + zone - zoneThere;
  }

  /** Start of the window behind the one that starts at `start`. */
  next(start: bigint): bigint {
    const end = this.start(start + this.interval);
    if (end > start) return end;
    return this.start(start + this.interval + this.interval / 2n);
  }

  #floor(time: bigint): bigint {
    const shifted = time - this.#offset;
    let rest = shifted % this.interval;
    if (rest < 0n) rest += this.interval;
    return time - rest;
  }

  #zone(time: bigint): bigint {
    if (this.timeZone === null) return 0n;
    return BigInt(zoneOffsetMs(Number(time / 1_000_000n), this.timeZone)) * 1_000_000n;
  }
}
