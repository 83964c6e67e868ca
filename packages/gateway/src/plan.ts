import type { Matcher } from '@pollux/model';
import type { Span, StepWindow } from '@pollux/promql/parser';
import {
  type CoverageReport,
  type IntervalSet,
  intersect,
  intervalSet,
  mayMatchAny,
  overlaps,
  subtract,
  totalMs,
  union,
} from '@pollux/storage';

/** What the plan knows of one replica: when it may not answer alone for these selectors. */
export type ReplicaView = {
  readonly name: string;
  /** Times it does not cover. */
  readonly gaps: IntervalSet;
  /** Times it covers but gives way to another replica's success. */
  readonly yields: IntervalSet;
  /** Times of which it has only down-sampled data, and others may have the samples: they are asked first. */
  readonly coarse: IntervalSet;
};

/** Steps startMs, startMs + stepMs … endMs of the query that one replica answers. */
export type Piece = { readonly replica: number; readonly startMs: number; readonly endMs: number };

export type Plan = {
  readonly pieces: readonly Piece[];
  /** Times that some step reads and no replica covers. */
  readonly uncovered: IntervalSet;
  /** True when a step had to go to a replica that does not cover it alone, though others hold what it lacks. */
  readonly isShort: boolean;
};

/**
 * The views of `reports`, for the subjects that `selectors` may touch. A replica without a report (a plain Prometheus) is
 * taken to cover everything. Time before the oldest known past of any replica, down-sampled data included, is nobody's gap:
 * of that time only buckets are left, which are no coverage (invariant I3 speaks of visible samples), but better than nothing.
 */
export function viewReplicas(
  replicas: readonly { readonly name: string; readonly report: CoverageReport | null }[],
  selectors: readonly (readonly Matcher[])[],
): ReplicaView[] {
  const known = replicas.flatMap(({ report }) => (report === null ? [] : [report]));
  const baseMs = Math.min(...known.map((report) => report.bucketsSinceMs));
  const subjects = replicas.map(({ report }) => subjectsOf(report, selectors));
  return replicas.map(({ name, report }, index) => {
    if (report === null) return { name, gaps: [], yields: [], coarse: [] };
    const own = subjects[index]!;
    const gaps = intervalSet([
      { startMs: baseMs, endMs: report.bucketsSinceMs },
      ...report.serverGaps,
      ...[...own.values()].flatMap(({ gaps: missed }) => missed),
    ]);
    let yields: IntervalSet = [];
    for (const [key, { failures, intervalMs }] of own) {
      if (failures.length === 0) continue;
      for (const [other, { report: otherReport }] of replicas.entries()) {
        if (other === index || otherReport === null) continue;
        const theirs = subjects[other]!.get(key);
        // Before its known past the other has nothing to give way to.
        const bad = intervalSet([
          { startMs: Number.MIN_SAFE_INTEGER, endMs: otherReport.sinceMs },
          ...otherReport.serverGaps,
          ...(theirs?.gaps ?? []),
          ...(theirs?.failures ?? []),
        ]);
        yields = union(yields, wholeIntervals(subtract(failures, bad), intervalMs));
      }
    }
    const coarse = intervalSet([{ startMs: report.bucketsSinceMs, endMs: report.sinceMs }]);
    return { name, gaps, yields, coarse };
  });
}

/**
 * A target that dies is found dead by one replica a phase before the other. Only where the other went on succeeding for a
 * whole interval was it the link that broke, and not the target.
 */
function wholeIntervals(set: IntervalSet, intervalMs: number): IntervalSet {
  return set.filter(({ startMs, endMs }) => endMs - startMs >= intervalMs);
}

type SubjectState = {
  readonly intervalMs: number;
  readonly gaps: IntervalSet;
  readonly failures: IntervalSet;
};

function subjectsOf(
  report: CoverageReport | null,
  selectors: readonly (readonly Matcher[])[],
): Map<string, SubjectState> {
  const found = new Map<string, SubjectState>();
  for (const { subject, intervalMs, gaps, failures } of report?.subjects ?? []) {
    if (mayMatchAny(subject, selectors)) found.set(subject.key, { intervalMs, gaps, failures });
  }
  return found;
}

export type PlanRequest = {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
  readonly window: StepWindow;
  /** False: one replica answers the whole range. Default true. */
  readonly isDivisible?: boolean;
  readonly replicas: readonly ReplicaView[];
  /** Tried first at the first step; afterwards the replica in use is kept while it covers. */
  readonly preferred: number;
};

