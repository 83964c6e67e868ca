import type { CoverageSubject, Interval } from './coverage.ts';
import type { CoverageReport } from './coverage-log.ts';
import type { HealedRun, HealingPlan, SubjectHealing } from './healing.ts';
import { type IntervalSet, intersect, intervalSet, subtract, union } from './interval-set.ts';
import type { SubjectHistory } from './subject-history.ts';

export type HealingRequest = {
  /** In which this server was not there. */
  readonly gap: Interval;
  /** From the end of the gap before to the beginning of the next one: what lies beyond is theirs to fill. */
  readonly fence: Interval;
  readonly histories: Iterable<SubjectHistory>;
  readonly healedRuns: readonly HealedRun[];
  readonly twin: { readonly name: string; readonly report: CoverageReport };
  /** At least the difference of the servers' clocks, ms. */
  readonly guardMs: number;
};

/**
 * Which samples of the twin fill `gap` (invariant I3 (b)): those from a guard behind this server's last scrape of a target, and
 * not before its next one was due, until a guard before its first scrape afterwards. So the twin's were all taken between
 * the two, whatever the clocks say, and no counter steps back. Rule groups likewise.
 *
 *     own scrapes     x   x   x                          x   x
 *     the twin's    y   y   y   y   y   y   y   y   y   y   y
 *     copied                      y   y   y   y   y
 *     coverage      ━━━━━━━━━━━━╍╍━━━━━━━━━━━━━━━━━━━╍╍╍╍━━━━━━    ╍ seam
 *
 * What the twin lacks stays a gap. Where a stretch that the same twin has filled before goes on there is no seam.
 */
export function planHealing(request: HealingRequest): HealingPlan {
  const { gap, twin, guardMs } = request;
  const { report } = twin;
  const { healedRuns } = request;
  const isTouched = (atMs: number): boolean =>
    healedRuns.some(
      (run) => run.twin === twin.name && (run.startMs === atMs || run.endMs === atMs),
    );
  const guards: Guards = {
    guardMs,
    beforeMs: isTouched(gap.startMs) ? 0 : guardMs,
    afterMs: isTouched(gap.endMs) ? 0 : guardMs,
    healedMs: healedRuns.every((run) => run.twin === twin.name) ? 0 : guardMs,
  };
  const lacking = intervalSet([
    { startMs: Number.MIN_SAFE_INTEGER, endMs: report.sinceMs },
    ...report.serverGaps,
  ]);
  const cut = { startMs: gap.startMs + guards.beforeMs, endMs: gap.endMs - guards.afterMs };
  const found: (SubjectCut & { readonly subject: CoverageSubject })[] = [];
  for (const history of request.histories) {
    const own = cutOf(history, request, guards);
    if (own !== null) found.push({ subject: history.subject, ...own });
  }
  // Any series may be of a target whose labels are not known.
  const everywhere = found.filter(
    ({ subject, healed }) =>
      subject.kind === 'target' && subject.labels.isEmpty && healed.length > 0,
  );
  const bounds = everywhere.reduce(
    (left: IntervalSet, { healed }) => intersect(left, healed),
    [{ startMs: Number.MIN_SAFE_INTEGER, endMs: Number.MAX_SAFE_INTEGER }],
  );
  const common = subtract(intersect(intervalSet([cut]), bounds), lacking);
  const byKey = new Map(report.subjects.map((one) => [one.subject.key, one]));
  const subjects = found.map(({ subject, healed, seams }): SubjectHealing => {
    const twins = byKey.get(subject.key);
    const left = subtract(intersect(healed, bounds), union(lacking, twins?.gaps ?? []));
    return {
      subject,
      healed: left,
      failures: intersect(left, twins?.failures ?? []),
      seams,
    };
  });
  // One that is too short for samples between two guards is a seam as a whole.
  const isSeam = cut.startMs >= cut.endMs && intersect([gap], lacking).length === 0;
  const isAny = isSeam || common.length > 0 || subjects.some(({ healed }) => healed.length > 0);
  const ownSeams = [
    ...(cut.startMs < cut.endMs ? seamsBetween(gap, cut) : [gap]),
    ...found.flatMap(({ span: { outer, inner } }) =>
      inner === null ? [outer] : seamsBetween(outer, inner),
    ),
  ];
  // The twin's own seams come with its samples.
  const taken = intersect(report.seams ?? [], [gap]);
  const seams = intervalSet([...hullOf(ownSeams, gap), ...taken]);
  if (!isAny) return { twin: twin.name, common, subjects: [], seams: [] };
  return { twin: twin.name, common, subjects, seams };
}

type Guards = {
  readonly guardMs: number;
  /** At the ends of the gap, for series of no known subject. */
  readonly beforeMs: number;
  readonly afterMs: number;
  /** Beside what was filled before. */
  readonly healedMs: number;
};

type SubjectCut = {
  readonly healed: IntervalSet;
  readonly seams: IntervalSet;
  readonly span: { readonly outer: Interval; readonly inner: Interval | null };
};

