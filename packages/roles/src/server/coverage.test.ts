import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Log } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { ServerCoverage } from './coverage.ts';

const START_MS = 1_700_000_000_000;

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
      newestSampleMs: 0,
      oldestSampleMs: () => oldestMs,
      retentionMs: 60_000,
    });
    coverage.start();
    await clock.advance(30_000);
    expect(coverage.local()).toEqual({ sinceMs: START_MS, gaps: [] });
    oldestMs = START_MS + 10_000;
    await clock.advance(1_000);
    expect(coverage.local().sinceMs).toBe(START_MS + 10_000);
    await clock.advance(89_000);
    expect(coverage.local().sinceMs).toBe(START_MS + 60_000);
    expect(coverage.local().gaps).toEqual([]);
  });
});
