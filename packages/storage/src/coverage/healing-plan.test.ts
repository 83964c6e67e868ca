import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import type { CoverageSubject } from './coverage.ts';
import type { CoverageReport } from './coverage-log.ts';
import { type HealingRequest, pieceOf, planHealing, spanOf } from './healing-plan.ts';
import { SubjectHistory } from './subject-history.ts';

const GUARD_MS = 500;
const ALWAYS = { startMs: Number.MIN_SAFE_INTEGER, endMs: Number.MAX_SAFE_INTEGER };
const GAP = { startMs: 10_000, endMs: 50_000 };

function subject(name: string, more: Partial<CoverageSubject> = {}): CoverageSubject {
  const labels = Labels.from({ job: name });
  return { key: name, kind: 'target', labels, metricNames: [], ...more };
}

/** Scraped from 0 to the gap and from `againMs` on. */
function history(of: CoverageSubject, intervalMs: number, againMs: number): SubjectHistory {
  const made = new SubjectHistory(of, intervalMs);
  made.open(of, 0, intervalMs);
  for (let at = 0; at < GAP.startMs; at += intervalMs) made.record(at, 'done');
  for (let at = againMs; at < 90_000; at += intervalMs) made.record(at, 'done');
  return made;
}

function plan(more: Partial<HealingRequest> & { readonly twin?: never }, of: object = {}) {
  const report: CoverageReport = {
    configIdentity: 'x',
    nowMs: 90_000,
    sinceMs: 0,
    bucketsSinceMs: 0,
    serverGaps: [],
    subjects: [],
    ...of,
  };
  return planHealing({
    gap: GAP,
    fence: ALWAYS,
    histories: [],
    healedRuns: [],
    twin: { name: 'b', report },
    guardMs: GUARD_MS,
    ...more,
  });
}

describe('the samples of a twin that fill a gap', () => {
  it('are those between the own ones, with the guard, and of a target what it has missed', () => {
    const histories = [history(subject('t'), 3_000, 51_000)];
    const { common, subjects, seams } = plan({ histories });
    // The last own scrape was at 9,000: the next one was due at 12,000.
    expect(subjects).toMatchObject([
      {
        healed: [{ startMs: 12_001, endMs: 50_500 }],
        seams: [
          { startMs: 12_000, endMs: 12_001 },
          { startMs: 50_500, endMs: 51_000 },
        ],
      },
    ]);
    expect(common).toEqual([{ startMs: 10_500, endMs: 49_500 }]);
    expect(seams).toEqual([
      { startMs: 10_000, endMs: 12_001 },
      { startMs: 49_500, endMs: 51_000 },
    ]);
  });

  it('leave a guard behind the last own one when the interval is shorter', () => {
    const histories = [history(subject('t'), 100, 50_100)];
    const [one] = plan({ histories }).subjects;
    expect(one?.healed).toEqual([{ startMs: 10_400, endMs: 49_600 }]);
  });

  it('are none of a target that was not due, which makes all of the gap a seam', () => {
    const { subjects, seams } = plan({ histories: [history(subject('t'), 60_000, 60_000)] });
    expect(subjects).toMatchObject([{ healed: [], seams: [] }]);
    expect(seams).toEqual([GAP]);
  });

  it('are without what the twin lacks, and tell what failed for it', () => {
    const found = plan(
      { histories: [history(subject('t'), 1_000, 50_000)] },
      {
        serverGaps: [{ startMs: 20_000, endMs: 25_000 }],
        subjects: [
          {
            subject: subject('t'),
            intervalMs: 1_000,
            gaps: [{ startMs: 30_000, endMs: 31_000 }],
            failures: [{ startMs: 24_000, endMs: 27_000 }],
          },
        ],
      },
    );
    expect(found.subjects[0]?.healed).toEqual([
      { startMs: 10_001, endMs: 20_000 },
      { startMs: 25_000, endMs: 30_000 },
      { startMs: 31_000, endMs: 49_500 },
    ]);
    expect(found.subjects[0]?.failures).toEqual([{ startMs: 25_000, endMs: 27_000 }]);
    expect(found.common).toEqual([
      { startMs: 10_500, endMs: 20_000 },
      { startMs: 25_000, endMs: 49_500 },
    ]);
  });

  it('are none when the twin was away, too, or began later', () => {
    const histories = [history(subject('t'), 1_000, 50_000)];
    for (const of of [{ serverGaps: [{ startMs: 0, endMs: 60_000 }] }, { sinceMs: 60_000 }]) {
      const found = plan({ histories }, of);
      expect(spanOf(found)).toBeNull();
      expect(found.seams).toEqual([]);
    }
  });

  it('go on without a seam where the same twin has filled before', () => {
    const one = history(subject('t'), 1_000, 50_000);
    one.addRun('healed', 30_000, 49_500);
    const gap = { startMs: 10_000, endMs: 30_000 };
    const filled = (twin: string) =>
      plan({ gap, histories: [one], healedRuns: [{ startMs: 30_000, endMs: 49_500, twin }] });
    expect(filled('b').subjects[0]?.healed).toEqual([{ startMs: 10_001, endMs: 30_000 }]);
    expect(filled('b').common).toEqual([{ startMs: 10_500, endMs: 30_000 }]);
    expect(filled('c').subjects[0]?.healed).toEqual([{ startMs: 10_001, endMs: 29_500 }]);
    expect(filled('c').common).toEqual([{ startMs: 10_500, endMs: 29_500 }]);
  });

  it('stay within the fence to the next gap', () => {
    const one = history(subject('t'), 1_000, 80_000);
    const fence = { startMs: 0, endMs: 60_000 };
    expect(plan({ histories: [one], fence }).subjects[0]?.healed).toEqual([
      { startMs: 10_001, endMs: 60_000 },
    ]);
  });

  it('make a short gap a seam as a whole', () => {
    const gap = { startMs: 10_000, endMs: 10_800 };
    const { common, seams, subjects } = plan({
      gap,
      histories: [history(subject('t'), 100, 10_850)],
    });
    expect(common).toEqual([]);
    expect(subjects).toMatchObject([{ healed: [], seams: [{ startMs: 10_000, endMs: 10_850 }] }]);
    expect(seams).toEqual([{ startMs: 10_000, endMs: 10_850 }]);
  });

  it('can be taken piece by piece', () => {
    const whole = plan({ histories: [history(subject('t'), 1_000, 50_000)] });
    const first = pieceOf(whole, { startMs: 0, endMs: 30_000 });
    expect(spanOf(first)).toEqual({ startMs: 10_001, endMs: 30_000 });
    expect(first.seams).toEqual([{ startMs: 10_000, endMs: 10_500 }]);
  });
});
