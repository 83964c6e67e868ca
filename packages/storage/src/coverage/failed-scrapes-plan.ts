import type { SeriesColumns } from '../queryable.ts';
import type { Interval } from './coverage.ts';
import type { HealingPlan, SubjectHealing } from './healing.ts';
import {
  type IntervalSet,
  intersect,
  intervalSet,
  subtract,
  totalMs,
  union,
} from './interval-set.ts';
import type { SubjectHistory } from './subject-history.ts';

/** Behind one scrape, in intervals: what comes later than this has others between that were missed. */
const LATE_INTERVALS = 1.5;
/** Bounds of what is copied at once while scrapes go on failing. */
const MIN_PIECE_MS = 15_000;
const MAX_PIECE_MS = 300_000;
/** Of the time for which scrapes have failed. */
const PIECE_SHARE = 0.25;

/** When a twin's scrapes of one target were good, by its samples of `up`. */
export type GoodScrapes = {
  readonly good: IntervalSet;
  /** Ends of good times at which a scrape failed or the series ended: of that very moment are the stale markers. */
  readonly ends: ReadonlySet<number>;
};

export type FailedScrapesRequest = {
  readonly twin: string;
  readonly histories: Iterable<SubjectHistory>;
  /** Null for targets that the twin has no samples of `up` of. */
  readonly goodOf: (history: SubjectHistory) => GoodScrapes | null;
  /** Only failures of this time are looked at. */
  readonly window: Interval;
  /** When the twin told what it has. */
  readonly twinNowMs: number;
  readonly nowMs: number;
  /** At least the difference of the servers' clocks, ms. */
  readonly guardMs: number;
};

export type FailedScrapesPlan = {
  /** What can be copied now. */
  readonly healing: HealingPlan;
  /** What the twin has and this server lacks, copied now or later. */
  readonly lacking: ReadonlyMap<string, IntervalSet>;
  /** Failures of which it is decided that this twin cannot help. */
  readonly settled: ReadonlyMap<string, IntervalSet>;
};

/**
 * Which samples of a twin stand for scrapes of this server that failed while the twin's of the same target were good: those from a
 * guard behind its last good scrape until a guard before its next one, so that no counter steps back (invariant I3 (b)).
 *
 *     own scrapes     x   x   x   f   f   f   f   f   x   x
 *     the twin's    y   y   y   y   y   y   y   y   y   y
 *     copied                      y   y   y   y   y
 *
 * A target that dies is found dead by one server a phase before the other: only where the twin's scrapes were good for a whole
 * interval was it the link that broke.
 */
export function planFailedScrapes(request: FailedScrapesRequest): FailedScrapesPlan {
  const { twin, window } = request;
  const subjects: SubjectHealing[] = [];
  const lacking = new Map<string, IntervalSet>();
  const settled = new Map<string, IntervalSet>();
  for (const history of request.histories) {
    const { subject } = history;
    const found = planOne(history, request);
    const open = intersect(found.lacking, [window]);
    if (open.length > 0) lacking.set(subject.key, open);
    const healed = intersect(found.healed, [window]);
    const seams = intersect(found.seams, [window]);
    if (healed.length > 0 || seams.length > 0)
      subjects.push({ subject, healed, failures: [], seams });
    const asked = [{ startMs: window.startMs, endMs: Math.min(window.endMs, found.decidedMs) }];
    const rest = subtract(intersect(intervalSet(asked), history.runs('failed')), open);
    if (rest.length > 0) settled.set(subject.key, rest);
  }
  return { healing: { twin, common: [], subjects, seams: [] }, lacking, settled };
}

type SubjectPlan = {
  readonly lacking: IntervalSet;
  readonly healed: IntervalSet;
  readonly seams: IntervalSet;
  /** Up to here nothing can change any more. */
  readonly decidedMs: number;
};

