import type { Clock } from '@pollux/base';

/**
 * Span of time in which one copy is kept of several. Windows begin at multiples of it from 1970 and are cut where shard groups
 * end, so that stores with the same groups have the same.
 */
export const WINDOW_MS = 2 * 3_600_000;
/** Windows remembered; with more of them all count as written just now. */
const MAX_WINDOWS = 1_024;

export function windowOf(ms: number): number {
  return Math.floor(ms / WINDOW_MS);
}

/** When each window of a shard group was last written to. What came before a start counts as come at the start. */
export class WindowArrivals {
  readonly #clock: Clock;
  readonly #lastMs = new Map<number, number>();
  /** Of windows that are not in the map, at the latest. */
  #floorMs: number;
  #changes = 0;
  /** Number of the last change of each window, and of all. */
  readonly #versions = new Map<number, number>();
  #floorVersion = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#floorMs = clock.monotonic();
  }

  /** Notes a write of rows whose times lie in `[oldestMs, newestMs]`. */
  note(oldestMs: number, newestMs: number): void {
    const nowMs = this.#clock.monotonic();
    const first = windowOf(oldestMs);
    const last = windowOf(newestMs);
    if (last - first >= MAX_WINDOWS) {
      this.#forget(nowMs);
      return;
    }
    this.#changes++;
    for (let window = first; window <= last; window++) {
      this.#lastMs.set(window, nowMs);
      this.#versions.set(window, this.#changes);
    }
    if (this.#lastMs.size > MAX_WINDOWS) this.#forget(nowMs);
  }

  #forget(nowMs: number): void {
    this.#lastMs.clear();
    this.#floorMs = nowMs;
    this.noteDeletion();
  }

  /** Rows of any window were removed; nobody waits for that. */
  noteDeletion(): void {
    this.#versions.clear();
    this.#floorVersion = ++this.#changes;
  }

  /** Another number after each change of the window's rows, but for copies that were given up. */
  versionOf(window: number): number {
    return this.#versions.get(window) ?? this.#floorVersion;
  }

  /** Whether nothing was written to the window for so long. */
  isQuiet(window: number, forMs: number): boolean {
    const lastMs = this.#lastMs.get(window) ?? this.#floorMs;
    return this.#clock.monotonic() - lastMs >= forMs;
  }

  /** As {@link isQuiet}, of all windows. */
  areQuiet(forMs: number): boolean {
    let newestMs = this.#floorMs;
    for (const lastMs of this.#lastMs.values()) newestMs = Math.max(newestMs, lastMs);
    return this.#clock.monotonic() - newestMs >= forMs;
  }
}
