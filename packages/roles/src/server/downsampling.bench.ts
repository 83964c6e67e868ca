import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { SeededRandom, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { Engine } from '@pollux/promql';
import { Log, Registry } from '@pollux/telemetry';
import { DEFAULT_TSDB_OPTIONS, Tsdb, type TsdbOptions } from '@pollux/tsdb';

/*
 * What down-sampling costs and spares: node --conditions=@pollux/source --import tsx packages/roles/src/server/downsampling.bench.ts
 * Eight days of 40 series at 15 s, half of them counters; time is the process's own processor time.
 */

const HOUR_MS = 3_600_000;
const START_MS = 1_700_006_400_000;
const END_MS = START_MS + 8 * 24 * HOUR_MS;
const SERIES = 40;
const QUERIES = ['rate(c_total[1h])', 'avg_over_time(g[1h])', 'max_over_time(g[6h])'];
const RULES = [300_000, HOUR_MS].map((resolutionMs) => ({
  resolutionMs,
  afterMs: 0,
  retentionMs: 0,
}));

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'downsampling-bench-'));
try {
  await fill();
  const blocks = chunkBytes(directory);
  await ask('samples', {});
  for (const [index, folder] of ['5m', '1h'].entries()) {
    const downsampling = RULES.slice(0, index + 1);
    const spentMs = await measured(async () => {
      const db = await open({ downsampling, bucketsPerSlice: index === 0 ? 576 : 48 });
      for (let i = 0; i < 3; i++) await db.tick();
      await db.close();
    });
    const bytes = chunkBytes(path.join(directory, 'downsampled', folder));
    process.stdout.write(
      `${folder}: written in ${spentMs.toFixed(0)} ms, ${bytes} of ${blocks} bytes\n`,
    );
    await ask(folder, { downsampling });
  }
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}

function open(options: Partial<TsdbOptions>): Promise<Tsdb> {
  return Tsdb.open({
    directory,
    env: { ...nodeEnv(), clock: new VirtualClock() },
    log: Log.silent(),
    registry: new Registry(),
    options: {
      ...DEFAULT_TSDB_OPTIONS,
      retentionMs: 0,
      fsync: 'none',
      snapshotIntervalMs: 0,
      ...options,
    },
  });
}

async function fill(): Promise<void> {
  const random = new SeededRandom(1);
  const totals = new Float64Array(SERIES);
  const count = HOUR_MS / 15_000;
  const db = await open({});
  for (let startMs = START_MS; startMs < END_MS; startMs += HOUR_MS) {
    const appender = db.appender();
    for (let i = 0; i < SERIES; i++) {
      const ref = appender.series(Labels.from({ __name__: i % 2 ? 'c_total' : 'g', i: `${i}` }));
      const times = Float64Array.from(
        { length: count },
        (_, k) => startMs + k * 15_000 + random.below(20),
      );
      const values = times.map(() => {
        if (i % 2 === 0) return 40 + random.below(500) / 100;
        totals[i]! += random.below(500);
        return totals[i]!;
      });
      const outcomes = new Uint8Array(count);
      appender.appendFloats(new Uint32Array(count).fill(ref), times, values, null, count, outcomes);
    }
    await appender.commit();
    await db.tick();
  }
  await db.close();
}

async function ask(what: string, options: Partial<TsdbOptions>): Promise<void> {
  const db = await open(options);
  const engine = new Engine({
    clock: new VirtualClock(),
    registry: new Registry(),
    log: Log.silent(),
  });
  const startMs = START_MS + 24 * HOUR_MS;
  const endMs = END_MS - 24 * HOUR_MS;
  for (const query of QUERIES) {
    let bestMs = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5; round++) {
      const run = (): Promise<unknown> =>
        engine.range({ query, queryable: db, startMs, endMs, stepMs: HOUR_MS });
      bestMs = Math.min(bestMs, await measured(run));
    }
    process.stdout.write(`${what}: ${query} in ${bestMs.toFixed(1)} ms\n`);
  }
  await db.close();
}

async function measured(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Of all chunk files of the blocks or slices in a directory. */
function chunkBytes(inside: string): number {
  let bytes = 0;
  for (const name of fs.readdirSync(inside)) {
    const chunks = path.join(inside, name, 'chunks');
    if (name.length !== 26 || !fs.existsSync(chunks)) continue;
    for (const file of fs.readdirSync(chunks)) bytes += fs.statSync(path.join(chunks, file)).size;
  }
  return bytes;
}
