import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { Engine, RangeCache, type RangeTimes } from '@pollux/promql';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';

/*
 * A dashboard over 6 h that comes each 15 s, with and without the cache of results:
 * node --conditions=@pollux/source --import tsx packages/roles/src/server/result-cache.bench.ts
 * 1,000 series at 15 s; processor time of the process per refresh, the mean of 20 behind the first.
 */

const SERIES = 1_000;
const STEP_MS = 15_000;
const SPAN_MS = 6 * 3_600_000;
const START_MS = 1_700_006_400_000;
const REFRESHES = 20;
const QUERIES = [
  'sum(rate(c_total[5m]))',
  'sum by (job) (rate(c_total[5m]))',
  'max by (job) (c_total)',
  'c_total{instance=~"1[0-9]"}',
];

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'result-cache-bench-'));
const db = await Tsdb.open({
  directory,
  env: { ...nodeEnv(), clock: new VirtualClock() },
  log: Log.silent(),
  registry: new Registry(),
  options: { fsync: 'none', snapshotIntervalMs: 0 },
});
try {
  let nowMs = START_MS;
  for (; nowMs <= START_MS + SPAN_MS; nowMs += STEP_MS) await scrape(nowMs);
  const engine = new Engine({
    clock: new VirtualClock(),
    registry: new Registry(),
    log: Log.silent(),
  });
  for (const stepMs of [STEP_MS, 60_000]) {
    for (const query of QUERIES) {
      const cache = new RangeCache({
        changes: db.changes,
        registry: new Registry(),
        maxBytes: 1 << 26,
        maxSamples: 50_000_000,
      });
      const run = (times: RangeTimes) => engine.range({ query, queryable: db, ...times });
      const request = { query, expr: engine.parse(query), lookbackMs: 300_000 };
      let plainMs = 0;
      let cachedMs = 0;
      for (let i = 0; i <= REFRESHES; i++) {
        nowMs += STEP_MS;
        await scrape(nowMs - 2_000);
        const endMs = Math.floor(nowMs / stepMs) * stepMs;
        const times = { startMs: endMs - SPAN_MS, endMs, stepMs };
        const spentPlain = await measured(() => run(times));
        const spentCached = await measured(() => cache.range({ ...request, ...times }, run));
        if (i === 0) continue;
        plainMs += spentPlain;
        cachedMs += spentCached;
      }
      const mean = (ms: number): string => `${(ms / REFRESHES).toFixed(2)} ms`;
      process.stdout.write(
        `step ${stepMs / 1_000} s, ${query}: ${mean(plainMs)} without, ${mean(cachedMs)} with the cache\n`,
      );
    }
  }
} finally {
  await db.close();
  fs.rmSync(directory, { recursive: true, force: true });
}

async function scrape(atMs: number): Promise<void> {
  const appender = db.appender();
  const refs = Uint32Array.from({ length: SERIES }, (_, i) =>
    appender.series(Labels.from({ __name__: 'c_total', job: `${i % 7}`, instance: `${i}` })),
  );
  const times = new Float64Array(SERIES).fill(atMs);
  const values = Float64Array.from(refs, (_, i) => atMs / 1_000 + i);
  appender.appendFloats(refs, times, values, null, SERIES, new Uint8Array(SERIES));
  await appender.commit();
}

async function measured(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
