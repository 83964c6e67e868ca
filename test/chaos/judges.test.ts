import { describe, expect, it } from 'vitest';
import type { FindingKind } from './finding.ts';
import type { Answer, ChaosRecord, Notification, PlayedFault, Point } from './record.ts';
import { answer, newestOf, SLOPE, second, soundRecord, TIME } from './sound-record.ts';
import { verdictOf } from './verdict.ts';

/** `kind` of each finding; in brackets what the invariants allow. */
function found(record: ChaosRecord): string[] {
  return verdictOf(record).findings.map(({ kind, isAllowed }) => (isAllowed ? `(${kind})` : kind));
}

function spoilt(answers: readonly Answer[], changes: Partial<ChaosRecord> = {}): string[] {
  return found(soundRecord({ answers, ...changes }));
}

const { scrapes } = soundRecord();
const newestOfA = newestOf(scrapes.A);
const newestOfB = newestOf(scrapes.B);
const within = (stepMs: number, from: number, to: number): boolean =>
  stepMs >= second(from) && stepMs < second(to);

/** Nobody could be asked then. */
const BOTH_DOWN = {
  'A/server': [{ fromMs: second(90), toMs: second(110) }],
  'B/server': [{ fromMs: second(90), toMs: second(110) }],
};

describe('judges of a chaos run', () => {
  it('find nothing in a record that is sound', () => {
    expect(found(soundRecord())).toEqual([]);
  });

  it('find a question without an answer, and a slow one', () => {
    const whole = { what: TIME, at: 100, values: newestOfA };
    expect(spoilt([answer({ ...whole, changes: { error: 'refused' } })])).toEqual(['failed']);
    expect(spoilt([answer({ ...whole, changes: { tookMs: 1_001 } })])).toEqual(['(slow)']);
  });

  it('find a silence that was not taken, and an alarm that is told in spite of one', () => {
    const told: Notification = { id: '1', status: 'firing', atMs: second(66), from: 'B' };
    const { silences, notifications } = soundRecord();
    expect(found(soundRecord({ notifications: [...notifications, told] }))).toEqual([
      'silenced-told',
    ]);
    const refused = silences.map((silence) => ({ ...silence, acknowledgedMs: null }));
    const ended: Notification = { ...told, status: 'resolved', atMs: second(95) };
    const record = { silences: refused, notifications: [...notifications, told, ended] };
    expect(found(soundRecord(record))).toEqual(['failed']);
  });
});

describe('the judge of values', () => {
  const wrong = (what: Answer['what'], values: (stepMs: number) => number | null): string[] =>
    spoilt([answer({ what, at: 100, values })]);

  it('finds a value that no target said, one that is yet to come, and one behind the lookback', () => {
    expect(wrong(TIME, (at) => (newestOfA(at) ?? 0) - 0.3)).toEqual(['wrong']);
    expect(wrong(TIME, (at) => (newestOfA(at) ?? 0) + 2)).toEqual(['wrong']);
    expect(wrong(TIME, (at) => (newestOfA(at) ?? 0) - 20)).toContain('wrong');
  });

  it('finds a counter that goes back at a seam without a guard', () => {
    const seamed = (at: number): number | null =>
      at < second(70) ? newestOfB(at + 500) : newestOfA(at - 1_800);
    expect(wrong(TIME, seamed)).toEqual(['wrong']);
  });

  it('finds a rate that is negative, or of a blend of two replicas', () => {
    expect(wrong(SLOPE, (at) => (within(at, 60, 61) ? -0.1 : 1))).toEqual(['wrong']);
    expect(wrong(SLOPE, (at) => (within(at, 60, 70) ? 0.967 : 1))).toEqual(['wrong']);
    expect(wrong(SLOPE, (at) => (within(at, 60, 61) ? 1.2 : 1))).toEqual(['wrong']);
  });

  it('lets a rate be small where no server that could be asked has the whole window', () => {
    const answers = [answer({ what: SLOPE, at: 100, values: () => 0.4 })];
    expect(spoilt(answers, { outages: BOTH_DOWN })).toEqual([]);
    const emptied = { A: [second(95)], B: [second(95)] };
    expect(spoilt(answers, { wiped: emptied })).toEqual([]);
  });

  it('finds a selector that was answered by another replica than its neighbour', () => {
    const exact = { ...SLOPE, kind: 'exact', value: 0.55 } as const;
    expect(wrong(exact, (at) => (within(at, 60, 61) ? 0.56 : 0.55))).toEqual(['wrong']);
  });

  it('finds two series in place of one, and names that are missing', () => {
    const two = answer({
      what: TIME,
      at: 100,
      values: newestOfA,
      changes: { seriesCount: 2 },
    });
    expect(spoilt([two])).toEqual(['wrong']);
    const names = answer({
      what: { kind: 'names', expected: ['a', 'b'] },
      at: 100,
      values: () => 0,
      changes: { names: ['a'] },
    });
    expect(spoilt([names])).toEqual(['wrong']);
  });
});

