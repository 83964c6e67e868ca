import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import type { CoverageState, CoverageSubject } from './coverage.ts';
import { CoverageLog } from './coverage-log.ts';
import {
  type FailedScrapesPlan,
  type FailedScrapesRequest,
  goodScrapesOf,
  planFailedScrapes,
} from './failed-scrapes-plan.ts';
import { SubjectHistory } from './subject-history.ts';

const EVERY_MS = 10_000;
const GUARD_MS = 1_000;
const NOW_MS = 400_000;
const WINDOW = { startMs: 0, endMs: 7_200_000 };
const TARGET: CoverageSubject = {
  key: 't',
  kind: 'target',
  labels: Labels.from({ job: 'j', instance: 't' }),
  metricNames: [],
};

/** Scrapes from 0 on, one letter each: g good, f failed, - none. */
function history(scrapes: string, isOpen = true): SubjectHistory {
  const made = new SubjectHistory(TARGET, EVERY_MS);
  made.open(TARGET, 0, EVERY_MS);
  for (const [i, letter] of [...scrapes].entries()) {
    const state: CoverageState = letter === 'g' ? 'done' : letter === 'f' ? 'failed' : 'missed';
    made.record(i * EVERY_MS, state);
  }
  if (!isOpen) made.close(scrapes.length * EVERY_MS);
  return made;
}

/** A twin's `up`, half an interval behind. */
function upOf(scrapes: string) {
  const samples = [...scrapes].flatMap((letter, i) =>
    letter === '-' ? [] : [[i * EVERY_MS + EVERY_MS / 2, letter === 'g' ? 1 : 0] as const],
  );
  const timestampsMs = Float64Array.from(samples, ([timeMs]) => timeMs);
  const values = Float64Array.from(samples, ([, value]) => value);
  return goodScrapesOf({ timestampsMs, values, count: samples.length }, EVERY_MS);
}

function plan(
  own: string | SubjectHistory,
  twin: string | null,
  more: Partial<FailedScrapesRequest> = {},
): FailedScrapesPlan {
  return planFailedScrapes({
    twin: 'b',
    histories: [typeof own === 'string' ? history(own) : own],
    goodOf: () => (twin === null ? null : upOf(twin)),
    window: WINDOW,
    twinNowMs: NOW_MS,
    nowMs: NOW_MS,
    guardMs: GUARD_MS,
    ...more,
  });
}

const seconds = (startS: number, endS: number) => ({
  startMs: startS * 1_000,
  endMs: endS * 1_000,
});