/**
 * Invariant I3 (a): every step goes whole to one replica that covers all it may read and yields nowhere in it; along the
 * range the replica changes only when it stops covering. Where none does, the least uncovered one answers, and what
 * nobody covers is named (c). Where nobody has the samples any more, one with down-sampled data answers.
 */
export function planQuery(request: PlanRequest): Plan {
  const { startMs, endMs, replicas } = request;
  if (
    replicas.every((view) => [view.gaps, view.yields, view.coarse].every((set) => set.length === 0))
  ) {
    return {
      pieces: [{ replica: request.preferred, startMs, endMs }],
      uncovered: [],
      isShort: false,
    };
  }
  if (request.isDivisible === false) return planWhole(request);
  const stepMs = Math.max(1, request.stepMs);
  const pieces: { replica: number; startMs: number; endMs: number }[] = [];
  const uncovered: IntervalSet[] = [];
  let current = request.preferred;
  let isShort = false;
  for (let at = startMs; at <= endMs; at += stepMs) {
    const spans = spansOf(request.window, at);
    const able = firstAble(replicas, current, spans);
    if (able === null) {
      const nobody = nobodyCovers(replicas, spans);
      if (nobody.length > 0) uncovered.push(nobody);
      else isShort = true;
      current = leastUncovered(replicas, current, spans);
    } else current = able;
    const last = pieces.at(-1);
    if (last !== undefined && last.replica === current) last.endMs = at;
    else pieces.push({ replica: current, startMs: at, endMs: at });
  }
  return { pieces, uncovered: intervalSet(uncovered.flat()), isShort };
}

/** One piece: whoever covers what all steps together read, else who lacks least. */
function planWhole({ startMs, endMs, window, replicas, preferred }: PlanRequest): Plan {
  const { moving, fixed } = window;
  const spans =
    moving === null
      ? fixed
      : [{ minMs: startMs - moving.beforeMs, maxMs: endMs + moving.afterMs }, ...fixed];
  const able = firstAble(replicas, preferred, spans);
  const replica = able ?? leastUncovered(replicas, preferred, spans);
  const uncovered = able === null ? nobodyCovers(replicas, spans) : [];
  return {
    pieces: [{ replica, startMs, endMs }],
    uncovered,
    isShort: able === null && uncovered.length === 0,
  };
}

/** All sample times that the step at `atMs` may read. */
export function spansOf(window: StepWindow, atMs: number): readonly Span[] {
  if (window.moving === null) return window.fixed;
  const { beforeMs, afterMs } = window.moving;
  return [{ minMs: atMs - beforeMs, maxMs: atMs + afterMs }, ...window.fixed];
}

/** Whether one replica covers a step alone, with samples or else with down-sampled data. */
export function covers(replica: ReplicaView, spans: readonly Span[]): boolean {
  return spans.every(
    ({ minMs, maxMs }) =>
      !overlaps(replica.gaps, minMs, maxMs + 1) && !overlaps(replica.yields, minMs, maxMs + 1),
  );
}

function firstAble(
  replicas: readonly ReplicaView[],
  current: number,
  spans: readonly Span[],
): number | null {
  let coarse: number | null = null;
  for (let i = 0; i < replicas.length; i++) {
    const index = (current + i) % replicas.length;
    const replica = replicas[index]!;
    if (!covers(replica, spans)) continue;
    if (!spans.some(({ minMs, maxMs }) => overlaps(replica.coarse, minMs, maxMs + 1))) return index;
    coarse ??= index;
  }
  return coarse;
}

function nobodyCovers(replicas: readonly ReplicaView[], spans: readonly Span[]): IntervalSet {
  let shared: IntervalSet = intervalSet(
    spans.map(({ minMs, maxMs }) => ({ startMs: minMs, endMs: maxMs + 1 })),
  );
  for (const { gaps } of replicas) shared = intersect(shared, gaps);
  return shared;
}

/** The current replica unless another lacks less; gaps weigh before yields. */
function leastUncovered(
  replicas: readonly ReplicaView[],
  current: number,
  spans: readonly Span[],
): number {
  const windows = intervalSet(
    spans.map(({ minMs, maxMs }) => ({ startMs: minMs, endMs: maxMs + 1 })),
  );
  let best = current;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < replicas.length; i++) {
    const index = (current + i) % replicas.length;
    const { gaps, yields } = replicas[index]!;
    const lack = totalMs(intersect(gaps, windows)) + totalMs(intersect(yields, windows)) / 1_000;
    if (lack < least) {
      least = lack;
      best = index;
    }
  }
  return best;
}