describe('the judge of gaps', () => {
  const holed = (warnings: readonly string[]): Answer =>
    answer({
      what: TIME,
      at: 100,
      values: (at) => (within(at, 60, 75) ? null : newestOfA(at)),
      changes: { warnings },
    });
  const away = { 'A/server': [{ fromMs: second(60), toMs: second(110) }] };

  it('finds steps that another server had', () => {
    expect(spoilt([holed(['a warning'])])).toEqual(['gap']);
    expect(spoilt([holed([])], { outages: away })).toEqual(['gap', 'unnamed-gap']);
  });

  it('counts a sample for its own interval only: the steps behind it are the hole of a missed scrape', () => {
    const scraped = { A: scrapes.A, B: scrapes.B.filter((at) => !within(at, 60, 70)) };
    const values = (at: number): number | null => (within(at, 61, 71) ? null : newestOfA(at));
    const answers = [answer({ what: TIME, at: 100, values, changes: { warnings: ['a gap'] } })];
    const changes = { scrapes: scraped, outages: away, stored: {} };
    expect(spoilt(answers, changes)).toEqual(['(gap)']);
  });

  it('allows one that nobody who could be asked has, as long as it is named', () => {
    expect(spoilt([holed(['a warning'])], { outages: BOTH_DOWN })).toEqual(['(gap)']);
    expect(spoilt([holed([])], { outages: BOTH_DOWN })).toEqual(['(gap)', 'unnamed-gap']);
  });

  it('counts no gap where nobody scraped', () => {
    const isScraping = (at: number): boolean => !within(at, 57, 76);
    const left = { A: scrapes.A.filter(isScraping), B: scrapes.B.filter(isScraping) };
    const newest = newestOf(left.A);
    const values = (at: number): number | null => (within(at, 60, 77) ? null : newest(at));
    const answers = [answer({ what: TIME, at: 100, values })];
    expect(spoilt(answers, { scrapes: left, stored: {} })).toEqual([]);
  });
});

