import type { Head } from '../head/head.ts';
import type { SeriesGuard } from './series-guard.ts';

/** By what series are counted: metric name, label name (its number of values), job. */
export type CardinalityDimension = 'metric' | 'label' | 'job';

export type CardinalityEntry = {
  readonly name: string;
  readonly count: number;
  /** At the time asked for; null where it was too small to be kept, or nothing was kept then. */
  readonly before: number | null;
};

export type CardinalityReport = {
  /** Time of the counts in `before`, ms; null when nothing that old was kept. */
  readonly sinceMs: number | null;
  readonly entries: readonly CardinalityEntry[];
};

export type HistoryPoint = {
  readonly timeMs: number;
  readonly series: number;
  readonly chunks: number;
};

type Counts = ReadonlyMap<string, number>;

type Snapshot = HistoryPoint & { readonly counts: Readonly<Record<CardinalityDimension, Counts>> };

/** Between two snapshots. */
export const SNAPSHOT_INTERVAL_MS = 600_000;
/** The last two hours whole, then one an hour for a day. */
const FINE_MS = 2 * 3_600_000;
const COARSE_STEP_MS = 3_600_000;
const KEPT_MS = 24 * 3_600_000;
/** Largest names of each dimension that a snapshot keeps: at 36 snapshots a megabyte or two at the very most. */
const KEPT_NAMES = 500;

/**
 * What the head held at times of the last day, so that it can be said what grew. In memory only: after a restart it begins
 * anew.
 */
export class CardinalityHistory {
  readonly #head: Head;
  readonly #guard: SeriesGuard;
  #snapshots: readonly Snapshot[] = [];

  constructor(head: Head, guard: SeriesGuard) {
    this.#head = head;
    this.#guard = guard;
  }

  /** Takes a snapshot. Time is proportional to the number of metric names, label names and jobs, not of series. */
  record(nowMs: number): void {
    const { table, chunkCount } = this.#head;
    const snapshot: Snapshot = {
      timeMs: nowMs,
      series: table.count,
      chunks: chunkCount,
      counts: {
        metric: largest(this.#counts('metric'), KEPT_NAMES),
        label: largest(this.#counts('label'), KEPT_NAMES),
        job: largest(this.#counts('job'), KEPT_NAMES),
      },
    };
    // From the oldest on, so that what has been kept for its hour stays.
    let lastKeptMs = Number.NEGATIVE_INFINITY;
    const kept = this.#snapshots.filter(({ timeMs }) => {
      const ageMs = nowMs - timeMs;
      if (ageMs > KEPT_MS) return false;
      if (ageMs > FINE_MS && timeMs - lastKeptMs < COARSE_STEP_MS) return false;
      lastKeptMs = timeMs;
      return true;
    });
    this.#snapshots = [...kept, snapshot];
  }

  /** Oldest first. */
  points(): readonly HistoryPoint[] {
    return this.#snapshots.map(({ timeMs, series, chunks }) => ({ timeMs, series, chunks }));
  }

  /** The names with the most series (of `label`: values), or, given `sinceMs`, those that have grown most since. */
  report(
    dimension: CardinalityDimension,
    limit: number,
    sinceMs: number | null,
  ): CardinalityReport {
    const now = this.#counts(dimension);
    const earlier = sinceMs === null ? null : this.#at(sinceMs);
    const before = earlier?.counts[dimension] ?? null;
    const entries = [...now].map(([name, count]) => ({
      name,
      count,
      before: before?.get(name) ?? null,
    }));
    const weight = ({ count, before }: CardinalityEntry): number =>
      earlier === null ? count : count - (before ?? 0);
    entries.sort((a, b) => weight(b) - weight(a) || (a.name < b.name ? -1 : 1));
    return { sinceMs: earlier?.timeMs ?? null, entries: entries.slice(0, limit) };
  }

  /** The newest snapshot at or before the time, else the oldest there is. */
  #at(timeMs: number): Snapshot | null {
    const earlier = this.#snapshots.filter((snapshot) => snapshot.timeMs <= timeMs);
    return earlier.at(-1) ?? this.#snapshots[0] ?? null;
  }

  #counts(dimension: CardinalityDimension): Map<string, number> {
    const { table } = this.#head;
    const { symbols, postings } = table;
    const counts = new Map<string, number>();
    switch (dimension) {
      case 'metric': {
        const name = symbols.find('__name__');
        if (name < 0) break;
        postings.forEachValue(name, (value, refs) => {
          counts.set(symbols.text(value), refs().length);
        });
        break;
      }
      case 'label':
        for (const name of postings.names())
          counts.set(symbols.text(name), postings.valueCount(name));
        break;
      case 'job':
        for (const { name, series } of this.#guard.jobs()) counts.set(name, series);
    }
    return counts;
  }
}

function largest(counts: Map<string, number>, limit: number): Counts {
  if (counts.size <= limit) return counts;
  return new Map([...counts].sort(([, a], [, b]) => b - a).slice(0, limit));
}
