import { Labels } from '@pollux/model';
import { type CoverageReport, type CoverageSubject, intervalSet } from '@pollux/storage';
import fc from 'fast-check';
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

describe('segments of any servers and stores', () => {
  const CELL_MS = 20;
  const CELLS = 30;
  /** How a replica has each cell. */
  const cells = (...states: readonly string[]) =>
    fc.array(fc.constantFrom(...states), { minLength: CELLS, maxLength: CELLS });
  const server = cells('well', 'well', 'well', 'well', 'gap', 'gap', 'yield');
  const store = cells('well', 'well', 'well', 'gap');

  function lackOf(states: readonly string[], isStored: boolean): Lack {
    const set = (state: string): Times =>
      states.flatMap((own, i) => (own === state ? [[i * CELL_MS, (i + 1) * CELL_MS]] : []));
    return lack(set('gap'), { yields: set('yield'), isStored });
  }

  it('are of who covers, leave out no more than guards, and are of stores only beside what no server has', () => {
    const worlds = fc.record({
      servers: fc.array(server, { minLength: 1, maxLength: 3 }),
      stores: fc.array(store, { minLength: 0, maxLength: 2 }),
      first: fc.nat(2),
    });
    fc.assert(
      fc.property(worlds, ({ servers, stores, first }) => {
        const preferred = first % servers.length;
        const all = [...servers, ...stores];
        const lacks = all.map((states, i) => lackOf(states, i >= servers.length));
        const span = { minMs: 0, maxMs: CELLS * CELL_MS - 1 };
        const guardMs = 5;
        const segments = segmentsOf(lacks, { span, guardMs, preferred, storedCopy: preferred });
        let endMs = Number.NEGATIVE_INFINITY;
        for (const segment of segments) {
          expect(segment.startMs).toBeGreaterThanOrEqual(endMs);
          endMs = segment.endMs;
        }
        for (let cell = 0; cell < CELLS; cell++) {
          const [fromMs, toMs] = [cell * CELL_MS, (cell + 1) * CELL_MS];
          const inIt = segments.filter((one) => one.startMs < toMs && one.endMs > fromMs);
          // Of what nobody has nothing is read, whosever segment it lies in.
          if (all.every((states) => states[cell] === 'gap')) continue;
          for (const { replica } of inIt) expect(all[replica]![cell]).not.toBe('gap');
          const givenMs = inIt.reduce(
            (sum, one) => sum + Math.min(toMs, one.endMs) - Math.max(fromMs, one.startMs),
            0,
          );
          expect(givenMs).toBeGreaterThanOrEqual(CELL_MS - guardMs);
          if (inIt.some(({ replica }) => replica >= servers.length))
            expect(isBesideNothing(servers, servers[preferred]!, cell)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  /** No server has the cell, or the store's own lacks it in one piece with a cell that none has. */
  function isBesideNothing(
    servers: readonly (readonly string[])[],
    own: readonly string[],
    cell: number,
  ): boolean {
    const isNobodys = (i: number): boolean => servers.every((states) => states[i] === 'gap');
    for (const by of [1, -1])
      for (let i = cell; own[i] === 'gap'; i += by) if (isNobodys(i)) return true;
    return false;
  }
});