describe('what is filled from a twin', () => {
  /** A was away, filled its gap from B by second 90, and then B was away. */
  const filled = (seconds: number): Partial<ChaosRecord> => {
    const sound = soundRecord();
    const isHole = ([at]: Point): boolean => within(at, 60, 80);
    return {
      outages: {
        'A/server': [{ fromMs: second(60), toMs: second(80) }],
        'B/server': [{ fromMs: second(95), toMs: second(110) }],
      },
      scrapes: { A: scrapes.A.filter((at) => !within(at, 60, 80)), B: scrapes.B },
      samples: {
        A: [
          ...sound.samples.A.filter((one) => !isHole(one)),
          ...sound.samples.B.filter(isHole),
        ].sort(([left], [right]) => left - right),
        B: sound.samples.B,
      },
      lacking: {
        A: [
          { atMs: second(81), gaps: [{ fromMs: second(60), toMs: second(80) }] },
          { atMs: second(seconds), gaps: [] },
        ],
        B: [],
      },
    };
  };
  const newest = (at: number): number | null =>
    within(at, 60, 80.5) ? newestOfB(at) : newestOfA(at);
  const ask = (values: (stepMs: number) => number | null, at = 90, what = TIME): string[] =>
    spoilt([answer({ what, at: 100, values, changes: { warnings: ['a gap'] } })], filled(at));

  it('is a true answer', () => {
    expect(ask(newest)).toEqual([]);
    expect(ask(() => 1, 90, SLOPE)).toEqual([]);
  });

  it('must be answered, as soon as the server has said that it lacks it no more', () => {
    const holed = (at: number): number | null => (within(at, 64, 75) ? null : newest(at));
    expect(ask(holed)).toEqual(['gap']);
    expect(ask(holed, 99)).toEqual(['(gap)']);
    expect(ask(() => 0.4, 90, SLOPE)).toEqual(['wrong']);
    expect(ask((at) => (within(at, 75, 79) ? 0.4 : 1), 99, SLOPE)).toEqual([]);
  });

  it('is there from the loss of a disk on that it was filled behind, and not before', () => {
    const changes = filled(90);
    const { A, B } = soundRecord().samples;
    const own = A.filter(([at]) => !within(at, 60, 80));
    const all = { wiped: { A: [second(98)], B: [] }, samples: { A: [...own, ...B], B } };
    const values = (at: number): number => (within(at, 75, 79) ? 0.4 : 1);
    const short = answer({ what: SLOPE, at: 97, values });
    expect(spoilt([short], { ...changes, ...all })).toEqual([]);
    expect(spoilt([short], changes)).toEqual(['wrong']);
  });

  it('may be as fast as scrapes before the server was ready make it', () => {
    const { A, B } = soundRecord().samples;
    const late = A.map(
      ([at, value]): Point => (at === second(60.2) ? [at, value + 0.4] : [at, value]),
    );
    const scraped = { A: late.map(([, value]) => Math.round(value * 1_000)), B: scrapes.B };
    const away = { 'A/server': [{ fromMs: second(55), toMs: second(61) }] };
    const fast = answer({ what: SLOPE, at: 100, values: (at) => (at === second(61) ? 1.04 : 1) });
    const changes = { scrapes: scraped, outages: away, stored: {} };
    expect(spoilt([fast], { ...changes, samples: { A: late, B } })).toEqual([]);
    expect(spoilt([fast], { outages: away })).toEqual(['wrong']);
  });

  it('must be what a target said, in order', () => {
    expect(ask((at) => (newest(at) ?? 0) - (within(at, 64, 75) ? 0.3 : 0))).toEqual(['wrong']);
    const blend = (at: number): number | null =>
      within(at, 60, 80.5) && at % 2_000 === 0 ? newestOfB(at - 3_000) : newest(at);
    expect(ask(blend)).toContain('wrong');
  });

  it('is no more than the twin had: where it was cut off, and the disk with the rest is lost, nobody can name the gap', () => {
    const cut: PlayedFault = {
      kind: 'cut-host',
      host: 'A',
      processes: ['A/server'],
      fromMs: second(60),
      endedMs: second(70),
      recoveredMs: second(70),
    };
    const { samples } = soundRecord();
    const hasScraped = (at: number): boolean => !within(at, 60, 70);
    const changes: Partial<ChaosRecord> = {
      faults: [cut],
      outages: { 'A/server': [{ fromMs: cut.fromMs, toMs: cut.endedMs }] },
      scrapes: { A: scrapes.A.filter(hasScraped), B: scrapes.B },
      samples: {
        // As JSON has it, the stale marker of the first scrape that failed.
        A: [...samples.A.filter(([at]) => hasScraped(at)), [second(60) + 200, null as never]],
        B: samples.B,
      },
      lacking: { A: [{ atMs: second(20), gaps: [] }], B: [{ atMs: second(99), gaps: [] }] },
      stored: {},
    };
    const holed = answer({
      what: TIME,
      at: 110,
      values: (at) => (within(at, 60.3, 70.5) ? null : newestOfA(at)),
    });
    const wiped = { A: [], B: [second(90)] };
    expect(spoilt([holed], { ...changes, wiped })).toEqual(['(gap)', '(unnamed-gap)']);
    expect(spoilt([holed], changes)).toEqual(['gap', 'unnamed-gap']);
    for (const faults of [
      [],
      [{ ...cut, recoveredMs: second(66) }],
      [{ ...cut, fromMs: second(64) }],
      [{ ...cut, host: 'B' as const }],
      [{ ...cut, kind: 'silent-host' as const }],
    ])
      expect(spoilt([holed], { ...changes, wiped, faults })).toEqual(['(gap)', 'unnamed-gap']);
    const early = { A: [], B: [second(50)] };
    expect(spoilt([holed], { ...changes, wiped: early })).toEqual(['gap', 'unnamed-gap']);
  });

  it('may change the answer when it comes, and not later', () => {
    const twice = (at: number): string[] => {
      const first = answer({ what: TIME, at: 100, values: newestOfA });
      return spoilt([first, answer({ what: TIME, at: 100, values: newestOfB, repeats: 0 })], {
        lacking: { A: [{ atMs: second(at), gaps: [] }], B: [] },
      });
    };
    expect(twice(101)).toEqual(['(differs)']);
    expect(twice(90)).toEqual(['differs']);
  });
});

