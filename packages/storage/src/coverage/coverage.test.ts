import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeFiles } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { Log } from '@pollux/telemetry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CoverageSubject } from './coverage.ts';
import { CoverageFile, readCoverageFile } from './coverage-file.ts';
import { CoverageLog } from './coverage-log.ts';
import { decodeHeader, encodeHeader, fromWire, summaryOf, toWire } from './coverage-wire.ts';
import { intersect, intervalSet, overlaps, subtract, union } from './interval-set.ts';
import { mayMatch } from './subject-match.ts';

const target: CoverageSubject = {
  key: 'target/node/http://a:9100/metrics',
  kind: 'target',
  labels: Labels.from({ job: 'node', instance: 'a:9100' }),
  metricNames: [],
};

describe('sets of intervals', () => {
  const set = fc
    .array(fc.tuple(fc.nat(60), fc.nat(12)), { maxLength: 8 })
    .map((pairs) =>
      intervalSet(pairs.map(([startMs, size]) => ({ startMs, endMs: startMs + size }))),
    );
  const has = (intervals: readonly { startMs: number; endMs: number }[], at: number): boolean =>
    intervals.some(({ startMs, endMs }) => startMs <= at && at < endMs);

  it('agree with membership, point by point', () => {
    fc.assert(
      fc.property(set, set, fc.nat(75), fc.nat(10), (a, b, at, size) => {
        expect(has(union(a, b), at)).toBe(has(a, at) || has(b, at));
        expect(has(subtract(a, b), at)).toBe(has(a, at) && !has(b, at));
        expect(has(intersect(a, b), at)).toBe(has(a, at) && has(b, at));
        let any = false;
        for (let point = at; point < at + size; point++) any ||= has(a, point);
        expect(overlaps(a, at, at + size)).toBe(any);
      }),
    );
  });
});

/** A server alive from 1,000 on, scraping every 100 ms at …50, told of `until` with the schedules in `skip` left out. */
function serverUntil(until: number, skip: readonly number[] = [], startedMs = 1_000): CoverageLog {
  const log = new CoverageLog(startedMs);
  const first = startedMs + 50;
  log.open(target, first, 100);
  for (let at = startedMs; at <= until; at += 50) {
    log.heartbeat(at);
    if ((at - first) % 100 === 0 && at >= first && !skip.includes(at))
      log.record(target.key, at, 'done');
  }
  return log;
}

function gapsOf(
  log: CoverageLog,
  startMs: number,
  endMs: number,
  nowMs: number,
): readonly unknown[] {
  return summaryOf(log.report({ startMs, endMs }, nowMs)).gaps.map((gap) => [
    gap.startMs,
    gap.endMs,
  ]);
}

