import type { Answer, ChaosRecord, Point, ValueQuestion, What } from './record.ts';

/** A run without a fault begins here. */
export const FROM_MS = 1_800_000_000_000;
const SECONDS = 180;
/** When in a second each replica scrapes, and how long the target takes to answer. */
const PHASE_MS = { A: 200, B: 700 } as const;
const DELAY_MS = 4;

export const TIME: ValueQuestion = { kind: 'time', value: 0, offsetMs: 0, windowMs: 0 };
export const SLOPE: ValueQuestion = { kind: 'slope', value: 1, offsetMs: 0, windowMs: 10_000 };

/** The wall clock so many seconds into the run. */
export function second(seconds: number): number {
  return FROM_MS + seconds * 1_000;
}

/** A record of three minutes in which everything was as it should be; canaries spoil one thing of it. */
export function soundRecord(changes: Partial<ChaosRecord> = {}): ChaosRecord {
  const served = { A: servedBy('A'), B: servedBy('B') };
  return {
    setUp: 'pollux',
    seed: 1,
    fromMs: FROM_MS,
    toMs: second(SECONDS),
    faults: [],
    alarms: [
      { id: '0', riseMs: second(20), fallMs: second(50), isSilenced: false },
      { id: '1', riseMs: second(60), fallMs: second(90), isSilenced: true },
    ],
    silences: [{ id: '1', askedMs: second(53), acknowledgedMs: second(53.1), endsMs: second(120) }],
    scrapes: served,
    outages: {},
    isolationMissing: null,
    wiped: { A: [], B: [] },
    lacking: { A: [], B: [] },
    answers: [
      answer({ what: TIME, at: 100, values: newestOf(served.A) }),
      answer({ what: TIME, at: 100, values: newestOf(served.A), repeats: 0 }),
      answer({ what: SLOPE, at: 101, values: () => 1 }),
      answer({ what: { ...SLOPE, kind: 'exact', value: 0.55 }, at: 102, values: () => 0.55 }),
      answer({ what: { kind: 'names', expected: ['a', 'b'] }, at: 103, values: () => 0 }),
    ],
    notifications: [
      { id: '0', status: 'firing', atMs: second(26), from: 'A' },
      { id: '0', status: 'resolved', atMs: second(56), from: 'A' },
    ],
    samples: { A: served.A.map(sampleOf), B: served.B.map(sampleOf) },
    stored: { 'A/store': served.A.map((at) => at - DELAY_MS), 'B/store': served.B },
    ...changes,
  };
}

/** A range of a minute up to two seconds before it was asked, `at` seconds into the run. */
export function answer(from: {
  readonly what: What;
  readonly at: number;
  readonly values: (stepMs: number) => number | null;
  readonly repeats?: number;
  readonly changes?: Partial<Answer>;
}): Answer {
  const startMs = second(from.at - 62);
  const endMs = second(from.at - 2);
  const points: Point[] = [];
  const isNames = from.what.kind === 'names';
  for (let stepMs = startMs; stepMs <= endMs && !isNames; stepMs += 1_000) {
    const value = from.values(stepMs);
    if (value !== null) points.push([stepMs, value]);
  }
  return {
    question: from.what.kind,
    what: from.what,
    isRange: !isNames,
    askedMs: second(from.at),
    tookMs: 20,
    startMs,
    endMs,
    error: null,
    points,
    seriesCount: isNames ? 0 : 1,
    names: from.what.kind === 'names' ? from.what.expected : [],
    warnings: [],
    by: 'A',
    repeats: from.repeats ?? null,
    ...from.changes,
  };
}

/** The time counter as a query over these scrapes shows it. */
export function newestOf(servedMs: readonly number[]): (stepMs: number) => number | null {
  return (stepMs) => {
    const newest = servedMs.filter((at) => at - DELAY_MS <= stepMs).at(-1);
    return newest === undefined ? null : newest / 1_000;
  };
}

function servedBy(host: 'A' | 'B'): number[] {
  return Array.from({ length: SECONDS + 20 }, (_, i) => second(i - 20) + PHASE_MS[host] + DELAY_MS);
}

function sampleOf(servedMs: number): Point {
  return [servedMs - DELAY_MS, servedMs / 1_000];
}