describe('failed scrapes that a twin stands in for', () => {
  it('are those between two good ones, to a guard before the next', () => {
    const { healing, lacking } = plan('ggggffffgggg', 'gggggggggggg');
    expect(healing.subjects).toMatchObject([
      { healed: [seconds(40, 79)], failures: [], seams: [seconds(79, 80)] },
    ]);
    expect(healing.common).toEqual([]);
    expect(healing.seams).toEqual([]);
    expect(lacking.get('t')).toEqual([seconds(40, 80)]);
  });

  it('begin a guard behind the last good one where that is longer than the interval', () => {
    const { subjects } = plan('ggggffffgggg', 'gggggggggggg', { guardMs: 12_000 }).healing;
    expect(subjects).toMatchObject([
      { healed: [seconds(42, 68)], seams: [seconds(40, 42), seconds(68, 80)] },
    ]);
  });

  it('are a seam as a whole when there is no room between two guards', () => {
    const { subjects } = plan('ggggfggggggg', 'gggggggggggg', { guardMs: 10_000 }).healing;
    expect(subjects).toMatchObject([{ healed: [], seams: [seconds(40, 50)] }]);
  });

  it('are each run by itself', () => {
    const { subjects } = plan('ggfggffggggg', 'gggggggggggg').healing;
    expect(subjects[0]?.healed).toEqual([seconds(20, 29), seconds(50, 69)]);
  });

  it('are none where both failed, and where a target died, which one finds before the other', () => {
    for (const [own, twin] of [
      ['ggggffffgggg', 'ggggffffgggg'],
      ['ggggffffgggg', 'gggfffffgggg'],
      ['ggggffffgggg', 'ggggfffggggg'],
      ['ggggffffffff', 'ggggffffffff'],
    ] as const) {
      const { healing, lacking, settled } = plan(own, twin);
      expect(healing.subjects).toEqual([]);
      expect(lacking.size).toBe(0);
      expect(settled.get('t')?.[0]?.startMs).toBe(40_000);
    }
  });

  it('are those of the time in which the twin succeeded, with the markers behind its last one', () => {
    const { healing, lacking, settled } = plan('ggggffffffgggg', 'ggggggfffggggg');
    // Its scrape of 65 s failed; that of 95 s was good again for less than an interval before the own next one.
    expect(lacking.get('t')).toEqual([seconds(40, 65)]);
    expect(healing.subjects[0]?.healed).toEqual([{ startMs: 40_000, endMs: 65_001 }]);
    expect(settled.get('t')).toEqual([seconds(65, 100)]);
  });

  it('are none of a target that the twin did not know, or only later, or no longer', () => {
    expect(plan('ggggffffgggg', null).healing.subjects).toEqual([]);
    expect(plan('ggggffffgggg', '--------gggg').lacking.size).toBe(0);
    expect(plan('ggggffffgggg', '------gggggg').lacking.get('t')).toEqual([seconds(65, 80)]);
    expect(plan('ggggffffgggg', 'gggggg------').lacking.get('t')).toEqual([seconds(40, 65)]);
  });

  it('are those of a target that is gone by now', () => {
    const { subjects } = plan(history('ggggffff', false), 'gggggggg').healing;
    expect(subjects[0]?.healed).toEqual([seconds(40, 80)]);
  });

  it('end where the process did, whose absence is filled by itself', () => {
    const { subjects } = plan('ggggff----gggg', 'gggggggggggggg').healing;
    expect(subjects).toMatchObject([{ healed: [seconds(40, 60)], seams: [] }]);
  });

  it('wait, while they go on, for what is worth a block, and are known to be lacking before', () => {
    // At 75 s the twin has surely stored what it scraped until 64 s.
    const soon = { nowMs: 75_000, twinNowMs: 75_000 };
    const early = plan('ggggfff', 'ggggggg', { nowMs: 62_000, twinNowMs: 62_000 });
    expect(early.healing.subjects).toEqual([]);
    expect(early.lacking.get('t')).toEqual([seconds(40, 51)]);
    expect(early.settled.size).toBe(0);
    expect(plan('ggggfff', 'ggggggg', soon).healing.subjects).toMatchObject([
      { healed: [seconds(40, 64)], seams: [] },
    ]);
  });

  it('are not decided by what the twin may not have stored yet', () => {
    // Of the interval from 40 s on four seconds are known.
    const at = { nowMs: 55_000, twinNowMs: 55_000 };
    const { healing, lacking, settled } = plan('ggggf', 'ggggg', at);
    expect(healing.subjects).toEqual([]);
    expect(lacking.size).toBe(0);
    expect(settled.size).toBe(0);
  });

  it('go on where the piece before ended', () => {
    const own = history('ggggffffgggg');
    own.addRun('lacking', 40_000, 64_000);
    own.addRun('healed', 40_000, 64_000);
    const { subjects } = plan(own, 'gggggggggggg').healing;
    expect(subjects).toMatchObject([{ healed: [seconds(64, 79)], seams: [seconds(79, 80)] }]);
    own.addRun('healed', 64_000, 79_000);
    own.addRun('seam', 79_000, 80_000);
    expect(plan(own, 'gggggggggggg').healing.subjects).toEqual([]);
  });

  it('can be taken window by window', () => {
    const cut = { startMs: 60_000, endMs: 120_000 };
    const { subjects } = plan('ggggffffgggg', 'gggggggggggg', { window: cut }).healing;
    expect(subjects[0]?.healed).toEqual([seconds(60, 79)]);
    const before = { startMs: 0, endMs: 60_000 };
    const first = plan('ggggffffgggg', 'gggggggggggg', { window: before });
    expect(first.healing.subjects[0]?.healed).toEqual([seconds(40, 60)]);
    expect(first.settled.size).toBe(0);
  });
});

describe('what coverage says of failed scrapes', () => {
  const of = (log: CoverageLog) => log.report(WINDOW, NOW_MS).subjects[0];

  it('is a gap while a twin has the samples, and a failure again once they are here', () => {
    const log = new CoverageLog(0);
    log.open(TARGET, 0, EVERY_MS);
    for (const [i, letter] of [...'ggggffffgggg'.padEnd(40, 'g')].entries())
      log.record(TARGET.key, i * EVERY_MS, letter === 'g' ? 'done' : 'failed');
    expect(of(log)).toMatchObject({ gaps: [], failures: [seconds(40, 80)] });
    log.lack(TARGET.key, [seconds(40, 70)]);
    expect(of(log)).toMatchObject({ gaps: [seconds(40, 70)], failures: [seconds(70, 80)] });
    const histories = [...log.histories()];
    const { healing } = planFailedScrapes({
      twin: 'b',
      histories,
      goodOf: () => upOf('gggggggggggg'),
      window: WINDOW,
      twinNowMs: NOW_MS,
      nowMs: NOW_MS,
      guardMs: GUARD_MS,
    });
    log.heal(healing);
    expect(of(log)).toMatchObject({ gaps: [], failures: [seconds(40, 80)] });
  });
});
