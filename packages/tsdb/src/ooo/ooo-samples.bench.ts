/**
 * Memory, disk and time that samples out of order take in the head until they go to blocks, by shape of the values and order
 * of arrival. Memory is what the slabs and, after a collection of garbage, the heap and its buffers have more than before; a
 * series has an open chunk in any case, of up to 512 bytes. Run with `node --expose-gc --conditions=@pollux/source --import tsx` and this file.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { FileCache } from '../block/file-cache.ts';
import { SlabPool } from '../head/slabs.ts';
import { ChunkFileUse } from '../head-chunks/chunk-file-use.ts';
import { HeadChunkFiles } from '../head-chunks/head-chunk-files.ts';
import { tsdbMetrics } from '../metrics.ts';
import { OooReaders } from './ooo-readers.ts';
import { OooSamples } from './ooo-samples.ts';

const SERIES = 20_000;
/** Two hours of one each 15 s. */
const SAMPLES = 480;
const T0 = 1_700_006_400_000;

const SHAPES = {
  counter: (sample: number, series: number) => sample * 7 + series,
  gauge: (sample: number) => Math.sin(sample) * 100,
  constant: () => 1,
};

const value = new Float64Array(1);
const words = new Uint32Array(value.buffer);

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function measure(shape: (sample: number, series: number) => number, isShuffled: boolean) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-late-'));
  const memoryBefore = memory();
  const pool = new SlabPool(16 * 1024 * 1024, 0);
  const chunkFiles = new HeadChunkFiles({
    files: new NodeFiles(),
    clock: new VirtualClock(),
    log: Log.silent(),
    metrics: tsdbMetrics(new Registry()),
    cache: new FileCache(1 << 20),
    directory,
    fileBytes: 1 << 27,
  });
  const samples = new OooSamples({
    pool,
    chunkFiles,
    chunkFileUse: new ChunkFileUse(chunkFiles),
    hasStartTimes: false,
    readers: new OooReaders(),
    table: { refs: Uint32Array.from({ length: SERIES }, (_, i) => i + 1) },
  });
  const before = process.cpuUsage();
  for (let i = 0; i < SAMPLES; i++) {
    const sample = isShuffled ? (i * 7) % SAMPLES : i;
    for (let series = 0; series < SERIES; series++) {
      value[0] = shape(sample, series);
      samples.insert(series, T0 + sample * 15_000 + (series % 1000), words[0]!, words[1]!, 0);
    }
    // A batch a turn, as scrapes come.
    await new Promise(setImmediate);
  }
  const { user, system } = process.cpuUsage(before);
  await chunkFiles.flush();
  const count = SERIES * SAMPLES;
  const figures = {
    inMemory: (memory() - memoryBefore + pool.count * pool.slabBytes) / count,
    onDisk: chunkFiles.sizeBytes / count,
    ns: ((user + system) * 1000) / count,
  };
  await chunkFiles.close();
  fs.rmSync(directory, { recursive: true });
  return figures;
}

for (const [name, shape] of Object.entries(SHAPES)) {
  for (const isShuffled of [false, true]) {
    const { inMemory, onDisk, ns } = await measure(shape, isShuffled);
    const order = isShuffled ? 'shuffled' : 'by time';
    process.stdout.write(
      `${name}, ${order}: ${inMemory.toFixed(1)} B of memory, ${onDisk.toFixed(1)} B on the disk and ${ns.toFixed(0)} ns a sample\n`,
    );
  }
}
