import { Labels, Matcher } from '@pollux/model';
import type { Span } from '@pollux/promql/parser';
import {
  type CoverageReport,
  type IntervalSet,
  intersect,
  intervalSet,
  overlaps,
  subtract,
  union,
} from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PastView, type ReplicaView, viewPast } from './past-view.ts';
import { covers, planQuery, spansBetween } from './plan.ts';

const WINDOW = { moving: [{ beforeMs: 10, afterMs: 0 }], fixed: [] };
const UP = [[Matcher.metric('up')]];

type Plain = Omit<ReplicaView, 'avoidable' | 'sinceMs'>;

function view(name: string, gaps: readonly (readonly [number, number])[] = []): Plain {
  return {
    name,
    gaps: intervalSet(gaps.map(([startMs, endMs]) => ({ startMs, endMs }))),
    yields: [],
    coarse: [],
  };
}

/** Of one target. */
function pastOf(views: readonly Plain[]): Pick<PastView, 'replicas' | 'nobody'> {
  const [first, ...others] = views;
  const nobody = others.reduce((shared, { gaps }) => intersect(shared, gaps), first?.gaps ?? []);
  return {
    nobody,
    replicas: views.map((one) => ({
      ...one,
      sinceMs: 0,
      avoidable: union(subtract(one.gaps, nobody), one.yields),
    })),
  };
}

