import type { Labels } from '@pollux/model';
import type { Span } from '@pollux/promql/parser';
import {
  type IntervalSet,
  intersect,
  overlaps,
  SubjectIndex,
  subtract,
  type TimeRange,
  union,
} from '@pollux/storage';
import type { Lack, PastView } from '../past-view.ts';

/** Samples of [startMs, endMs) come from one replica. */
export type Segment = {
  readonly replica: number;
  readonly startMs: number;
  readonly endMs: number;
};

/** What of a segment is read. */
export type Part = { readonly replica: number; readonly range: TimeRange };

export type SegmentOptions = {
  /** All sample times that are read. */
  readonly span: Span;
  /** At least the difference of the replicas' clocks, ms. */
  readonly guardMs: number;
  /** Begins where it covers. */
  readonly preferred: number;
  /** Long-term stores give this replica's own samples where they have them: between these and its own there is no seam. */
  readonly storedCopy?: number;
};

/** More than any scrape interval. */
const MAX_JOINT_MS = 300_000;

/** All stretches of time between two cuts, and how each replica has them. */
type Stretches = {
  readonly lacks: readonly Lack[];
  readonly grades: readonly (readonly number[])[];
  readonly cuts: readonly number[];
};

/** How a replica has one stretch of time; lower is better. */
const HAS = { well: 0, yielding: 1, stored: 2, coarse: 3, not: 4 } as const;

/**
 * Which replica gives the samples of a series at which time (invariant I3 (b)): a replica goes on while nobody has the time
 * better; then the one follows that goes on longest.
 *
 *     a        ━━━━━━━━━━━━          ━━━━━━━━━━━━━━━
 *     b             ━━━━━━━━━━━━━━━━━━━━━━
 *     segments aaaaaaaaaaaa‥bbbbbbbbbbbbbbb‥aaaaaaaa     ‥ guard
 *
 * Segments are disjoint and ascend. The one that follows another replica's begins a guard later, so that its first sample
 * was taken behind the other's last one whatever the clocks say, and no counter steps back. Time that nobody covers is in none.
 */
export function segmentsOf(lacks: readonly Lack[], options: SegmentOptions): readonly Segment[] {
  const { span, guardMs } = options;
  const cuts = cutsOf(lacks, span);
  const grades = lacks.map((lack) => gradesOf(lack, cuts));
  const segments: { replica: number; startMs: number; endMs: number }[] = [];
  let current = -1;
  for (let i = 0; i + 1 < cuts.length; i++) {
    const best = Math.min(...grades.map((grade) => grade[i]!));
    if (best === HAS.not) continue;
    const store = storeAtJoint({ lacks, grades, cuts }, i, current, options.storedCopy);
    if (store !== null) current = store;
    else if (current < 0 || grades[current]![i] !== best) {
      const isJoint = current >= 0 && lacks[current]!.isStored === true;
      current =
        isJoint && grades[options.storedCopy ?? -1]?.[i] === best
          ? (options.storedCopy ?? -1)
          : longest(grades, i, best, options.preferred);
    }
    const last = segments.at(-1);
    const endMs = cuts[i + 1]!;
    if (last !== undefined && last.replica === current) {
      last.endMs = endMs;
      continue;
    }
    const isSeam = last !== undefined && !isSameCopy(lacks, [last.replica, current], options);
    const afterMs = last === undefined ? Number.NEGATIVE_INFINITY : last.endMs;
    const startMs = Math.max(cuts[i]!, afterMs + (isSeam ? guardMs : 0));
    if (startMs < endMs) segments.push({ replica: current, startMs, endMs });
  }
  return segments;
}

/**
 * Servers stop and begin to cover a target at their own scrapes. For the moments between, beside a time that none of them has, a store goes
 * on, whose samples are followed by, or follow, those of the same server: another one would make two seams. Null where this is not so: a
 * store does not stand in for a server that was away, or failed to scrape, while another one was there.
 */
function storeAtJoint(
  { lacks, grades, cuts }: Stretches,
  from: number,
  current: number,
  storedCopy = -1,
): number | null {
  const own = grades[storedCopy];
  const isStored = (replica: number): boolean => lacks[replica]?.isStored === true;
  const isAfterStore = isStored(current);
  const isOther = current >= 0 && current !== storedCopy && !isAfterStore;
  if (own === undefined || isOther || own[from]! <= HAS.stored) return null;
  const stores = [current, ...grades.keys()].filter(isStored);
  const store = stores.find((replica) => grades[replica]![from] === HAS.stored);
  if (store === undefined) return null;
  const servers = grades.filter((_, replica) => !isStored(replica));
  for (let i = from; i < own.length; i++) {
    if (isAfterStore && own[i] === HAS.well) return store;
    const isTooLong = cuts[i + 1]! - cuts[from]! > MAX_JOINT_MS;
    if (own[i]! <= HAS.stored || grades[store]![i] !== HAS.stored || isTooLong) return null;
    if (servers.every((grade) => grade[i]! > HAS.stored)) return store;
  }
  return isAfterStore ? store : null;
}

/** True of a store and the server whose samples it gives, or of two stores. */
function isSameCopy(
  lacks: readonly Lack[],
  pair: readonly number[],
  { storedCopy }: SegmentOptions,
): boolean {
  if (!pair.some((replica) => lacks[replica]!.isStored === true)) return false;
  return pair.every((replica) => lacks[replica]!.isStored === true || replica === storedCopy);
}

