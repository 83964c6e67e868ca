import type { Span, StepWindow } from '@pollux/promql/parser';
import { type IntervalSet, intersect, intervalSet, overlaps, totalMs } from '@pollux/storage';
import type { PastView, ReplicaView } from './past-view.ts';

/** Steps startMs, startMs + stepMs … endMs of the query that one replica answers; null: a splice of several. */
export type Piece = {
  readonly replica: number | null;
  readonly startMs: number;
  readonly endMs: number;
};

export type Plan = {
  readonly pieces: readonly Piece[];
  /** Times that some step reads and no replica covers. */
  readonly uncovered: IntervalSet;
  /** True when a step had to go to a replica that does not cover it alone, though others hold what it lacks. */
  readonly isShort: boolean;
};

export type PlanRequest = {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
  readonly window: StepWindow;
  /** False: one replica answers the whole range. Default true. */
  readonly isDivisible?: boolean;
  readonly past: Pick<PastView, 'replicas' | 'nobody'> & Partial<Pick<PastView, 'unreached'>>;
  /** Tried first at the first step; afterwards the replica in use is kept while it covers. */
  readonly preferred: number;
  /** Whether series may be put together from several replicas. Else who lacks least answers such a step. */
  readonly canSplice: boolean;
};

/**
 * Invariant I3. (a) Every step goes whole to one replica that covers all it may read and yields nowhere in it; along the
 * range the replica changes only when it stops covering. (b) Where none does, a splice answers, unless one replica has all
 * that anybody has. (c) What nobody covers is named, and so is what only a replica has that is away. Where nobody has the samples any more, one with down-sampled data
 * answers.
 */
export function planQuery(request: PlanRequest): Plan {
  const { startMs, endMs, past } = request;
  const { unreached = [] } = past;
  if (
    unreached.length === 0 &&
    past.replicas.every((view) =>
      [view.gaps, view.yields, view.coarse].every((set) => set.length === 0),
    )
  ) {
    return {
      pieces: [{ replica: request.preferred, startMs, endMs }],
      uncovered: [],
      isShort: false,
    };
  }
  const pieces: { replica: number | null; startMs: number; endMs: number }[] = [];
  const uncovered: IntervalSet[] = [];
  let current = request.preferred;
  let isShort = false;
  for (const { fromMs, toMs, spans } of stepsOf(request)) {
    const chosen = choose(request, current, spans);
    uncovered.push(chosen.uncovered);
    if (unreached.length > 0) uncovered.push(intersect(windowsOf(spans), unreached));
    isShort ||= chosen.isShort;
    current = chosen.replica ?? current;
    const last = pieces.at(-1);
    if (last !== undefined && last.replica === chosen.replica) last.endMs = toMs;
    else pieces.push({ replica: chosen.replica, startMs: fromMs, endMs: toMs });
  }
  return { pieces, uncovered: intervalSet(uncovered.flat()), isShort };
}

type Steps = { readonly fromMs: number; readonly toMs: number; readonly spans: readonly Span[] };

/** Each step and what it reads; all of them as one where they must not be divided. */
function* stepsOf(request: PlanRequest): Iterable<Steps> {
  const { startMs, endMs, window } = request;
  if (request.isDivisible === false) {
    yield { fromMs: startMs, toMs: endMs, spans: spansBetween(window, startMs, endMs) };
    return;
  }
  const stepMs = Math.max(1, request.stepMs);
  for (let at = startMs; at <= endMs; at += stepMs)
    yield { fromMs: at, toMs: at, spans: spansBetween(window, at, at) };
}

type Choice = {
  readonly replica: number | null;
  readonly uncovered: IntervalSet;
  readonly isShort: boolean;
};

function choose(request: PlanRequest, current: number, spans: readonly Span[]): Choice {
  const { past, canSplice } = request;
  const able = firstAble(past.replicas, current, spans);
  if (able !== null) return { replica: able, uncovered: [], isShort: false };
  const windows = windowsOf(spans);
  const uncovered = intersect(windows, past.nobody);
  const best = leastUncovered(past.replicas, current, windows);
  const hasAll = intersect(windows, past.replicas[best]!.avoidable).length === 0;
  if (canSplice && !hasAll) return { replica: null, uncovered, isShort: false };
  return { replica: best, uncovered, isShort: !hasAll };
}

function windowsOf(spans: readonly Span[]): IntervalSet {
  return intervalSet(spans.map(({ minMs, maxMs }) => ({ startMs: minMs, endMs: maxMs + 1 })));
}

/** All sample times that steps from `startMs` to `endMs` may read. */
export function spansBetween(window: StepWindow, startMs: number, endMs: number): readonly Span[] {
  const { moving, fixed } = window;
  return [
    ...moving.map(({ beforeMs, afterMs }) => ({
      minMs: startMs - beforeMs,
      maxMs: endMs + afterMs,
    })),
    ...fixed,
  ];
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
    if (replica.isStored === true || !covers(replica, spans)) continue;
    if (!spans.some(({ minMs, maxMs }) => overlaps(replica.coarse, minMs, maxMs + 1))) return index;
    coarse ??= index;
  }
  return coarse;
}

/** The current replica unless another lacks less of what there is; gaps weigh before yields. */
function leastUncovered(
  replicas: readonly ReplicaView[],
  current: number,
  windows: IntervalSet,
): number {
  let best = current;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < replicas.length; i++) {
    const index = (current + i) % replicas.length;
    const { gaps, avoidable, isStored } = replicas[index]!;
    if (isStored === true) continue;
    const lack = totalMs(intersect(gaps, windows)) + totalMs(intersect(avoidable, windows)) / 1_000;
    if (lack < least) {
      least = lack;
      best = index;
    }
  }
  return best;
}