describe('hosts that do not reach each other', () => {
  const parted: PlayedFault = {
    kind: 'partition',
    host: 'A',
    processes: ['A/alertmanager', 'B/alertmanager'],
    fromMs: second(90),
    endedMs: second(110),
    recoveredMs: second(110),
  };
  const away = { 'A/server': [{ fromMs: second(60), toMs: second(80) }] };
  const holed = (by: 'A' | 'B', warnings: readonly string[]): Answer =>
    answer({
      what: TIME,
      at: 100,
      values: (at) => (within(at, 61, 80) ? null : newestOfA(at)),
      changes: { by, warnings },
    });

  it('may lack what the other has, and nothing of their own', () => {
    const changes = { faults: [parted], outages: away };
    expect(spoilt([holed('A', ['a gap'])], changes)).toEqual(['(gap)']);
    expect(spoilt([holed('B', ['a gap'])], changes)).toEqual(['gap']);
    expect(spoilt([holed('B', [])], changes)).toEqual(['gap', 'unnamed-gap']);
    expect(spoilt([holed('A', ['a gap'])], { outages: away })).toEqual(['gap']);
  });

  it('need not name what they failed to scrape while they were cut off; that they were away they know', () => {
    const cut: PlayedFault = {
      ...parted,
      kind: 'cut-link',
      processes: [],
      fromMs: second(60),
      endedMs: second(80),
      recoveredMs: second(80),
    };
    const changes = {
      scrapes: { A: scrapes.A.filter((at) => !within(at, 60, 80)), B: scrapes.B },
      stored: {},
    };
    const { points } = answer({
      what: TIME,
      at: 100,
      values: (at) => (within(at, 61, 80.5) ? null : newestOfA(at)),
    });
    const unnamed = (faults: readonly PlayedFault[], by: 'A' | 'B' = 'A'): string[] =>
      spoilt([{ ...holed(by, []), points }], { ...changes, faults });
    expect(unnamed([parted, cut])).toEqual(['(gap)', '(unnamed-gap)']);
    expect(unnamed([parted])).toEqual(['(gap)', 'unnamed-gap']);
    expect(unnamed([parted, cut], 'B')).toEqual(['gap', 'unnamed-gap']);
    expect(unnamed([cut])).toEqual(['gap', 'unnamed-gap']);
    const shorter = { ...cut, endedMs: second(70), recoveredMs: second(70) };
    expect(unnamed([parted, shorter])).toEqual(['(gap)', 'unnamed-gap']);
    const ofOther = { ...cut, host: 'B' as const };
    expect(unnamed([parted, ofOther])).toEqual(['(gap)', 'unnamed-gap']);
    expect(spoilt([holed('A', [])], { faults: [parted], outages: away })).toEqual([
      '(gap)',
      'unnamed-gap',
    ]);
  });

  it('may both tell of an alarm, until they have met again', () => {
    const [firing, resolved] = soundRecord().notifications;
    if (firing === undefined || resolved === undefined) throw new Error('a sound record has both');
    const notifications = [firing, { ...firing, from: 'B' as const, atMs: second(32) }, resolved];
    const between = { ...parted, fromMs: second(5), endedMs: second(20) };
    expect(found(soundRecord({ notifications, faults: [between] }))).toEqual(['(doubled)']);
    const before = { ...between, fromMs: second(1), endedMs: second(10) };
    expect(found(soundRecord({ notifications, faults: [before] }))).toEqual(['doubled']);
  });
});

describe('the judge of freshness', () => {
  it('finds an old sample shown where a server that could be asked had a newer one', () => {
    const frozen = (at: number): number | null =>
      newestOfA(within(at, 62, 68) ? second(60) + 500 : at);
    const answers = [answer({ what: TIME, at: 100, values: frozen })];
    expect(spoilt(answers)).toEqual(['stale']);
    expect(spoilt(answers, { outages: BOTH_DOWN })).toEqual(['(stale)']);
  });
});

describe('the judge of agreement', () => {
  const fault: PlayedFault = {
    kind: 'kill-process',
    host: 'A',
    processes: ['A/server'],
    fromMs: second(99),
    endedMs: second(105),
    recoveredMs: second(106),
  };
  const answers = [
    answer({ what: TIME, at: 100, values: newestOfA }),
    answer({ what: TIME, at: 100, values: newestOfB, repeats: 0 }),
  ];

  it('finds another answer to the same question, unless a fault made another server answer', () => {
    expect(spoilt(answers)).toEqual(['differs']);
    expect(spoilt(answers, { faults: [fault] })).toEqual(['(differs)']);
  });
});

describe('the judge of storage', () => {
  it('finds each second that a store lacks', () => {
    const { stored } = soundRecord();
    const holed = (stored['A/store'] ?? []).filter((at) => !within(at, 60, 70));
    const seconds = found(soundRecord({ stored: { ...stored, 'A/store': holed } }));
    expect(new Set(seconds)).toEqual(new Set<FindingKind>(['unstored']));
    expect(seconds.length).toBeGreaterThan(5);
    expect(seconds.length).toBeLessThanOrEqual(10);
  });

  it('finds a store that does not answer in the end', () => {
    const seconds = found(soundRecord({ stored: { 'A/store': null } }));
    expect(seconds.length).toBeGreaterThan(170);
  });
});

