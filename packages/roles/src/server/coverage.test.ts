import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { fromWire, type Interval } from '@pollux/storage';
import { Log } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { ServerCoverage } from './coverage.ts';

const START_MS = 1_700_000_000_000;
const DAY_MS = 24 * 60 * 60 * 1_000;

describe('the coverage of a server', () => {
  let coverage: ServerCoverage | null = null;
  afterEach(() => coverage?.close());

  it('begins no earlier than what storage still holds, by time or by size', async () => {
    const clock = new VirtualClock(START_MS);
    let oldestMs = Number.POSITIVE_INFINITY;
    coverage = new ServerCoverage({
      env: { ...nodeEnv(), clock },
      log: Log.silent(),
      directory: mkdtempSync(join(tmpdir(), 'server-coverage-')),
      startedMs: START_MS,
      oldestSampleMs: () => oldestMs,
      oldestBucketMs: () => Number.POSITIVE_INFINITY,
      lostTimes: () => [],
      retentionMs: () => 60_000,
      newestBlockMs: () => clock.now(),
    });
    coverage.restore(0);
    coverage.start();
    await clock.advance(30_000);
    expect(coverage.local()).toEqual({ sinceMs: START_MS, bucketsSinceMs: START_MS, gaps: [] });
    oldestMs = START_MS + 10_000;
    await clock.advance(1_000);
    expect(coverage.local().sinceMs).toBe(START_MS + 10_000);
    await clock.advance(89_000);
    expect(coverage.local().sinceMs).toBe(START_MS + 60_000);
    expect(coverage.local().gaps).toEqual([]);
  });

  it('begins with the samples, and tells how far back down-sampled data go and what they miss', async () => {
    const clock = new VirtualClock(START_MS);
    let [oldestMs, oldestBucketMs] = [START_MS, START_MS];
    coverage = new ServerCoverage({
      env: { ...nodeEnv(), clock },
      log: Log.silent(),
      directory: mkdtempSync(join(tmpdir(), 'server-coverage-')),
      startedMs: START_MS,
      oldestSampleMs: () => oldestMs,
      oldestBucketMs: () => oldestBucketMs,
      lostTimes: () => [],
      retentionMs: () => 0,
      newestBlockMs: () => Number.NEGATIVE_INFINITY,
    });
    coverage.restore(0);
    coverage.start();
    await clock.advance(30_000);
    clock.jump(20_000);
    await clock.advance(30_000);
    oldestMs = START_MS + 70_000;
    oldestBucketMs = START_MS + 10_000;
    await clock.advance(1_000);
    const [sinceMs, bucketsSinceMs] = [oldestMs, oldestBucketMs];
    const gaps = [{ startMs: START_MS + 30_000, endMs: expect.any(Number) }];
    expect(coverage.local()).toEqual({ sinceMs, bucketsSinceMs, gaps });
    const report = coverage.report(START_MS, START_MS + 80_000);
    expect(report).toMatchObject({ since: sinceMs, bucketsSince: bucketsSinceMs });
    expect(fromWire(report)).toMatchObject({ sinceMs, bucketsSinceMs, serverGaps: gaps });
    oldestBucketMs = Number.POSITIVE_INFINITY;
    await clock.advance(1_000);
    expect(coverage.local()).toEqual({ sinceMs, bucketsSinceMs: sinceMs, gaps: [] });
    expect(coverage.report(0, null)).not.toHaveProperty('bucketsSince');
  });

  it('forgets nothing and goes on when the clock is set ahead or back for a moment', async () => {
    for (const byMs of [30 * DAY_MS, -30 * DAY_MS]) {
      const clock = new VirtualClock(START_MS);
      coverage = new ServerCoverage({
        env: { ...nodeEnv(), clock },
        log: Log.silent(),
        directory: mkdtempSync(join(tmpdir(), 'server-coverage-')),
        startedMs: START_MS,
        oldestSampleMs: () => START_MS,
        oldestBucketMs: () => Number.POSITIVE_INFINITY,
        lostTimes: () => [],
        retentionMs: () => DAY_MS,
        newestBlockMs: () => START_MS,
      });
      coverage.restore(0);
      coverage.start();
      await clock.advance(30_000);
      clock.jump(byMs);
      await clock.advance(1_000);
      clock.jump(-byMs);
      await clock.advance(30_000);
      // At most the moment itself, in which no clock of this time was seen.
      const [goneMs, backMs] = [START_MS + 30_000, START_MS + 32_000];
      expect(coverage.report(START_MS + 1_000, goneMs)).toMatchObject({ serverGaps: [] });
      expect(coverage.report(backMs, START_MS + 60_000)).toMatchObject({ serverGaps: [] });
      expect(coverage.local().sinceMs).toBeLessThanOrEqual(START_MS);
      coverage.close();
    }
  });

  it('leaves out what was stored and is lost to damage', async () => {
    const clock = new VirtualClock(START_MS);
    const lost: Interval[] = [];
    coverage = new ServerCoverage({
      env: { ...nodeEnv(), clock },
      log: Log.silent(),
      directory: mkdtempSync(join(tmpdir(), 'server-coverage-')),
      startedMs: START_MS,
      oldestSampleMs: () => START_MS,
      oldestBucketMs: () => Number.POSITIVE_INFINITY,
      lostTimes: () => lost,
      retentionMs: () => 0,
      newestBlockMs: () => Number.NEGATIVE_INFINITY,
    });
    coverage.restore(0);
    coverage.start();
    await clock.advance(30_000);
    const [startMs, endMs] = [START_MS + 5_000, START_MS + 8_000];
    lost.push({ startMs, endMs });
    expect(coverage.local().gaps).toEqual([{ startMs, endMs }]);
    expect(coverage.report(startMs + 1_000, endMs + 9_000)).toMatchObject({
      serverGaps: [startMs + 1_000, endMs],
    });
    lost.pop();
    expect(coverage.local().gaps).toEqual([]);
  });
});
