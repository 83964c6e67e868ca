import { assert } from '@pollux/base';
import { type Exemplar, type Labels, type Matcher, matchesAll } from '@pollux/model';
import type { ExemplarSeries, TimeRange } from '@pollux/storage';

export type StoredExemplar = {
  readonly seriesLabels: Labels;
  readonly exemplar: Exemplar;
  /** Of the exemplar, or when it was taken. */
  readonly timestampMs: number;
};

export type ExemplarOutcome = 'taken' | 'duplicate' | 'out-of-order' | 'disabled';

/** The exemplars of one series, from the oldest to the newest in time; positions in the ring. */
type SeriesExemplars = { readonly labels: Labels; oldest: number; newest: number };

type Entry = StoredExemplar & { readonly series: SeriesExemplars };

const NONE = -1;

/**
 * The newest exemplars of all series together, in one ring of fixed size: each takes the place of the one that came first.
 * Those of a series are linked in the order of their times. Rules of Prometheus: an exemplar is refused when the series
 * has a newer one, or one of that time with a greater value (then labels); the newest again is a no-op.
 */
export class ExemplarRing {
  #entries: (Entry | null)[];
  #later: Int32Array;
  #earlier: Int32Array;
  #next = 0;
  #count = 0;
  readonly #series = new Map<string, SeriesExemplars>();

  constructor(capacity: number) {
    this.#entries = new Array<Entry | null>(capacity).fill(null);
    this.#later = new Int32Array(capacity);
    this.#earlier = new Int32Array(capacity);
  }

  get capacity(): number {
    return this.#entries.length;
  }

  get count(): number {
    return this.#count;
  }

  get seriesCount(): number {
    return this.#series.size;
  }

  /** Time of the exemplar that came first of those kept; 0 when there is none. */
  get firstTimestampMs(): number {
    // Until the ring is full it fills from its start.
    return (this.#entries[this.#next] ?? this.#entries[0])?.timestampMs ?? 0;
  }

  /** What would become of it. `windowMs`: how far behind the series' newest it may be. */
  check(item: StoredExemplar, windowMs: number): ExemplarOutcome {
    if (this.capacity === 0) return 'disabled';
    const series = this.#series.get(item.seriesLabels.key());
    if (series === undefined) return 'taken';
    const newest = this.#at(series.newest);
    if (isSame(item, newest)) return 'duplicate';
    const behindMs = newest.timestampMs - item.timestampMs;
    if (behindMs > 0) return behindMs >= windowMs ? 'out-of-order' : 'taken';
    return behindMs === 0 && isBefore(item.exemplar, newest.exemplar) ? 'out-of-order' : 'taken';
  }

  add(item: StoredExemplar, windowMs: number): ExemplarOutcome {
    const outcome = this.check(item, windowMs);
    if (outcome !== 'taken') return outcome;
    const known = this.#series.get(item.seriesLabels.key());
    if (known !== undefined && this.#hasTime(known, item.timestampMs)) return 'duplicate';
    this.#evict(this.#next);
    this.#insert(item);
    return 'taken';
  }

  /** Keeps the newest that came, as many as there is room for. */
  resize(capacity: number): void {
    if (capacity === this.capacity) return;
    const kept = this.inOrderOfArrival();
    this.#entries = new Array<Entry | null>(capacity).fill(null);
    this.#later = new Int32Array(capacity);
    this.#earlier = new Int32Array(capacity);
    this.#next = 0;
    this.#count = 0;
    this.#series.clear();
    if (capacity === 0) return;
    for (const item of kept.slice(-capacity)) this.#insert(item);
  }

  /** Exemplars in the range of the series that pass one of the sets, sorted by labels, each oldest first. */
  select(range: TimeRange, matcherSets: readonly (readonly Matcher[])[]): ExemplarSeries[] {
    const found: ExemplarSeries[] = [];
    for (const { labels, oldest } of this.#series.values()) {
      if (!matcherSets.some((matchers) => matchesAll(matchers, labels))) continue;
      const exemplars: Exemplar[] = [];
      for (let at = oldest; at !== NONE; at = this.#later[at]!) {
        const { exemplar, timestampMs } = this.#at(at);
        if (timestampMs > range.maxMs) break;
        if (timestampMs >= range.minMs) exemplars.push({ ...exemplar, timestampMs });
      }
      if (exemplars.length > 0) found.push({ labels, exemplars });
    }
    return found.sort((a, b) => a.labels.compare(b.labels));
  }

  /** All of them, those that came first in front. */
  inOrderOfArrival(): StoredExemplar[] {
    const { length } = this.#entries;
    const entries: StoredExemplar[] = [];
    for (let i = 0; i < length; i++) {
      const entry = this.#entries[(this.#next + i) % length] ?? null;
      if (entry !== null) entries.push(entry);
    }
    return entries;
  }

  #at(position: number): Entry {
    const entry = this.#entries[position] ?? null;
    assert(entry !== null, 'a linked exemplar is gone');
    return entry;
  }

  /** True when an exemplar older than the series' newest has the time: it counts as the same, unlooked at. */
  #hasTime(series: SeriesExemplars, timestampMs: number): boolean {
    if (timestampMs >= this.#at(series.newest).timestampMs) return false;
    const before = this.#newestUpTo(series, timestampMs);
    return before !== NONE && this.#at(before).timestampMs === timestampMs;
  }

  #newestUpTo(series: SeriesExemplars, timestampMs: number): number {
    let at = series.newest;
    while (at !== NONE && this.#at(at).timestampMs > timestampMs) at = this.#earlier[at]!;
    return at;
  }

  #insert(item: StoredExemplar): void {
    const key = item.seriesLabels.key();
    const position = this.#next;
    this.#next = (position + 1) % this.capacity;
    this.#count++;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels: item.seriesLabels, oldest: NONE, newest: NONE };
      this.#series.set(key, series);
    }
    const { seriesLabels, exemplar, timestampMs } = item;
    const before = this.#newestUpTo(series, timestampMs);
    const after = before === NONE ? series.oldest : this.#later[before]!;
    this.#entries[position] = { seriesLabels, exemplar, timestampMs, series };
    this.#earlier[position] = before;
    this.#later[position] = after;
    if (before === NONE) series.oldest = position;
    else this.#later[before] = position;
    if (after === NONE) series.newest = position;
    else this.#earlier[after] = position;
  }

  #evict(position: number): void {
    const entry = this.#entries[position] ?? null;
    if (entry === null) return;
    const { series } = entry;
    const before = this.#earlier[position]!;
    const after = this.#later[position]!;
    if (before === NONE) series.oldest = after;
    else this.#later[before] = after;
    if (after === NONE) series.newest = before;
    else this.#earlier[after] = before;
    if (series.oldest === NONE) this.#series.delete(series.labels.key());
    this.#entries[position] = null;
    this.#count--;
  }
}

/** Exemplars that were given without a time are the same at any. */
function isSame(a: StoredExemplar, b: StoredExemplar): boolean {
  const hasTime = a.exemplar.timestampMs !== null || b.exemplar.timestampMs !== null;
  if (hasTime && a.timestampMs !== b.timestampMs) return false;
  return a.exemplar.value === b.exemplar.value && a.exemplar.labels.equals(b.exemplar.labels);
}

function isBefore(a: Exemplar, b: Exemplar): boolean {
  return a.value < b.value || (a.value === b.value && a.labels.compare(b.labels) < 0);
}
