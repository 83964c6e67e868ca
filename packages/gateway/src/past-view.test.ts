import { Labels, Matcher } from '@pollux/model';
import type { CoverageReport, IntervalSet } from '@pollux/storage';
import { expect, it } from 'vitest';
import { viewPast } from './past-view.ts';
import { planQuery } from './plan.ts';

const INTERVAL_MS = 10;
const SELECTORS = [[new Matcher('__name__', '=', 'm')]];

function report(failures: IntervalSet, nowMs = 1_000): CoverageReport {
  return {
    configIdentity: 'c',
    nowMs,
    sinceMs: 0,
    bucketsSinceMs: 0,
    serverGaps: [],
    subjects: [
      {
        subject: {
          key: 't',
          kind: 'target',
          labels: Labels.from({ job: 'j', instance: 'i' }),
          metricNames: [],
        },
        intervalMs: INTERVAL_MS,
        gaps: [],
        failures,
      },
    ],
  };
}

const FAILED = [{ startMs: 200, endMs: 300 }];

function uncovered(away: readonly CoverageReport[], others: readonly CoverageReport[] = []) {
  const all = [report(FAILED), ...others];
  const replicas = all.map((own, i) => ({ name: String(i), report: own }));
  const past = viewPast(replicas, SELECTORS, away);
  const window = { moving: [{ beforeMs: 50, afterMs: 0 }], fixed: [] };
  const times = { startMs: 100, endMs: 500, stepMs: 100, window };
  const { pieces, uncovered: named } = planQuery({ ...times, past, preferred: 0, canSplice: true });
  expect(pieces.length).toBeGreaterThan(0);
  return named;
}

it('what only a replica that is away has scraped is named', () => {
  expect(uncovered([])).toEqual([]);
  // Of the steps at 200, 300 … each reads 50 ms.
  expect(uncovered([report([])])).toEqual([
    { startMs: 200, endMs: 201 },
    { startMs: 250, endMs: 300 },
  ]);
});

it('nothing is named that it has failed to scrape too, has not told, or somebody else has', () => {
  expect(uncovered([report(FAILED)])).toEqual([]);
  expect(uncovered([report([{ startMs: 205, endMs: 400 }])])).toEqual([]);
  expect(uncovered([report([], 205)])).toEqual([]);
  expect(uncovered([report([])], [report([])])).toEqual([]);
});
