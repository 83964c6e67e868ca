import { type Closer, errorText } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import { ChangeLog } from '@pollux/storage';
import { BlockSet } from './block/block-set.ts';
import { FileCache } from './block/file-cache.ts';
import { Downsampled } from './downsample/downsampled.ts';
import { ExemplarRing } from './head/exemplar-ring.ts';
import { openHeadChunks } from './head/found-chunks.ts';
import { Head } from './head/head.ts';
import { readHeadFloor } from './head/head-floor.ts';
import { LogReplay } from './head/replay.ts';
import { HeadChunkFiles } from './head-chunks/head-chunk-files.ts';
import { type LoadedSnapshot, loadHeadSnapshot } from './head-snapshot/load-head-snapshot.ts';
import type { TsdbInit } from './init.ts';
import type { TsdbMetrics } from './metrics.ts';
import { OooWindow } from './ooo/window.ts';
import type { TsdbOptions } from './options.ts';
import { removeUnfinishedSnapshots } from './snapshot.ts';
import { exposeCache } from './state-metrics.ts';
import { Expiries } from './wal/expiries.ts';
import type { WalCompression } from './wal/segment-writer.ts';
import { Wal } from './wal/wal.ts';
import { Zstd } from './wal/zstd.ts';

/** What a start is given and when it began, on the monotonic clock. */
export type Opening = {
  readonly init: TsdbInit;
  readonly options: TsdbOptions;
  readonly metrics: TsdbMetrics;
  readonly startedMs: number;
  /** Takes what is opened. */
  readonly closer: Closer;
};

/** A database before its log is replayed: the blocks are open, the head is as its snapshot was. */
export type OpenParts = Opening & {
  readonly head: Head;
  readonly blocks: BlockSet;
  readonly changes: ChangeLog;
  readonly downsampled: Downsampled;
  readonly chunkFiles: HeadChunkFiles;
  readonly window: OooWindow;
  readonly replay: LogReplay;
  /** What the head was filled with already. */
  readonly snapshot: LoadedSnapshot | null;
  readonly abort: AbortController;
  readonly expiries: Expiries;
  readonly compression: WalCompression;
  readonly zstd: Zstd;
  readonly outOfOrderWindowMs: number;
};

export async function openParts(opening: Opening): Promise<OpenParts> {
  const { init, options, metrics, closer } = opening;
  const { env, directory, log } = init;
  const { files, clock } = env;
  const cache = new FileCache(options.fileCacheBytes);
  exposeCache(init.registry, cache);
  const chunks = { files, clock, log, metrics, directory: `${directory}/chunks_head` };
  const chunkFiles = new HeadChunkFiles({
    ...chunks,
    cache,
    fileBytes: options.headChunkFileBytes,
  });
  closer.defer('head chunks', () => chunkFiles.close());
  const head = new Head({
    chunkRangeMs: options.minBlockDurationMs,
    samplesPerChunk: options.samplesPerChunk,
    slabBytes: options.slabBytes,
    metrics,
    exemplars: new ExemplarRing(options.maxExemplars),
    hasStartTimes: options.startTimestamps,
    chunkFiles,
    hashKey: createHashKey(init.env.random),
  });
  const zstd = new Zstd();
  if (options.walCompression === 'zstd') await zstd.load();
  const compression = options.walCompression === 'zstd' ? { zstd } : options.walCompression;
  const changes = new ChangeLog();
  const blocks = new BlockSet({ files, directory, cache, metrics, log, changes });
  closer.defer('blocks', () => blocks.close());
  blocks.removeLeftovers();
  removeUnfinishedSnapshots(init);
  await blocks.reload(null);
  const { bucketsPerSlice } = options;
  const slices = { files, directory, cache, metrics, log, bucketsPerSlice };
  const downsampled = new Downsampled(slices, options.downsampling);
  closer.defer('down-sampled data', () => downsampled.close());
  await downsampled.open();
  head.raiseMinimum(Math.max(blocks.inOrderMaxTime, readHeadFloor(files, directory, log)));
  const found = await openHeadChunks(chunks, head, chunkFiles);
  const expiries = new Expiries();
  const abort = new AbortController();
  const walDirectory = walDirectoryOf(init);
  const { signal } = abort;
  const start = { files, clock, log, metrics, walDirectory, head, found, expiries, signal };
  const snapshot = await loadHeadSnapshot({ ...start, directory });
  const replay = new LogReplay({
    ...start,
    zstd,
    snapshot,
    workers: { workers: env.workers, minBytes: options.replayWorkerMinBytes },
  });
  const window = new OooWindow({ init, options, metrics, head, compression, zstd });
  closer.defer('out-of-order log', () => window.close());
  const { outOfOrderWindowMs } = options;
  return {
    ...opening,
    head,
    blocks,
    changes,
    downsampled,
    chunkFiles,
    window,
    replay,
    snapshot,
    abort,
    expiries,
    compression,
    zstd,
    outOfOrderWindowMs,
  };
}

/** Begins the segment behind those that the replay reads. */
export function openWal({ init, options, metrics, compression, zstd }: OpenParts): Wal {
  const { env, log } = init;
  return new Wal({
    files: env.files,
    clock: env.clock,
    directory: walDirectoryOf(init),
    segmentBytes: options.walSegmentBytes,
    compression,
    zstd,
    metrics,
    onListenerError: (error) => log.error('log follower failed', { err: errorText(error) }),
  });
}

function walDirectoryOf({ directory }: TsdbInit): string {
  return `${directory}/wal`;
}
