/**
 * What a new series costs, in time and in memory, through the whole commit path: labels as a sender writes them → registry,
 * symbols, postings → log records → head. Run with `npx tsx --expose-gc --conditions=@pollux/source` and this file; the first
 * argument is the number of series (300,000), the second that of series which come before the clock starts (0: cold).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { seriesOfUtf8 } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '../db.ts';
import { LabelBytes } from './label-bytes.ts';

const SERIES = Number(process.argv[2] ?? 300_000);
const WARM = Number(process.argv[3] ?? 0);
const BATCH = 2000;
const T0 = 1_700_006_400_000;

/** Eleven labels; a target has a thousand series. `generation` tells the warm series from the measured ones. */
function labelsOf(i: number, generation: string): Labels {
  const target = Math.floor(i / 1000);
  const series = i % 1000;
  return Labels.from({
    __name__: `http_request_${Math.floor(series / 40)}_duration_seconds_bucket`,
    cluster: 'production',
    code: String(200 + (series % 8)),
    env: 'prod',
    generation,
    handler: `/api/v1/resource/${series % 40}/items`,
    instance: `host-${String(target).padStart(4, '0')}.example.org:9100`,
    job: `service-${target % 12}`,
    method: series % 2 === 0 ? 'GET' : 'POST',
    path: `/srv/data/${series}`,
    zone: `eu-west-${target % 3}`,
  });
}

type Batch = {
  readonly data: Uint8Array;
  readonly spans: Uint32Array;
  readonly counts: Uint8Array;
};

function batchesOf(count: number, generation: string): Batch[] {
  const batches: Batch[] = [];
  const bytes = new LabelBytes();
  for (let start = 0; start < count; start += BATCH) {
    const data: Buffer[] = [];
    const spans: number[] = [];
    const counts: number[] = [];
    let size = 0;
    for (let i = start; i < Math.min(count, start + BATCH); i++) {
      const labels = labelsOf(i, generation);
      bytes.set(labels);
      const used = bytes.spans[labels.size * 4 - 1]!;
      data.push(Buffer.from(bytes.data.subarray(0, used)));
      for (let k = 0; k < labels.size * 4; k++) spans.push(bytes.spans[k]! + size);
      size += used;
      counts.push(labels.size);
    }
    batches.push({
      data: Buffer.concat(data),
      spans: Uint32Array.from(spans),
      counts: Uint8Array.from(counts),
    });
  }
  return batches;
}

async function write(db: Tsdb, { data, spans, counts }: Batch): Promise<void> {
  const { length } = counts;
  const appender = db.appender();
  const refs = new Uint32Array(length);
  let at = 0;
  for (let i = 0; i < length; i++) {
    const end = at + counts[i]! * 4;
    refs[i] = seriesOfUtf8(appender, data, spans.subarray(at, end), counts[i]!);
    at = end;
  }
  const timestampsMs = new Float64Array(length).fill(T0);
  const values = Float64Array.from(refs);
  appender.appendFloats(refs, timestampsMs, values, null, length, new Uint8Array(length));
  await appender.commit();
}

function memory(): { readonly rss: number; readonly heap: number; readonly buffers: number } {
  globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rss, heap: heapUsed, buffers: arrayBuffers };
}

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-bench-'));
const db = await Tsdb.open({
  directory,
  env: nodeEnv(),
  log: Log.silent(),
  registry: new Registry(),
});
const measured = batchesOf(SERIES, 'b');
for (const batch of batchesOf(WARM, 'a')) await write(db, batch);
const before = memory();
const startedMs = performance.now();
const startedCpu = process.cpuUsage();
let longestMs = 0;
for (const batch of measured) {
  const batchMs = performance.now();
  await write(db, batch);
  longestMs = Math.max(longestMs, performance.now() - batchMs);
}
const cpu = process.cpuUsage(startedCpu);
const seconds = (performance.now() - startedMs) / 1000;
const after = memory();
const perSeries = (key: keyof typeof after): string =>
  ((after[key] - before[key]) / SERIES).toFixed(0);
process.stdout.write(
  [
    `${db.headStats(1).numSeries} series, ${WARM} of them warm-up`,
    `CPU ${((cpu.user + cpu.system) / SERIES).toFixed(2)} s per million new series (${seconds.toFixed(2)} s by the clock), longest batch of ${BATCH} ${longestMs.toFixed(1)} ms`,
    `bytes a series: resident ${perSeries('rss')}, heap ${perSeries('heap')}, buffers ${perSeries('buffers')}`,
    '',
  ].join('\n'),
);
await db.close();
fs.rmSync(directory, { recursive: true });
