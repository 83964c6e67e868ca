/**
 * How long a compaction of blocks holds the thread that appends, by the wall clock and by its time on the processor, here and in a
 * worker, and what memory it leaves. Linux only. Run with `node --expose-gc --conditions=@pollux/source --import tsx` and this file;
 * the argument is the number of series of each of the three blocks (100,000).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '../db.ts';
import { writeChunkBlock, xorChunk } from '../testing/block-fixtures.ts';
import { bitsOf } from '../testing/fixtures.ts';

const SERIES = Number(process.argv[2] ?? 100_000);
const RANGE_MS = 2 * 60 * 60 * 1000;
const SAMPLES = 120;
const PATTERNS = 30;

const source = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-compaction-'));
for (let block = 0; block < 4; block++) {
  const minTime = block * RANGE_MS;
  const chunks = Array.from({ length: PATTERNS }, (_, pattern) =>
    xorChunk(
      Array.from({ length: SAMPLES }, (__, k) => ({
        timestampMs: minTime + k * 60_000,
        bits: bitsOf(pattern % 3 === 0 ? pattern : k * 15 * (1 + pattern)),
      })),
    ),
  );
  const rows = Array.from({ length: block < 3 ? SERIES : 1 }, (_, i) => ({
    labels: Labels.from({ __name__: `node_metric_${i % 500}`, job: 'node', id: String(i) }),
    chunks: [chunks[i % PATTERNS]!],
  }));
  await writeChunkBlock(source, { minTime, maxTime: minTime + RANGE_MS, rows, seed: block + 1 });
}

for (const minBytes of [Number.POSITIVE_INFINITY, 0]) {
  const directory = `${source}-run`;
  fs.cpSync(source, directory, { recursive: true });
  const db = await Tsdb.open({
    directory,
    env: nodeEnv(),
    log: Log.silent(),
    registry: new Registry(),
    options: { retentionMs: 0, compactionWorkerMinBytes: minBytes },
  });
  globalThis.gc?.();
  const rssBefore = process.memoryUsage.rss();
  const holds = { wallMs: [] as number[], threadMs: [] as number[] };
  let isWatching = true;
  let last = { wallMs: performance.now(), threadMs: onProcessorMs() };
  const watch = (): void => {
    const now = { wallMs: performance.now(), threadMs: onProcessorMs() };
    holds.wallMs.push(now.wallMs - last.wallMs);
    holds.threadMs.push(now.threadMs - last.threadMs);
    last = now;
    if (isWatching) setTimeout(watch, 0);
  };
  setTimeout(watch, 0);
  const began = { ...last };
  await db.tick();
  isWatching = false;
  const wallMs = performance.now() - began.wallMs;
  const threadMs = onProcessorMs() - began.threadMs;
  globalThis.gc?.();
  process.stdout.write(
    `${minBytes === 0 ? 'in a worker' : 'in slices'}: ${wallMs.toFixed(0)} ms, of which this thread ran ${threadMs.toFixed(0)}; longest holds by the wall ${longest(holds.wallMs)}, on the processor ${longest(holds.threadMs)}; memory ${megabytes(process.memoryUsage.rss() - rssBefore)} more\n`,
  );
  await db.close();
  fs.rmSync(directory, { recursive: true });
}
fs.rmSync(source, { recursive: true });

function longest(ms: number[]): string {
  const sorted = ms.toSorted((a, b) => b - a);
  return `${sorted
    .slice(0, 5)
    .map((one) => one.toFixed(1))
    .join(', ')} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

/** Time that the main thread has had a processor. */
function onProcessorMs(): number {
  const text = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[0]) / 1e6;
}
