/**
 * Time and memory of a restart. Run with `npx tsx --conditions=@pollux/source` and this file:
 *
 * - `write DIRECTORY [series=1000000] [scrapes=5] [compression=snappy]` makes a data directory as a kill leaves it;
 * - `replay DIRECTORY` opens it and prints seconds, peak memory and what was read; with `inline` behind it without a worker.
 *
 * Two processes, so that the peak of the second is that of the replay alone.
 */
import * as fs from 'node:fs';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '../db.ts';

const BATCH = 1000;
const STEP_MS = 15_000;
const T0 = 1_700_006_400_000;

const [mode = '', directory = '', ...rest] = process.argv.slice(2);
const open = (): Promise<Tsdb> =>
  Tsdb.open({
    directory,
    env: nodeEnv(),
    log: Log.silent(),
    registry: new Registry(),
    options: rest[0] === 'inline' ? { replayWorkerMinBytes: Number.POSITIVE_INFINITY } : {},
  });

function labelsOf(i: number): Labels {
  return Labels.from({
    __name__: `node_metric_${i % 500}_total`,
    instance: `10.0.${(i >> 9) & 255}.${(i >> 17) & 255}:9100`,
    job: 'node',
    device: `sd${i % 7}`,
    mode: `mode${i % 11}`,
    id: String(i),
  });
}

async function write(seriesCount: number, scrapes: number): Promise<void> {
  const db = await open();
  const refs = new Uint32Array(seriesCount);
  const timestampsMs = new Float64Array(BATCH);
  const values = new Float64Array(BATCH);
  const outcomes = new Uint8Array(BATCH);
  for (let scrape = 0; scrape < scrapes; scrape++) {
    for (let start = 0; start < seriesCount; start += BATCH) {
      const end = Math.min(seriesCount, start + BATCH);
      const appender = db.appender();
      for (let i = start; i < end; i++) {
        if (scrape === 0) refs[i] = appender.series(labelsOf(i));
        // Each target has its own phase; half of the series count up, the rest hold a value.
        timestampsMs[i - start] = T0 + scrape * STEP_MS + ((start / BATCH) % 15_000);
        values[i - start] = i % 2 === 0 ? i + scrape * (10 + (i % 13)) : i % 97;
      }
      appender.appendFloats(
        refs.subarray(start, end),
        timestampsMs,
        values,
        null,
        end - start,
        outcomes,
      );
      await appender.commit();
    }
  }
  process.stdout.write(`rss before the kill: ${megabytes(process.memoryUsage.rss())}\n`);
  // Without closing: the files are as a kill leaves them.
  process.exit(0);
}

async function replay(): Promise<void> {
  const startedMs = performance.now();
  const beganMs = onProcessorMs();
  const db = await open();
  const threadSeconds = ((onProcessorMs() - beganMs) / 1000).toFixed(2);
  const seconds = (performance.now() - startedMs) / 1000;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpuSeconds = ((userCPUTime + systemCPUTime) / 1e6).toFixed(2);
  const stats = db.headStats(1);
  process.stdout.write(
    `replayed ${stats.numSeries} series, ${stats.chunkCount} chunks in ${seconds.toFixed(2)} s (${threadSeconds} s of it the main thread had a processor, ${cpuSeconds} s of processor time with the start of the program); peak rss ${megabytes(maxRSS * 1024)}, then ${megabytes(process.memoryUsage.rss())}\n`,
  );
  process.exit(0);
}

/** Time that the main thread has had a processor: what the wall clock would say on an idle machine. Linux only. */
function onProcessorMs(): number {
  const text = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[0]) / 1e6;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

if (mode === 'write') await write(Number(rest[0] ?? 1_000_000), Number(rest[1] ?? 5));
else await replay();