describe('coverage of one server', () => {
  it('has no gap while every schedule took place, up to the one under way', () => {
    const log = serverUntil(5_000);
    expect(gapsOf(log, 1_050, 5_020, 5_020)).toEqual([]);
    expect(gapsOf(log, 1_050, 5_080, 5_080)).toEqual([]);
  });

  it('has a gap of one interval for a schedule left out', () => {
    expect(gapsOf(serverUntil(5_000, [2_050]), 1_050, 5_000, 5_000)).toEqual([[2_050, 2_150]]);
  });

  it('does not cover schedules that fell between its start and its first scrape', () => {
    const log = new CoverageLog(1_000);
    for (let at = 1_000; at <= 2_000; at += 100) log.heartbeat(at);
    log.open(target, 1_270, 100);
    for (let at = 1_270; at <= 2_000; at += 100) log.record(target.key, at, 'done');
    expect(gapsOf(log, 900, 2_000, 2_000)).toEqual([[1_070, 1_270]]);
  });

  it('has a gap from the last scrape to now once it is overdue', () => {
    const log = serverUntil(5_000);
    expect(gapsOf(log, 4_000, 5_300, 5_300)).toEqual([[5_050, 5_300]]);
  });

  it('has a gap for a pause of the whole process, even before the next heartbeat', () => {
    const log = serverUntil(5_000);
    expect(log.serverGaps({ startMs: 4_000, endMs: 9_000 }, 9_000)).toEqual([
      { startMs: 5_000, endMs: 9_000 },
    ]);
  });

  it('tells failed scrapes apart from missing ones', () => {
    const log = serverUntil(2_000);
    log.record(target.key, 2_050, 'failed');
    const report = log.report({ startMs: 1_050, endMs: 2_100 }, 2_100);
    expect(report.subjects[0]?.failures).toEqual([{ startMs: 2_050, endMs: 2_100 }]);
    expect(report.subjects[0]?.gaps).toEqual([]);
  });

  it('sees a schedule missed under a shorter interval right after the longer one', () => {
    const log = new CoverageLog(0);
    for (let at = 0; at <= 70_000; at += 500) log.heartbeat(at);
    log.open(target, 61_000, 5_000);
    log.record(target.key, 61_000, 'done');
    log.close(target.key, 61_200);
    log.open(target, 61_250, 100);
    for (let at = 61_450; at <= 63_000; at += 100) log.record(target.key, at, 'done');
    expect(gapsOf(log, 61_000, 63_000, 63_000)).toEqual([[61_250, 61_450]]);
  });

  it('claims nothing older than retention', () => {
    const log = serverUntil(5_000);
    log.forget(3_000);
    expect(log.report({ startMs: 0, endMs: 5_000 }, 5_000).sinceMs).toBe(3_000);
  });

  it('does not ask for a target before it was discovered nor after it was removed', () => {
    const log = new CoverageLog(0);
    for (let at = 0; at <= 100_000; at += 500) log.heartbeat(at);
    log.open(target, 50_000, 100);
    for (let at = 50_000; at < 60_000; at += 100) log.record(target.key, at, 'done');
    log.close(target.key, 60_000);
    expect(gapsOf(log, 40_000, 100_000, 100_000)).toEqual([]);
  });
});