describe('planning a query', () => {
  it('keeps one replica while it covers', () => {
    const replicas = [view('a'), view('b', [[100, 110]])];
    const plan = planQuery({
      startMs: 0,
      endMs: 300,
      stepMs: 10,
      window: WINDOW,
      past: pastOf(replicas),
      canSplice: true,
      preferred: 0,
    });
    expect(plan.pieces).toEqual([{ replica: 0, startMs: 0, endMs: 300 }]);
  });

  it('reads raw samples only for the steps whose window meets the gaps of all', () => {
    const minute = 60_000;
    const piecesWith = (gapOfB: readonly [number, number]) =>
      planQuery({
        startMs: 0,
        endMs: 720 * minute,
        stepMs: minute,
        window: { moving: [{ beforeMs: 5 * minute - 1, afterMs: 0 }], fixed: [] },
        past: pastOf([view('a', [[120 * minute, 480 * minute]]), view('b', [gapOfB])]),
        canSplice: true,
        preferred: 0,
      }).pieces;
    // Six hours are missing, and b has them: nothing is spliced.
    expect(piecesWith([600 * minute, 610 * minute]).map(({ replica }) => replica)).toEqual([
      0, 1, 0,
    ]);
    // Where b stops as a begins again, five of 721 steps reach into both gaps.
    expect(piecesWith([480 * minute, 490 * minute])).toEqual([
      { replica: 0, startMs: 0, endMs: 119 * minute },
      { replica: 1, startMs: 120 * minute, endMs: 479 * minute },
      { replica: null, startMs: 480 * minute, endMs: 484 * minute },
      { replica: 0, startMs: 485 * minute, endMs: 720 * minute },
    ]);
  });

  it('changes where the window meets a gap, and does not come back before it must', () => {
    const replicas = [view('a', [[100, 120]]), view('b', [[250, 260]])];
    const plan = planQuery({
      startMs: 0,
      endMs: 300,
      stepMs: 10,
      window: WINDOW,
      past: pastOf(replicas),
      canSplice: true,
      preferred: 0,
    });
    expect(plan.pieces).toEqual([
      { replica: 0, startMs: 0, endMs: 90 },
      { replica: 1, startMs: 100, endMs: 240 },
      { replica: 0, startMs: 250, endMs: 300 },
    ]);
    expect(plan.uncovered).toEqual([]);
  });

  it('names what nobody covers and asks who lacks least', () => {
    const replicas = [view('a', [[100, 140]]), view('b', [[120, 125]])];
    const plan = planQuery({
      startMs: 121,
      endMs: 121,
      stepMs: 0,
      window: WINDOW,
      past: pastOf(replicas),
      canSplice: true,
      preferred: 0,
    });
    expect(plan.uncovered).toEqual([{ startMs: 120, endMs: 122 }]);
    expect(plan.pieces).toEqual([{ replica: 1, startMs: 121, endMs: 121 }]);
  });

  it('splices when replicas hold a window only together, or says so where that cannot be', () => {
    const past = pastOf([view('a', [[100, 103]]), view('b', [[106, 109]])]);
    const request = { startMs: 110, endMs: 110, stepMs: 0, window: WINDOW, past, preferred: 0 };
    const pieces = (replica: number | null): unknown => [{ replica, startMs: 110, endMs: 110 }];
    const spliced = { pieces: pieces(null), isShort: false, uncovered: [] };
    expect(planQuery({ ...request, canSplice: true })).toEqual(spliced);
    const alone = { pieces: pieces(0), isShort: true, uncovered: [] };
    expect(planQuery({ ...request, canSplice: false })).toEqual(alone);
  });

  it('splices no further than it must', () => {
    const past = pastOf([view('a', [[100, 103]]), view('b', [[106, 109]])]);
    const request = { startMs: 90, endMs: 130, stepMs: 5, window: WINDOW, past, preferred: 1 };
    expect(planQuery({ ...request, canSplice: true }).pieces).toEqual([
      { replica: 1, startMs: 90, endMs: 105 },
      { replica: null, startMs: 110, endMs: 110 },
      { replica: 0, startMs: 115, endMs: 130 },
    ]);
  });

  it('asks each of two windows apart from the time between', () => {
    const window = {
      moving: [
        { beforeMs: 105, afterMs: -100 },
        { beforeMs: 5, afterMs: 0 },
      ],
      fixed: [],
    };
    const past = pastOf([view('a', [[850, 860]]), view('b', [[900, 905]])]);
    const request = { startMs: 1_000, endMs: 1_000, stepMs: 0, window, past, preferred: 0 };
    expect(planQuery({ ...request, canSplice: true }).pieces[0]?.replica).toBe(0);
  });

  it('minds windows that @ pins far away', () => {
    const window = { moving: [], fixed: [{ minMs: 5, maxMs: 9 }] };
    const replicas = [view('a', [[7, 8]]), view('b')];
    const plan = planQuery({
      startMs: 1_000,
      endMs: 1_020,
      stepMs: 10,
      window,
      past: pastOf(replicas),
      canSplice: true,
      preferred: 0,
    });
    expect(plan.pieces).toEqual([{ replica: 1, startMs: 1_000, endMs: 1_020 }]);
  });

  it('gives a range that must not be cut to one replica, and names what that one and the others lack', () => {
    const whole = { startMs: 0, endMs: 300, stepMs: 10, window: WINDOW, preferred: 0 };
    const plan = (replicas: readonly Plain[]): unknown =>
      planQuery({ ...whole, isDivisible: false, past: pastOf(replicas), canSplice: true });
    const pieces = (replica: number | null): unknown => [{ replica, startMs: 0, endMs: 300 }];
    expect(plan([view('a', [[100, 110]]), view('b')])).toEqual({
      pieces: pieces(1),
      uncovered: [],
      isShort: false,
    });
    expect(plan([view('a', [[100, 140]]), view('b', [[250, 260]])])).toEqual({
      pieces: pieces(null),
      uncovered: [],
      isShort: false,
    });
    expect(plan([view('a', [[100, 140]]), view('b', [[130, 135]])])).toEqual({
      pieces: pieces(1),
      uncovered: [{ startMs: 130, endMs: 135 }],
      isShort: false,
    });
  });

  const anyGaps: fc.Arbitrary<IntervalSet> = fc
    .array(fc.tuple(fc.nat(400), fc.nat(30)), { maxLength: 6 })
    .map((pairs) =>
      intervalSet(pairs.map(([startMs, size]) => ({ startMs, endMs: startMs + size }))),
    );

  it('gives every step to a replica that covers it whenever there is one, and warns exactly otherwise', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ gaps: anyGaps, yields: anyGaps, coarse: anyGaps }), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(60),
        (sets, stepMs, beforeMs) => {
          const replicas = sets.map((set, i) => ({ name: String(i), ...set }));
          const window = { moving: [{ beforeMs, afterMs: 0 }], fixed: [] };
          const past = pastOf(replicas);
          const request = { startMs: 100, endMs: 400, stepMs, window, past, preferred: 0 };
          const plan = planQuery({ ...request, canSplice: true });
          const without = planQuery({ ...request, canSplice: false });
          const meets = (set: IntervalSet, spans: readonly Span[]): boolean =>
            spans.some(({ minMs, maxMs }) => overlaps(set, minMs, maxMs + 1));
          let anyUnable = false;
          for (let at = 100; at <= 400; at += stepMs) {
            const pieces = plan.pieces.filter(({ startMs, endMs }) => startMs <= at && at <= endMs);
            expect(pieces).toHaveLength(1);
            const spans = spansBetween(window, at, at);
            const able = past.replicas.filter((replica) => covers(replica, spans));
            const isCoarse = ({ coarse }: ReplicaView): boolean => meets(coarse, spans);
            const { replica } = pieces[0]!;
            if (able.length > 0) {
              const chosen = past.replicas[replica!]!;
              expect(able).toContain(chosen);
              if (isCoarse(chosen)) expect(able.every(isCoarse)).toBe(true);
              continue;
            }
            anyUnable = true;
            // Who has all that anybody has answers alone; nobody else does.
            const isEnough = (one: ReplicaView): boolean => !meets(one.avoidable, spans);
            if (replica === null) expect(past.replicas.some(isEnough)).toBe(false);
            else expect(isEnough(past.replicas[replica]!)).toBe(true);
          }
          expect(without.uncovered.length > 0 || without.isShort).toBe(anyUnable);
          expect(plan.isShort).toBe(false);
          expect(plan.uncovered).toEqual(without.uncovered);
          for (const { startMs, endMs } of plan.uncovered) {
            for (const { gaps } of replicas) expect(overlaps(gaps, startMs, endMs)).toBe(true);
          }
        },
      ),
    );
  });
});