/** Null for a subject that was not there at the time. */
function cutOf(
  history: SubjectHistory,
  { gap, fence }: Pick<HealingRequest, 'gap' | 'fence'>,
  guards: Guards,
): SubjectCut | null {
  // One that is first seen soon after the start was there before.
  const lives = history
    .lifetimes()
    .filter(
      ({ startMs, endMs }) =>
        startMs <= gap.endMs + history.intervalMs && (endMs ?? Infinity) >= gap.startMs,
    );
  if (lives.length === 0) return null;
  const lifeEndMs = Math.max(...lives.map(({ endMs }) => endMs ?? Infinity));
  const isKnown = lives.some(({ startMs }) => startMs <= gap.startMs);
  const before = isKnown ? lastBefore(history, gap.startMs) : null;
  const after = firstFrom(history, gap.startMs);
  const start = startOf(before, { gap, fence }, guards);
  const end = endOf(
    after !== null && after.startMs < lifeEndMs ? after : null,
    { gap, fence },
    guards,
  );
  const outer = { startMs: start.outerMs, endMs: end.outerMs };
  // Nothing was due: it has its own history there, beside the twin's of others.
  if (outer.startMs >= outer.endMs)
    return { healed: [], seams: [], span: { outer: gap, inner: null } };
  const inner = { startMs: start.innerMs, endMs: end.innerMs };
  if (inner.startMs >= inner.endMs)
    return { healed: [], seams: [outer], span: { outer, inner: null } };
  const seams = intervalSet(seamsBetween(outer, inner));
  return { healed: [inner], seams, span: { outer, inner } };
}

type Ends = Pick<HealingRequest, 'gap' | 'fence'>;
type Edge = { readonly outerMs: number; readonly innerMs: number };

/** Where what is missing begins, and where what is copied does. */
function startOf(before: LastRun | null, { gap, fence }: Ends, guards: Guards): Edge {
  if (before === null) return { outerMs: gap.startMs, innerMs: gap.startMs + guards.beforeMs };
  if (before.endMs <= fence.startMs) return { outerMs: fence.startMs, innerMs: fence.startMs };
  const { endMs, newestMs, isHealed } = before;
  if (isHealed && guards.healedMs === 0) return { outerMs: endMs, innerMs: endMs };
  return { outerMs: endMs, innerMs: Math.max(endMs + 1, newestMs + guards.guardMs) };
}

function endOf(after: FirstRun | null, { gap, fence }: Ends, guards: Guards): Edge {
  if (after === null) return { outerMs: gap.endMs, innerMs: gap.endMs - guards.afterMs };
  if (after.startMs >= fence.endMs) return { outerMs: fence.endMs, innerMs: fence.endMs };
  const guardMs = after.isHealed ? guards.healedMs : guards.guardMs;
  return { outerMs: after.startMs, innerMs: after.startMs - guardMs };
}

/** `newestMs`: when its newest sample can be. */
type LastRun = { readonly endMs: number; readonly newestMs: number; readonly isHealed: boolean };

/** The run that goes on longest of those that began before `atMs`; null without one. */
function lastBefore(history: SubjectHistory, atMs: number): LastRun | null {
  let last: LastRun | null = null;
  for (const state of ['done', 'failed', 'healed'] as const) {
    const endMs = history.runs(state).findLast((run) => run.startMs < atMs)?.endMs;
    if (endMs === undefined || endMs <= (last?.endMs ?? -Infinity)) continue;
    const isHealed = state === 'healed';
    // A run of one's own ends an interval behind its last scrape; none is due before its end.
    last = { endMs, isHealed, newestMs: isHealed ? endMs : endMs - history.intervalMs };
  }
  return last;
}

type FirstRun = { readonly startMs: number; readonly isHealed: boolean };

/** The first run from `atMs` on; null without one. */
function firstFrom(history: SubjectHistory, atMs: number): FirstRun | null {
  let first: FirstRun | null = null;
  for (const state of ['done', 'failed', 'healed'] as const) {
    const startMs = history.runs(state).find((run) => run.startMs >= atMs)?.startMs;
    if (startMs === undefined || startMs >= (first?.startMs ?? Infinity)) continue;
    first = { startMs, isHealed: state === 'healed' };
  }
  return first;
}

function seamsBetween(outer: Interval, inner: Interval): readonly Interval[] {
  return [
    { startMs: outer.startMs, endMs: inner.startMs },
    { startMs: inner.endMs, endMs: outer.endMs },
  ].filter(({ startMs, endMs }) => startMs < endMs);
}

/** One interval around the seams of each end: between those of two targets one history may not stand for the other's. */
function hullOf(seams: readonly Interval[], gap: Interval): readonly Interval[] {
  const middleMs = (gap.startMs + gap.endMs) / 2;
  const hull = (side: readonly Interval[]): readonly Interval[] =>
    side.length === 0
      ? []
      : [
          {
            startMs: Math.min(...side.map(({ startMs }) => startMs)),
            endMs: Math.max(...side.map(({ endMs }) => endMs)),
          },
        ];
  return [
    ...hull(seams.filter(({ startMs }) => startMs < middleMs)),
    ...hull(seams.filter(({ startMs }) => startMs >= middleMs)),
  ];
}

/** What of a plan lies in `window`. */
export function pieceOf(plan: HealingPlan, window: Interval): HealingPlan {
  const within = (set: IntervalSet): IntervalSet => intersect(set, [window]);
  return {
    ...plan,
    common: within(plan.common),
    seams: within(plan.seams),
    subjects: plan.subjects.map((one) => ({
      ...one,
      healed: within(one.healed),
      failures: within(one.failures),
      seams: within(one.seams),
    })),
  };
}

/** From the first time to be copied to the last; null when there is nothing. */
export function spanOf({ common, subjects }: HealingPlan): Interval | null {
  const sets = [common, ...subjects.map(({ healed }) => healed)].filter((set) => set.length > 0);
  if (sets.length === 0) return null;
  return {
    startMs: Math.min(...sets.map((set) => set[0]!.startMs)),
    endMs: Math.max(...sets.map((set) => set.at(-1)!.endMs)),
  };
}