describe('the coverage file', () => {
  const files = new NodeFiles();
  const newPath = (): string => join(mkdtempSync(join(tmpdir(), 'coverage-')), 'coverage');
  const silent = Log.silent();

  it('gives back what a twin has filled, and of which one', () => {
    const path = newPath();
    const before = new CoverageLog(1_000);
    const file = new CoverageFile({ files, path, coverage: before, log: silent });
    before.open(target, 1_050, 100);
    for (const at of [1_050, 1_150, 5_050, 5_150]) before.record(target.key, at, 'done');
    before.heartbeat(1_200);
    before.heartbeat(5_000);
    before.heartbeat(5_200);
    before.heal({
      twin: 'http://b',
      common: [{ startMs: 1_300, endMs: 4_900 }],
      seams: [
        { startMs: 1_200, endMs: 1_300 },
        { startMs: 4_900, endMs: 5_050 },
      ],
      subjects: [
        {
          subject: target,
          healed: [{ startMs: 1_300, endMs: 4_900 }],
          failures: [{ startMs: 2_000, endMs: 2_100 }],
          seams: [
            { startMs: 1_250, endMs: 1_300 },
            { startMs: 4_900, endMs: 5_050 },
          ],
        },
      ],
    });
    file.close();
    const after = new CoverageLog(5_300);
    after.restore(readCoverageFile(files, path, 5_150));
    for (const log of [before, after]) {
      const report = log.report({ startMs: 0, endMs: 5_100 }, 5_100);
      expect(fromWire(JSON.parse(JSON.stringify(toWire(report))))).toEqual(report);
      expect(report.serverGaps).toEqual([]);
      expect(report.seams).toHaveLength(2);
      expect(report.subjects).toMatchObject([
        { gaps: [], failures: [{ startMs: 2_000, endMs: 2_100 }] },
      ]);
      expect(log.healedRuns).toEqual([{ startMs: 1_300, endMs: 4_900, twin: 'http://b' }]);
    }
  });

  it('gives back what was flushed, cut to the newest sample, with the outage as a gap', () => {
    const path = newPath();
    const before = new CoverageLog(1_000);
    const file = new CoverageFile({ files, path, coverage: before, log: silent });
    before.open(target, 1_050, 100);
    for (let at = 1_050; at <= 3_050; at += 100) {
      before.heartbeat(at);
      before.record(target.key, at, 'done');
      file.flush();
    }
    // Killed here: no close. The log gave back samples up to 2,950 only.
    const after = new CoverageLog(10_000);
    after.restore(readCoverageFile(files, path, 2_950));
    after.open(target, 10_020, 100);
    for (let at = 10_020; at <= 12_000; at += 100) {
      after.heartbeat(at);
      after.record(target.key, at, 'done');
    }
    expect(gapsOf(after, 1_050, 12_000, 12_000)).toEqual([[2_951, 10_000]]);
  });

  it('asks for known targets from the start on, until they are scraped again or not found for half a minute', () => {
    const path = newPath();
    const before = new CoverageLog(1_000);
    const file = new CoverageFile({ files, path, coverage: before, log: silent });
    before.open(target, 1_050, 100);
    for (let at = 1_050; at <= 3_050; at += 100) before.record(target.key, at, 'done');
    before.heartbeat(3_100);
    file.flush();
    const after = new CoverageLog(4_000);
    after.restore(readCoverageFile(files, path, 3_100));
    for (let at = 4_000; at <= 9_000; at += 500) after.heartbeat(at);
    expect(gapsOf(after, 4_000, 9_000, 9_000)).toEqual([[4_000, 9_000]]);
    for (let at = 9_500; at <= 35_000; at += 500) after.heartbeat(at);
    expect(gapsOf(after, 4_000, 35_000, 35_000)).toEqual([]);
  });

  it('is whole again after a write that failed, and holds what was told meanwhile', () => {
    const path = newPath();
    let isFull = false;
    const brittle = new NodeFiles();
    const open = brittle.open.bind(brittle);
    brittle.open = (...args) => {
      const inner = open(...args);
      return Object.assign(Object.create(inner), {
        write: (...parts: Parameters<typeof inner.write>) => {
          if (isFull) throw new Error('no space left on device');
          return inner.write(...parts);
        },
        close: () => inner.close(),
      });
    };
    const log = new CoverageLog(1_000);
    const file = new CoverageFile({ files: brittle, path, coverage: log, log: silent });
    isFull = true;
    log.open(target, 1_050, 100);
    log.heartbeat(1_100);
    file.flush();
    isFull = false;
    log.record(target.key, 1_050, 'done');
    log.heartbeat(1_200);
    file.flush();
    const [history] = readCoverageFile(files, path, 10_000).histories;
    expect(history?.runs('done')).toEqual([{ startMs: 1_050, endMs: 1_150 }]);
    expect(history?.lifetimes()).toEqual([{ startMs: 1_050, endMs: null }]);
  });

  it('holds a group of more names than 64 kB', () => {
    const path = newPath();
    const log = new CoverageLog(1_000);
    const file = new CoverageFile({ files, path, coverage: log, log: silent });
    const metricNames = Array.from({ length: 5_000 }, (_, i) => `job:requests_total:rate${i}`);
    log.open({ key: 'group/f;g', kind: 'group', labels: Labels.EMPTY, metricNames }, 1_050, 100);
    log.open(target, 1_050, 100);
    file.close();
    const { histories } = readCoverageFile(files, path, 10_000);
    expect(histories.map(({ subject }) => subject.metricNames.length)).toEqual([5_000, 0]);
  });

  it('ends at a torn tail and never claims what it did not hold', () => {
    const path = newPath();
    const log = new CoverageLog(1_000);
    const file = new CoverageFile({ files, path, coverage: log, log: silent });
    log.open(target, 1_050, 100);
    for (let at = 1_050; at <= 5_050; at += 100) {
      log.heartbeat(at);
      log.record(target.key, at, 'done');
      file.flush();
    }
    file.close();
    const whole = files.readFile(path);
    fc.assert(
      fc.property(fc.nat(whole.length), (length) => {
        const torn = newPath();
        files.replaceFile(torn, whole.subarray(0, length));
        const past = readCoverageFile(files, torn, 10_000);
        for (const history of past.histories) {
          const last = history.runs('done').at(-1);
          expect(last === undefined || last.endMs <= 5_150).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('with any byte changed claims nothing more than it did', () => {
    const path = newPath();
    const log = new CoverageLog(1_000);
    const file = new CoverageFile({ files, path, coverage: log, log: silent });
    log.open(target, 1_050, 100);
    for (let at = 1_050; at <= 3_050; at += 100) {
      log.heartbeat(at);
      if (at !== 2_050) log.record(target.key, at, 'done');
      file.flush();
    }
    file.close();
    const whole = files.readFile(path);
    const claimed = { startMs: 1_050, endMs: 3_150 };
    for (let at = 0; at < whole.length; at++) {
      const bytes = whole.slice();
      bytes[at]! ^= 1 << (at % 8);
      const changed = newPath();
      files.replaceFile(changed, bytes);
      const { alive, histories } = readCoverageFile(files, changed, 10_000);
      const runs = histories.flatMap((history) => history.runs('done'));
      expect(subtract(intervalSet([...alive, ...runs]), [{ ...claimed, startMs: 1_000 }])).toEqual(
        [],
      );
      expect(intersect(runs, [{ startMs: 2_050, endMs: 2_150 }])).toEqual([]);
    }
  });
});

describe('coverage on the wire', () => {
  it('passes JSON and header unchanged', () => {
    const log = serverUntil(5_000, [2_050]);
    log.configIdentity = 'abc';
    const report = log.report({ startMs: 1_050, endMs: 5_000 }, 5_000);
    expect(fromWire(JSON.parse(JSON.stringify(toWire(report))))).toEqual(report);
    const summary = summaryOf(report);
    expect(decodeHeader(encodeHeader(summary, () => '/c'))).toEqual(summary);
  });

  it('names a URL beside the newest gaps when the header would be too long, and takes a foreign header for none', () => {
    const gaps = Array.from({ length: 1_000 }, (_, i) => ({ startMs: i * 10, endMs: i * 10 + 5 }));
    const long = encodeHeader(
      { configIdentity: 'x', nowMs: 1, sinceMs: 0, gaps, failures: [], url: null },
      () => '/c?start=0',
    );
    expect(decodeHeader(long)?.url).toBe('/c?start=0');
    expect(decodeHeader(long)?.gaps).toEqual(gaps.slice(-100));
    expect(long.length).toBeLessThan(4_096);
    expect(decodeHeader('something else')).toBeNull();
    expect(decodeHeader(undefined)).toBeNull();
  });

  it('refuses a malformed report', () => {
    expect(() => fromWire({ config: 'x', now: 'y' })).toThrow('malformed');
  });
});

describe('which subjects a selector may touch', () => {
  it('rules a target out only by labels that all its series carry', () => {
    expect(mayMatch(target, [new Matcher('job', '=', 'node'), new Matcher('cpu', '=', '0')])).toBe(
      true,
    );
    expect(mayMatch(target, [new Matcher('job', '=', 'other')])).toBe(false);
  });

  it('takes a rule group by the names it writes', () => {
    const group: CoverageSubject = {
      key: 'g',
      kind: 'group',
      labels: Labels.EMPTY,
      metricNames: ['ALERTS'],
    };
    expect(mayMatch(group, [Matcher.metric('ALERTS')])).toBe(true);
    expect(mayMatch(group, [Matcher.metric('up')])).toBe(false);
  });
});