function viewsOf(...past: Parameters<typeof viewPast>): readonly ReplicaView[] {
  return viewPast(...past).replicas;
}

function report(over: Partial<CoverageReport>): CoverageReport {
  const { sinceMs = 0 } = over;
  const none = { serverGaps: [], subjects: [] };
  return { configIdentity: 'x', nowMs: 1_000, sinceMs, bucketsSinceMs: sinceMs, ...none, ...over };
}

describe('the view of a replica', () => {
  const subject = {
    key: 't',
    kind: 'target' as const,
    labels: Labels.from({ job: 'node' }),
    metricNames: [],
  };

  it('counts only subjects that the selectors may touch', () => {
    const gaps = [{ startMs: 1, endMs: 2 }];
    const reports = [
      {
        name: 'a',
        report: report({ subjects: [{ subject, intervalMs: 10, gaps, failures: [] }] }),
      },
    ];
    expect(viewsOf(reports, UP)[0]?.gaps).toEqual(gaps);
    expect(viewsOf(reports, [[new Matcher('job', '=', 'else')]])[0]?.gaps).toEqual([]);
  });

  it('yields a failed scrape to a replica that succeeded, and not for a target that is dead for both', () => {
    const failures = [{ startMs: 10, endMs: 20 }];
    const broken = report({ subjects: [{ subject, intervalMs: 10, gaps: [], failures }] });
    const views = viewsOf(
      [
        { name: 'a', report: broken },
        { name: 'b', report: report({}) },
      ],
      UP,
    );
    expect(views.map(({ yields }) => yields)).toEqual([failures, []]);
    const both = viewsOf(
      [
        { name: 'a', report: broken },
        { name: 'b', report: broken },
      ],
      UP,
    );
    expect(both.map(({ yields }) => yields)).toEqual([[], []]);
  });

  it('does not yield to a replica that was not there yet', () => {
    const failures = [{ startMs: 10, endMs: 20 }];
    const broken = report({ subjects: [{ subject, intervalMs: 10, gaps: [], failures }] });
    const views = viewsOf(
      [
        { name: 'a', report: broken },
        { name: 'b', report: report({ sinceMs: 500 }) },
      ],
      UP,
    );
    expect(views[0]?.yields).toEqual([]);
  });

  it('yields nothing where a dying target was found dead by one replica a phase before the other', () => {
    const failed = (startMs: number): CoverageReport =>
      report({
        subjects: [{ subject, intervalMs: 10, gaps: [], failures: [{ startMs, endMs: 60 }] }],
      });
    const views = viewsOf(
      [
        { name: 'a', report: failed(10) },
        { name: 'b', report: failed(14) },
      ],
      UP,
    );
    expect(views.map(({ yields }) => yields)).toEqual([[], []]);
  });

  it('takes the time before a younger replica for its gap, and before the oldest for nobody’s', () => {
    const views = viewsOf(
      [
        { name: 'a', report: report({ sinceMs: 100 }) },
        { name: 'b', report: report({ sinceMs: 400 }) },
      ],
      UP,
    );
    expect(views.map(({ gaps }) => gaps)).toEqual([[], [{ startMs: 100, endMs: 400 }]]);
  });

  it('asks for samples first, and who has them down-sampled where nobody else has any', () => {
    const views = viewsOf(
      [
        { name: 'young', report: report({ sinceMs: 300 }) },
        { name: 'coarse', report: report({ sinceMs: 500, bucketsSinceMs: 100 }) },
      ],
      UP,
    );
    const window = { moving: [{ beforeMs: 19, afterMs: 0 }], fixed: [] };
    for (const preferred of [0, 1]) {
      const plan = planQuery({
        startMs: 200,
        endMs: 600,
        stepMs: 20,
        window,
        past: pastOf(views),
        canSplice: true,
        preferred,
      });
      const answering = (at: number): number | null | undefined =>
        plan.pieces.find(({ startMs, endMs }) => at >= startMs && at <= endMs)?.replica;
      expect([answering(200), answering(300), answering(320), answering(500)]).toEqual([
        1, 1, 0, 0,
      ]);
      expect(plan).toMatchObject({ uncovered: [], isShort: false });
    }
  });
});

