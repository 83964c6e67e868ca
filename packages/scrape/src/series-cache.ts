import type { Labels } from '@pollux/model';

const KNOWN = 1;
const DROPPED = 2;
const LIVE = 4;

/**
 * What a loop remembers per series of its target, by the template's series id: the labels it is stored under, the engine's
 * ref, and whether it must get a stale marker when it vanishes.
 */
export class SeriesCache {
  #refs = new Uint32Array(0);
  #flags = new Uint8Array(0);
  #lastSeen = new Uint32Array(0);
  readonly #labels: (Labels | null)[] = [];
  /** When each series began to count, as it was told last; made once one is told. */
  #starts: Float64Array | null = null;
  #limit = 0;

  /** `labels` null: metric relabelling drops the series. */
  set(id: number, labels: Labels | null): void {
    this.#reserve(id);
    this.#flags[id] = labels === null ? KNOWN | DROPPED : KNOWN;
    this.#refs[id] = 0;
    this.#lastSeen[id] = 0;
    if (this.#starts !== null) this.#starts[id] = 0;
    this.#labels[id] = labels;
  }

  forget(id: number): void {
    if (id >= this.#limit) return;
    this.#flags[id] = 0;
    this.#labels[id] = null;
  }

  isDropped(id: number): boolean {
    return (this.#flags[id]! & DROPPED) !== 0;
  }

  labels(id: number): Labels | null {
    return this.#labels[id] ?? null;
  }

  /** 0 when the engine has not been asked yet. */
  ref(id: number): number {
    return this.#refs[id]!;
  }

  setRef(id: number, ref: number): void {
    this.#refs[id] = ref;
  }

  /** Keeps when the series began to count; true when that is news. */
  renewStart(id: number, startMs: number): boolean {
    this.#starts ??= new Float64Array(this.#refs.length);
    if (this.#starts[id] === startMs) return false;
    this.#starts[id] = startMs;
    return true;
  }

  /** Marks the series as present in scrape number `scrape` (from 1 on). */
  see(id: number, scrape: number): void {
    this.#lastSeen[id] = scrape;
  }

  /** Whether its absence next time means a stale marker: no for samples that bring their own time. */
  setLive(id: number, isLive: boolean): void {
    const flags = this.#flags[id]!;
    this.#flags[id] = isLive ? flags | LIVE : flags & ~LIVE;
  }

  /** Calls back for every known series that scrape number `scrape` did not bring. */
  forEachUnseen(scrape: number, visit: (id: number, isLive: boolean) => void): void {
    for (let id = 0; id < this.#limit; id++) {
      const flags = this.#flags[id]!;
      if ((flags & KNOWN) !== 0 && this.#lastSeen[id] !== scrape) visit(id, (flags & LIVE) !== 0);
    }
  }

  #reserve(id: number): void {
    if (id >= this.#limit) this.#limit = id + 1;
    if (id < this.#refs.length) return;
    const capacity = Math.max(64, this.#refs.length * 2, id + 1);
    const refs = new Uint32Array(capacity);
    const flags = new Uint8Array(capacity);
    const lastSeen = new Uint32Array(capacity);
    refs.set(this.#refs);
    flags.set(this.#flags);
    lastSeen.set(this.#lastSeen);
    if (this.#starts !== null) {
      const starts = new Float64Array(capacity);
      starts.set(this.#starts);
      this.#starts = starts;
    }
    this.#refs = refs;
    this.#flags = flags;
    this.#lastSeen = lastSeen;
  }
}
