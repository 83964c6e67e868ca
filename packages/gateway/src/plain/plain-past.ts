import { isStaleAt, type Labels, wordsOf } from '@pollux/model';
import {
  type CoverageReport,
  type IntervalSet,
  intervalSet,
  type SeriesColumns,
  type SubjectReport,
  subtract,
  type TimeRange,
} from '@pollux/storage';

/** Distances between scrapes that are looked at to learn the interval. */
const DISTANCES = 15;
/** A scrape that is this many intervals late was missed. */
const MISSED_INTERVALS = 1.5;
/** Beyond it the oldest gaps of a target are forgotten. */
const MAX_SPANS = 1_000;
const MAX_TARGETS = 100_000;
/** How long a scrape may be under way, and the next reading may let wait, before its absence is a gap. */
const PATIENCE_MS = 15_000;
/** Of a target that was scraped once only. */
const UNKNOWN_INTERVAL_MS = 60_000;

type Target = {
  readonly labels: Labels;
  readonly distancesMs: number[];
  lastMs: number;
  /** A stale marker came behind the last sample: it was not to be scraped any more. */
  isEnded: boolean;
  gaps: IntervalSet;
  failures: IntervalSet;
};

/**
 * What a Prometheus that keeps no coverage has of the past, told from its own samples of `up`: every scrape leaves one, and a
 * target that is given up ends by a stale marker. When nothing was scraped the server was not there.
 */
export class PlainPast {
  readonly #startMs: number;
  readonly #targets = new Map<string, Target>();
  #alive: IntervalSet = [];
  #longestMs = 0;
  /** Samples up to here were read. */
  #readToMs: number;
  /** The member was seen not to answer: scrapes that are due since are none that are under way. */
  #seenDownMs = Number.NEGATIVE_INFINITY;

  /** Nothing is known of the time before `startMs`: it counts as covered. */
  constructor(startMs: number) {
    this.#startMs = startMs;
    this.#readToMs = startMs;
  }