/** Where anything begins or ends within the span, its own ends included. */
function cutsOf(lacks: readonly Lack[], { minMs, maxMs }: Span): readonly number[] {
  const cuts = new Set([minMs, maxMs + 1]);
  for (const { gaps, yields, coarse } of lacks) {
    for (const set of [gaps, yields, coarse]) {
      for (const { startMs, endMs } of set) {
        if (startMs > minMs && startMs <= maxMs) cuts.add(startMs);
        if (endMs > minMs && endMs <= maxMs) cuts.add(endMs);
      }
    }
  }
  return [...cuts].sort((a, b) => a - b);
}

function gradesOf(
  { gaps, yields, coarse, isStored }: Lack,
  cuts: readonly number[],
): readonly number[] {
  return cuts.slice(0, -1).map((startMs, i) => {
    const endMs = cuts[i + 1]!;
    if (overlaps(gaps, startMs, endMs)) return HAS.not;
    if (isStored === true) return HAS.stored;
    if (overlaps(coarse, startMs, endMs)) return HAS.coarse;
    return overlaps(yields, startMs, endMs) ? HAS.yielding : HAS.well;
  });
}

/** Of those that have stretch `from` as well as `best`, the one that goes on so longest; of equals the next of the preferred. */
function longest(
  grades: readonly (readonly number[])[],
  from: number,
  best: number,
  preferred: number,
): number {
  let chosen = -1;
  let reach = -1;
  for (let k = 0; k < grades.length; k++) {
    const index = (preferred + k) % grades.length;
    const grade = grades[index]!;
    let to = from;
    while (to < grade.length && grade[to]! <= best) to++;
    if (grade[from] === best && to > reach) {
      chosen = index;
      reach = to;
    }
  }
  return chosen;
}

/** The segments of any series: one for all series of the same targets and rule groups. */
export class Splice {
  readonly #past: PastView;
  readonly #options: SegmentOptions;
  readonly #subjects: SubjectIndex;
  readonly #segments = new Map<string, readonly Segment[]>();

  constructor(past: PastView, options: SegmentOptions) {
    this.#past = past;
    this.#options = options;
    this.#subjects = new SubjectIndex(past.subjects.map(({ subject }) => subject));
  }

  segmentsFor(labels: Labels): readonly Segment[] {
    return this.#segmentsOf(this.#subjects.placesOf(labels));
  }

  /** For each replica the times from which it may be asked for samples; null for none. */
  spansToRead(): readonly (Span | null)[] {
    const { common } = this.#past;
    const all = this.allSegments()?.flat() ?? null;
    if (all === null) return this.#spansOfMixed();
    return common.map((_, replica) => {
      const own = all.filter((segment) => segment.replica === replica);
      if (own.length === 0) return null;
      return {
        minMs: Math.min(...own.map(({ startMs }) => startMs)),
        maxMs: Math.max(...own.map(({ endMs }) => endMs)) - 1,
      };
    });
  }

  /** The segments of all series that there may be; null where that is not known beforehand. */
  allSegments(): readonly (readonly Segment[])[] | null {
    if (this.#subjects.isMixed) return null;
    const { everywhere } = this.#subjects;
    const kinds = this.#past.subjects.map((_, index) => this.#segmentsOf([...everywhere, index]));
    for (const same of this.#subjects.alike())
      kinds.push(this.#segmentsOf([...everywhere, ...same]));
    return [this.#segmentsOf(everywhere), ...kinds];
  }

  /**
   * A series may belong to several subjects at once, whose segments together are not known beforehand: all of the span, but nothing of who
   * covers none of it, which would only be waited for, and of stores what each server lacks of some series, with the joints.
   */
  #spansOfMixed(): readonly (Span | null)[] {
    const { span } = this.#options;
    const { common, replicas } = this.#past;
    const whole: IntervalSet = [{ startMs: span.minMs, endMs: span.maxMs + 1 }];
    const lacking = replicas
      .filter(({ isStored }) => isStored !== true)
      .reduce((set, { gaps, coarse }) => intersect(set, union(gaps, coarse)), whole);
    const [first] = lacking;
    const last = lacking.at(-1);
    return common.map(({ gaps, isStored }) => {
      if (subtract(whole, gaps).length === 0) return null;
      if (isStored !== true) return span;
      if (first === undefined || last === undefined) return null;
      return {
        minMs: Math.max(span.minMs, first.startMs - MAX_JOINT_MS),
        maxMs: Math.min(span.maxMs, last.endMs - 1 + MAX_JOINT_MS),
      };
    });
  }

  #segmentsOf(found: readonly number[]): readonly Segment[] {
    const subjects = found.length < 2 ? found : [...new Set(found)].sort((a, b) => a - b);
    const key = subjects.join(' ');
    let segments = this.#segments.get(key);
    if (segments === undefined) {
      const { common } = this.#past;
      const lacks = common.map((lack, replica) =>
        subjects.map((index) => this.#past.subjects[index]!.lacks[replica]!).reduce(bothLack, lack),
      );
      segments = segmentsOf(lacks, this.#options);
      this.#segments.set(key, segments);
    }
    return segments;
  }
}

function bothLack(a: Lack, b: Lack): Lack {
  return {
    gaps: union(a.gaps, b.gaps),
    yields: union(a.yields, b.yields),
    coarse: union(a.coarse, b.coarse),
    isStored: a.isStored ?? false,
  };
}
