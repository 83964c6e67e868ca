import { Labels } from '@pollux/model';
import { type CoverageReport, type CoverageSubject, intervalSet } from '@pollux/storage';
import { describe, expect, it } from 'vitest';
import { type Lack, viewPast } from '../past-view.ts';
import { Splice, segmentsOf } from './segments.ts';

type Times = readonly (readonly [number, number])[];

const OPTIONS = { span: { minMs: 0, maxMs: 999 }, guardMs: 10, preferred: 0, storedCopy: 0 };

function lack(
  gaps: Times,
  how: { readonly yields?: Times; readonly isStored?: boolean } = {},
): Lack {
  const set = (times: Times) => intervalSet(times.map(([startMs, endMs]) => ({ startMs, endMs })));
  const { yields = [], isStored = false } = how;
  return { gaps: set(gaps), yields: set(yields), coarse: [], isStored };
}

/** The past before the first scrape of either that is left. */
const BEFORE_A: Times = [[0, 100]];
const BEFORE_B: Times = [[0, 90]];

/** Each as replica, start and end; the replicas are the servers A and B and a store S, which has A's samples. */
function given(a: Lack, b: Lack, s: Lack = lack([], { isStored: true })): readonly string[] {
  return segmentsOf([a, b, s], OPTIONS).map(
    ({ replica, startMs, endMs }) => `${'ABS'[replica]} ${startMs} ${endMs}`,
  );
}

describe('a store behind two servers', () => {
  it('gives what neither has, and goes on to the moment at which its own server begins', () => {
    expect(given(lack(BEFORE_A), lack(BEFORE_B))).toEqual(['S 0 100', 'A 100 1000']);
    expect(given(lack(BEFORE_B), lack(BEFORE_A))).toEqual(['S 0 90', 'A 90 1000']);
  });

  it('is gone back to where its server stops, when the other one stops soon after', () => {
    const [a, b] = [
      [...BEFORE_A, [300, 400]],
      [...BEFORE_B, [310, 390]],
    ] as const;
    expect(given(lack(a), lack(b))).toEqual(['S 0 100', 'A 100 300', 'S 300 400', 'A 400 1000']);
  });

  it('is not read where its server was away and the other one was there', () => {
    const a = [...BEFORE_A, [300, 400]] as const;
    expect(given(lack(a), lack(BEFORE_B))).toEqual(['S 0 100', 'A 100 300', 'B 310 1000']);
    expect(given(lack([[0, 400]]), lack([]))).toEqual(['B 0 1000']);
  });

  it('is not read where its server failed to scrape what the other one scraped', () => {
    const a = lack(BEFORE_A, { yields: [[300, 400]] });
    expect(given(a, lack(BEFORE_B))).toEqual(['S 0 100', 'A 100 300', 'B 310 1000']);
    const atOnce = lack(BEFORE_A, { yields: [[100, 400]] });
    expect(given(atOnce, lack(BEFORE_B))).toEqual(['S 0 90', 'B 100 1000']);
  });

  it('is left where it lacks something too', () => {
    const [a, b] = [lack([[0, 200]]), lack([[0, 100]])];
    const s = lack(
      [
        [0, 50],
        [150, 160],
      ],
      { isStored: true },
    );
    expect(given(a, b, s)).toEqual(['S 50 100', 'B 110 1000']);
  });
});

describe('what is read for series of several subjects', () => {
  const [fromMs, toMs] = [10_000_000, 19_999_999];
  const target: CoverageSubject = {
    key: 't',
    kind: 'target',
    labels: Labels.from({ job: 'j', instance: 'i' }),
    metricNames: [],
  };
  const group: CoverageSubject = {
    key: 'g',
    kind: 'group',
    labels: Labels.from({}),
    metricNames: ['m'],
  };

  function report(gapsOfTarget: Times, serverGaps: Times = []): CoverageReport {
    const set = (times: Times) =>
      intervalSet(times.map(([startMs, endMs]) => ({ startMs, endMs })));
    const common = { intervalMs: 1_000, failures: [] };
    return {
      configIdentity: '',
      nowMs: toMs,
      sinceMs: 0,
      bucketsSinceMs: 0,
      serverGaps: set(serverGaps),
      subjects: [
        { ...common, subject: target, gaps: set(gapsOfTarget) },
        { ...common, subject: group, gaps: set([[fromMs + 100, fromMs + 200]]) },
      ],
    };
  }

  function read(b: CoverageReport, stores: readonly CoverageReport[]) {
    const a = report([[15_000_000, 15_100_000]]);
    const replicas = [a, b, ...stores].map((one, i) => ({
      name: String(i),
      report: one,
      isStored: i > 1,
    }));
    const span = { minMs: fromMs, maxMs: toMs };
    const how = { span, guardMs: 10, preferred: 0, storedCopy: 0 };
    return new Splice(viewPast(replicas, [[]]), how).spansToRead();
  }

  const ALL = { minMs: fromMs, maxMs: toMs };
  const AWAY = report([], [[0, 99_000_000]]);
  const stored: CoverageReport = { ...report([]), subjects: [] };

  it('is all of the span from servers, and from stores what each server lacks, with the joints', () => {
    const b = report([[15_050_000, 15_200_000]]);
    // The rule group begins a moment after the span.
    expect(read({ ...b, subjects: b.subjects.slice(0, 1) }, [stored])).toEqual([
      ALL,
      ALL,
      { minMs: 14_750_000, maxMs: 15_399_999 },
    ]);
    expect(read(b, [stored])[2]).toEqual({ minMs: fromMs, maxMs: 15_399_999 });
  });

  it('is nothing of a store where some server has everything, nor of who covers none of it', () => {
    const b: CoverageReport = { ...report([]), subjects: [] };
    expect(read(b, [stored])).toEqual([ALL, ALL, null]);
    const lacking = report([[15_050_000, 15_200_000]]);
    expect(read(lacking, [AWAY])).toEqual([ALL, ALL, null]);
  });
});