  /** Where scrapes begin; null while none is known, or where they begin before what was looked at. */
  get beginsMs(): number | null {
    const [first] = this.#alive;
    if (first === undefined || first.startMs <= this.#startMs + this.#longestMs) return null;
    // The first scrape of another target, or as another replica made it, may lie up to an interval before.
    return first.startMs - this.#longestMs;
  }

  get readToMs(): number {
    return this.#readToMs;
  }

  seenDown(nowMs: number): void {
    this.#seenDownMs = nowMs;
  }

  /** Takes all samples of `up` in a range that follows on, or overlaps, what was read. */
  add(series: readonly SeriesColumns[], range: TimeRange): void {
    const alive = [...this.#alive];
    for (const columns of series) alive.push(...this.#addTarget(columns));
    this.#alive = intervalSet(alive);
    this.#readToMs = Math.max(this.#readToMs, range.maxMs);
  }

  /** Of samples since `lowestMs`. Where these come late (`isBehind`), there are none behind the last that were read. */
  report(nowMs: number, lowestMs: number, isBehind = false): CoverageReport {
    const subjects: SubjectReport[] = [];
    for (const target of this.#targets.values()) {
      const { labels, gaps, failures } = target;
      if (gaps.length === 0 && failures.length === 0) continue;
      const key = `up${labels}`;
      subjects.push({
        subject: { key, kind: 'target', labels, metricNames: [] },
        intervalMs: intervalOf(target),
        gaps,
        failures,
      });
    }
    return {
      configIdentity: '',
      nowMs,
      sinceMs: lowestMs,
      bucketsSinceMs: lowestMs,
      serverGaps: this.#serverGaps(nowMs, lowestMs, isBehind),
      subjects,
    };
  }

  #serverGaps(nowMs: number, lowestMs: number, isBehind: boolean): IntervalSet {
    const newestEndMs = this.#alive.at(-1)?.endMs ?? this.#startMs;
    const isDue = nowMs > newestEndMs + this.#longestMs + PATIENCE_MS;
    const isOpen = isBehind || isDue || this.#seenDownMs >= newestEndMs - this.#longestMs;
    const beganMs = this.beginsMs === lowestMs ? lowestMs + this.#longestMs : lowestMs;
    const endMs = isBehind ? Number.MAX_SAFE_INTEGER : nowMs + 1;
    const known = { startMs: Math.max(this.#startMs, beganMs), endMs };
    const alive = isOpen
      ? this.#alive
      : intervalSet([...this.#alive, { startMs: newestEndMs - 1, endMs }]);
    return subtract(intervalSet([known]), alive);
  }

  /** Times at which its scrapes prove that the server was there. */
  #addTarget(columns: SeriesColumns): IntervalSet {
    const target = this.#targetOf(columns.labels.withoutMetricName(), columns);
    if (target === null) return [];
    const { count, timestampsMs, values } = columns;
    const words = wordsOf(values);
    learnInterval(target, columns);
    const intervalMs = intervalOf(target);
    forgetFrom(target, timestampsMs[0] ?? Number.POSITIVE_INFINITY);
    this.#longestMs = Math.max(this.#longestMs, intervalMs);
    const alive: { startMs: number; endMs: number }[] = [];
    const gaps: { startMs: number; endMs: number }[] = [];
    const failures: { startMs: number; endMs: number }[] = [];
    for (let i = 0; i < count; i++) {
      const atMs = timestampsMs[i]!;
      if (atMs <= target.lastMs) continue;
      if (isStaleAt(words, i)) {
        target.isEnded = true;
        continue;
      }
      const isMissed = atMs - target.lastMs > MISSED_INTERVALS * intervalMs;
      if (isMissed && !target.isEnded && Number.isFinite(target.lastMs))
        gaps.push({ startMs: target.lastMs + intervalMs, endMs: atMs });
      const isFollowing = !isMissed && !target.isEnded;
      const endMs = atMs + intervalMs;
      alive.push({ startMs: isFollowing ? target.lastMs : atMs, endMs });
      // A scrape that is a little late leaves no time between two failures.
      const failedMs = isFollowing ? Math.min(atMs, target.lastMs + intervalMs) : atMs;
      if (values[i] === 0) failures.push({ startMs: failedMs, endMs });
      target.lastMs = atMs;
      target.isEnded = false;
    }
    if (gaps.length > 0) target.gaps = intervalSet([...target.gaps, ...gaps]).slice(-MAX_SPANS);
    if (failures.length > 0)
      target.failures = intervalSet([...target.failures, ...failures]).slice(-MAX_SPANS);
    return intervalSet(alive);
  }

  #targetOf(labels: Labels, { count }: SeriesColumns): Target | null {
    const key = labels.key();
    const known = this.#targets.get(key);
    if (known !== undefined || count === 0 || this.#targets.size >= MAX_TARGETS)
      return known ?? null;
    const target: Target = {
      labels,
      distancesMs: [],
      lastMs: Number.NEGATIVE_INFINITY,
      isEnded: false,
      gaps: [],
      failures: [],
    };
    this.#targets.set(key, target);
    return target;
  }
}

/**
 * What was told of the time from a sample on, that sample included, is told again: in a store samples of one server may come later than
 * younger ones of another.
 */
function forgetFrom(target: Target, atMs: number): void {
  if (atMs > target.lastMs) return;
  const after = [{ startMs: atMs, endMs: Number.MAX_SAFE_INTEGER }];
  target.gaps = subtract(target.gaps, after);
  target.failures = subtract(target.failures, after);
  // A gap that ends with the sample is kept: none begins with it.
  target.lastMs = Number.NEGATIVE_INFINITY;
  target.isEnded = true;
}

/** From the newest distances, so that another configuration is soon known. */
function learnInterval(target: Target, { count, timestampsMs }: SeriesColumns): void {
  let lastMs = target.lastMs;
  for (let i = 0; i < count; i++) {
    const atMs = timestampsMs[i]!;
    if (atMs <= lastMs) continue;
    if (Number.isFinite(lastMs)) target.distancesMs.push(atMs - lastMs);
    lastMs = atMs;
  }
  target.distancesMs.splice(0, Math.max(0, target.distancesMs.length - DISTANCES));
}

function intervalOf({ distancesMs }: Target): number {
  const sorted = [...distancesMs].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? UNKNOWN_INTERVAL_MS;
}