describe('the judge of notifications', () => {
  const [firing, resolved] = soundRecord().notifications as [Notification, Notification];
  const told = (...notifications: readonly Notification[]): string[] =>
    found(soundRecord({ notifications }));
  const again: Notification = { ...firing, from: 'B', atMs: second(31) };

  it('finds what was never told, and what was told late', () => {
    expect(told(resolved)).toEqual(['lost']);
    expect(told(firing)).toEqual(['lost']);
    expect(told({ ...firing, atMs: second(40) }, resolved)).toEqual(['late']);
    expect(told(firing, { ...resolved, atMs: second(75) })).toEqual(['late']);
  });

  it('finds an end that was told while the alarm was up', () => {
    expect(told(firing, { ...resolved, atMs: second(35) }, resolved)).toEqual(['untrue']);
  });

  it('explains such an end by a server that was cut off from its targets, and that it is not told again', () => {
    const early = { ...resolved, atMs: second(35) };
    const cut: PlayedFault = {
      kind: 'cut-link',
      host: 'A',
      processes: [],
      fromMs: second(30),
      endedMs: second(40),
      recoveredMs: second(40),
    };
    const whileCut = (...notifications: readonly Notification[]): string[] =>
      found(soundRecord({ notifications, faults: [cut] }));
    expect(whileCut(firing, early, resolved)).toEqual(['(untrue)']);
    expect(whileCut(firing, early)).toEqual(['(untrue)', '(lost)']);
    expect(told(firing, early)).toEqual(['untrue', 'lost']);
  });

  it('finds an alarm that is told once more after its end was told', () => {
    const late: Notification = { ...firing, from: 'B', atMs: second(57) };
    expect(told(firing, resolved, late)).toEqual(['untrue']);
    const stopped: PlayedFault = {
      kind: 'silent-host',
      host: 'B',
      processes: ['B/server', 'B/alertmanager'],
      fromMs: second(46),
      endedMs: second(56.5),
      recoveredMs: second(56.5),
    };
    const notifications = [firing, resolved, late];
    expect(found(soundRecord({ notifications, faults: [stopped] }))).toEqual(['(untrue)']);
    const ofOther = { ...stopped, processes: ['A/alertmanager'] };
    expect(found(soundRecord({ notifications, faults: [ofOther] }))).toEqual(['untrue']);
  });

  it('explains such a message by a server whose disk was full when the alarm ended, and as long as old samples are seen', () => {
    const late: Notification = { ...firing, from: 'B', atMs: second(57) };
    const whileFull = (from: number, to: number): string[] => {
      const full: PlayedFault = {
        kind: 'full-disk',
        host: 'A',
        processes: ['A/server', 'A/alertmanager'],
        fromMs: second(from),
        endedMs: second(to),
        recoveredMs: second(to),
      };
      return found(soundRecord({ notifications: [firing, resolved, late], faults: [full] }));
    };
    expect(whileFull(48, 58)).toEqual(['(untrue)']);
    expect(whileFull(48, 53)).toEqual(['untrue']);
    expect(whileFull(43, 58)).toEqual(['untrue']);
    expect(whileFull(52, 58)).toEqual(['untrue']);
    expect(whileFull(40, 49)).toEqual(['untrue']);
  });

  it('finds what was told twice', () => {
    expect(told(firing, again, resolved)).toEqual(['doubled']);
  });

  it('explains a second message only by a first sender that fell at once, or by one that was stopped', () => {
    const notifications = [firing, again, resolved];
    const fell = (after: number): string[] =>
      found(
        soundRecord({
          notifications,
          outages: {
            'A/alertmanager': [{ fromMs: second(26 + after), toMs: second(34) }],
          },
        }),
      );
    expect(fell(0.5)).toEqual(['(doubled)']);
    expect(fell(4)).toEqual(['doubled']);
    const stopped: PlayedFault = {
      kind: 'pause-process',
      host: 'B',
      processes: ['B/alertmanager'],
      fromMs: second(24),
      endedMs: second(30),
      recoveredMs: second(30),
    };
    expect(found(soundRecord({ notifications, faults: [stopped] }))).toEqual(['(doubled)']);
    const elsewhere = { ...stopped, processes: ['B/server'] };
    expect(found(soundRecord({ notifications, faults: [elsewhere] }))).toEqual(['doubled']);
  });
});