describe("a seam between own samples and a twin's", () => {
  const SEAM = { startMs: 100, endMs: 110 };
  const report = (more: Partial<CoverageReport>): CoverageReport => ({
    configIdentity: 'x',
    nowMs: 1_000,
    sinceMs: 0,
    bucketsSinceMs: 0,
    serverGaps: [],
    subjects: [],
    ...more,
  });
  const over = (reports: readonly CoverageReport[]) => {
    const known = reports.map((one, i) => ({ name: String(i), report: one }));
    const window = { moving: [{ beforeMs: 5, afterMs: 0 }], fixed: [] };
    const times = { startMs: 90, endMs: 120, stepMs: 10 };
    const past = viewPast(known, UP);
    return planQuery({ ...times, window, past, preferred: 0, canSplice: true });
  };

  it('is left to another replica that was there, and is no gap when there is none', () => {
    const healed = report({ seams: [SEAM] });
    expect(over([healed, report({})]).pieces).toEqual([
      { replica: 0, startMs: 90, endMs: 90 },
      { replica: 1, startMs: 100, endMs: 120 },
    ]);
    const alone = { pieces: [{ replica: 0, startMs: 90, endMs: 120 }], uncovered: [] };
    expect(over([healed])).toMatchObject(alone);
    expect(over([healed, report({ serverGaps: [{ startMs: 50, endMs: 200 }] })])).toMatchObject(
      alone,
    );
  });
});
