import { Labels, Matcher } from '@pollux/model';
import type { CoverageReport, IntervalSet } from '@pollux/storage';
import { intervalSet, overlaps } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, planQuery, type ReplicaView, spansOf, viewReplicas } from './plan.ts';

const WINDOW = { moving: { beforeMs: 10, afterMs: 0 }, fixed: [] };
const UP = [[Matcher.metric('up')]];

function view(name: string, gaps: readonly (readonly [number, number])[] = []): ReplicaView {
  return {
    name,
    gaps: intervalSet(gaps.map(([startMs, endMs]) => ({ startMs, endMs }))),
    yields: [],
    coarse: [],
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
      replicas,
      preferred: 0,
    });
    expect(plan.pieces).toEqual([{ replica: 0, startMs: 0, endMs: 300 }]);
  });

  it('changes where the window meets a gap, and does not come back before it must', () => {
    const replicas = [view('a', [[100, 120]]), view('b', [[250, 260]])];
    const plan = planQuery({
      startMs: 0,
      endMs: 300,
      stepMs: 10,
      window: WINDOW,
      replicas,
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
      replicas,
      preferred: 0,
    });
    expect(plan.uncovered).toEqual([{ startMs: 120, endMs: 122 }]);
    expect(plan.pieces).toEqual([{ replica: 1, startMs: 121, endMs: 121 }]);
  });

  it('says so when replicas hold a window only together', () => {
    const replicas = [view('a', [[100, 103]]), view('b', [[106, 109]])];
    const plan = planQuery({
      startMs: 110,
      endMs: 110,
      stepMs: 0,
      window: WINDOW,
      replicas,
      preferred: 0,
    });
    expect(plan.isShort).toBe(true);
    expect(plan.uncovered).toEqual([]);
  });

  it('minds windows that @ pins far away', () => {
    const window = { moving: null, fixed: [{ minMs: 5, maxMs: 9 }] };
    const replicas = [view('a', [[7, 8]]), view('b')];
    const plan = planQuery({
      startMs: 1_000,
      endMs: 1_020,
      stepMs: 10,
      window,
      replicas,
      preferred: 0,
    });
    expect(plan.pieces).toEqual([{ replica: 1, startMs: 1_000, endMs: 1_020 }]);
  });

  it('gives a range that must not be cut to one replica, and names what that one and the others lack', () => {
    const whole = { startMs: 0, endMs: 300, stepMs: 10, window: WINDOW, preferred: 0 };
    const plan = (replicas: readonly ReplicaView[]): unknown =>
      planQuery({ ...whole, isDivisible: false, replicas });
    const pieces = (replica: number): unknown => [{ replica, startMs: 0, endMs: 300 }];
    expect(plan([view('a', [[100, 110]]), view('b')])).toEqual({
      pieces: pieces(1),
      uncovered: [],
      isShort: false,
    });
    expect(plan([view('a', [[100, 140]]), view('b', [[250, 260]])])).toEqual({
      pieces: pieces(1),
      uncovered: [],
      isShort: true,
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
          const window = { moving: { beforeMs, afterMs: 0 }, fixed: [] };
          const request = { startMs: 100, endMs: 400, stepMs, window, replicas, preferred: 0 };
          const plan = planQuery(request);
          let anyShort = false;
          for (let at = 100; at <= 400; at += stepMs) {
            const pieces = plan.pieces.filter(({ startMs, endMs }) => startMs <= at && at <= endMs);
            expect(pieces).toHaveLength(1);
            const spans = spansOf(window, at);
            const able = replicas.filter((replica) => covers(replica, spans));
            const isCoarse = ({ coarse }: ReplicaView): boolean =>
              spans.some(({ minMs, maxMs }) => overlaps(coarse, minMs, maxMs + 1));
            const chosen = replicas[pieces[0]!.replica]!;
            if (able.length === 0) anyShort = true;
            else {
              expect(able).toContain(chosen);
              if (isCoarse(chosen)) expect(able.every(isCoarse)).toBe(true);
            }
          }
          expect(plan.uncovered.length > 0 || plan.isShort).toBe(anyShort);
          for (const { startMs, endMs } of plan.uncovered) {
            for (const { gaps } of replicas) expect(overlaps(gaps, startMs, endMs)).toBe(true);
          }
        },
      ),
    );
  });
});

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
    expect(viewReplicas(reports, UP)[0]?.gaps).toEqual(gaps);
    expect(viewReplicas(reports, [[new Matcher('job', '=', 'else')]])[0]?.gaps).toEqual([]);
  });

  it('yields a failed scrape to a replica that succeeded, and not for a target that is dead for both', () => {
    const failures = [{ startMs: 10, endMs: 20 }];
    const broken = report({ subjects: [{ subject, intervalMs: 10, gaps: [], failures }] });
    const views = viewReplicas(
      [
        { name: 'a', report: broken },
        { name: 'b', report: report({}) },
      ],
      UP,
    );
    expect(views.map(({ yields }) => yields)).toEqual([failures, []]);
    const both = viewReplicas(
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
    const views = viewReplicas(
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
    const views = viewReplicas(
      [
        { name: 'a', report: failed(10) },
        { name: 'b', report: failed(14) },
      ],
      UP,
    );
    expect(views.map(({ yields }) => yields)).toEqual([[], []]);
  });

  it('takes the time before a younger replica for its gap, and before the oldest for nobody’s', () => {
    const views = viewReplicas(
      [
        { name: 'a', report: report({ sinceMs: 100 }) },
        { name: 'b', report: report({ sinceMs: 400 }) },
      ],
      UP,
    );
    expect(views.map(({ gaps }) => gaps)).toEqual([[], [{ startMs: 100, endMs: 400 }]]);
  });

  it('asks for samples first, and who has them down-sampled where nobody else has any', () => {
    const views = viewReplicas(
      [
        { name: 'young', report: report({ sinceMs: 300 }) },
        { name: 'coarse', report: report({ sinceMs: 500, bucketsSinceMs: 100 }) },
      ],
      UP,
    );
    const window = { moving: { beforeMs: 19, afterMs: 0 }, fixed: [] };
    for (const preferred of [0, 1]) {
      const plan = planQuery({
        startMs: 200,
        endMs: 600,
        stepMs: 20,
        window,
        replicas: views,
        preferred,
      });
      const answering = (at: number): number | undefined =>
        plan.pieces.find(({ startMs, endMs }) => at >= startMs && at <= endMs)?.replica;
      expect([answering(200), answering(300), answering(320), answering(500)]).toEqual([
        1, 1, 0, 0,
      ]);
      expect(plan).toMatchObject({ uncovered: [], isShort: false });
    }
  });
});