function planOne(history: SubjectHistory, request: FailedScrapesRequest): SubjectPlan {
  const { window, twinNowMs, guardMs } = request;
  const { intervalMs } = history;
  // What it has scraped last it may not have stored.
  const horizonMs = twinNowMs - intervalMs - guardMs;
  // A good time that reaches into the window may be whole only with what lies beside it.
  const reachMs = 2 * intervalMs;
  const known = {
    startMs: window.startMs - reachMs,
    endMs: Math.min(window.endMs + reachMs, horizonMs),
  };
  const scrapes = request.goodOf(history);
  if (scrapes === null || known.startMs >= known.endMs)
    return { lacking: [], healed: [], seams: [], decidedMs: horizonMs };
  const there = union(history.runs('healed'), history.runs('seam'));
  const lacking: Interval[] = [];
  const healed: Interval[] = [];
  const seams: Interval[] = [];
  let decidedMs = horizonMs;
  for (const run of subtract(history.runs('failed'), history.runs('done'))) {
    for (const good of intersect(scrapes.good, intersect([run], [known]))) {
      if (good.endMs - good.startMs < intervalMs) {
        if (good.endMs === horizonMs) decidedMs = good.startMs;
        continue;
      }
      lacking.push(good);
      const { inner, isOver } = cutOf({ good, run, horizonMs }, history, scrapes.ends, request);
      const left = subtract(intervalSet([inner]), there);
      if (!isOver && totalMs(left) < pieceMs(inner.endMs - run.startMs)) continue;
      healed.push(...left);
      if (inner.startMs >= inner.endMs) seams.push(good);
      else seams.push({ startMs: good.startMs, endMs: inner.startMs });
      if (isOver && inner.startMs < inner.endMs)
        seams.push({ startMs: inner.endMs, endMs: good.endMs });
    }
  }
  return {
    lacking: subtract(intervalSet(lacking), there),
    healed: intervalSet(healed),
    seams: subtract(intervalSet(seams), there),
    decidedMs,
  };
}

type GoodTime = {
  /** Within the run. */
  readonly good: Interval;
  /** Of failed scrapes. */
  readonly run: Interval;
  readonly horizonMs: number;
};

/** What of a good time can be copied, and whether that is all that ever will be. */
function cutOf(
  { good, run, horizonMs }: GoodTime,
  history: SubjectHistory,
  ends: ReadonlySet<number>,
  { guardMs, nowMs }: FailedScrapesRequest,
): { readonly inner: Interval; readonly isOver: boolean } {
  const done = history.runs('done');
  const before = done.findLast(({ endMs }) => endMs <= run.startMs);
  const after = done.find(({ startMs }) => startMs >= run.endMs);
  // A run of one's own ends an interval behind its last scrape.
  const newestMs = before === undefined ? -Infinity : before.endMs - history.intervalMs;
  const isEnded =
    after !== undefined || !history.isOpen || nowMs >= run.endMs + 2 * history.intervalMs;
  // The next scrape may be good.
  const nextMs = after?.startMs ?? (isEnded ? Infinity : run.endMs);
  const lastMs = ends.has(good.endMs) ? good.endMs + 1 : good.endMs;
  const inner = {
    startMs: Math.max(good.startMs, newestMs + guardMs),
    endMs: Math.min(lastMs, nextMs - guardMs),
  };
  const isCutShort = good.endMs < Math.min(horizonMs, run.endMs);
  return { inner, isOver: isCutShort || (isEnded && run.endMs <= horizonMs) };
}

/** How much is copied at once while scrapes go on failing: each piece becomes a block, and what waits is at risk. */
function pieceMs(failingMs: number): number {
  return Math.min(MAX_PIECE_MS, Math.max(MIN_PIECE_MS, failingMs * PIECE_SHARE));
}

/** By the samples of a twin's `up` of one target. */
export function goodScrapesOf(
  { timestampsMs, values, count }: Pick<SeriesColumns, 'timestampsMs' | 'values' | 'count'>,
  intervalMs: number,
): GoodScrapes {
  const good: Interval[] = [];
  const ends = new Set<number>();
  for (let i = 0; i < count; i++) {
    if (values[i] !== 1) continue;
    const startMs = timestampsMs[i]!;
    const nextMs = i + 1 < count ? timestampsMs[i + 1]! : Infinity;
    const isFollowed = nextMs - startMs <= LATE_INTERVALS * intervalMs;
    const endMs = isFollowed ? nextMs : startMs + intervalMs;
    good.push({ startMs, endMs });
    if (isFollowed && values[i + 1] !== 1) ends.add(endMs);
  }
  return { good: intervalSet(good), ends };
}
