import type { Env } from '@pollux/base';
import { createHashKey } from '@pollux/index';
import type { ReadContext, SelectRequest, SeriesSource } from '@pollux/storage';
import { type Log, Registry } from '@pollux/telemetry';
import type { Block } from './block/block.ts';
import { BlockSet } from './block/block-set.ts';
import { FileCache } from './block/file-cache.ts';
import { DirectoryError } from './errors.ts';
import { ExemplarRing } from './head/exemplar-ring.ts';
import { Head } from './head/head.ts';
import { readHeadFloor } from './head/head-floor.ts';
import { LogReplay } from './head/replay.ts';
import { HeadChunkFiles } from './head-chunks/head-chunk-files.ts';
import { type BlockSummary, summaryOf } from './inspect/block-summary.ts';
import { tsdbMetrics } from './metrics.ts';
import { replayOooLog } from './ooo/replay-log.ts';
import { OOO_LOG_DIRECTORY } from './ooo/window.ts';
import { DEFAULT_TSDB_OPTIONS } from './options.ts';
import { FailedSelect, MergeSelect } from './query/merge-select.ts';
import { openCursors } from './query/open-cursors.ts';
import { Expiries } from './wal/expiries.ts';
import { Zstd } from './wal/zstd.ts';

export type ReadOnlyTsdbInit = {
  readonly directory: string;
  readonly env: Env;
  readonly log: Log;
  /** Replays the log too; without it only blocks are seen. Default true. */
  readonly readsLog?: boolean;
};

/**
 * A data directory as it lies on the disk, for tools: takes no lock, changes no file, so it may look at the directory of a
 * running server or of a real Prometheus. What that server writes or deletes after the opening is not followed; a log
 * segment that it deletes during the opening is an error, and opening again helps.
 */
export class ReadOnlyTsdb {
  readonly #env: Env;
  readonly #set: BlockSet;
  readonly #head: Head;

  private constructor(env: Env, set: BlockSet, head: Head) {
    this.#env = env;
    this.#set = set;
    this.#head = head;
  }

  /** Throws DirectoryError, CorruptionError or the system's error. */
  static async open(init: ReadOnlyTsdbInit): Promise<ReadOnlyTsdb> {
    const { directory, env, log } = init;
    const { files, clock } = env;
    if (!files.exists(directory) || !files.stat(directory).isDirectory)
      throw new DirectoryError(directory, 'no such directory');
    const metrics = tsdbMetrics(new Registry());
    const options = DEFAULT_TSDB_OPTIONS;
    const cache = new FileCache(options.fileCacheBytes);
    const set = new BlockSet({ files, directory, cache, metrics, log, isReadOnly: true });
    const head = new Head({
      chunkRangeMs: options.minBlockDurationMs,
      samplesPerChunk: options.samplesPerChunk,
      slabBytes: options.slabBytes,
      metrics,
      exemplars: new ExemplarRing(0),
      hasStartTimes: false,
      hashKey: createHashKey(env.random),
      chunkFiles: new HeadChunkFiles({
        ...{ files, clock, log, metrics, cache },
        directory: null,
        fileBytes: options.headChunkFileBytes,
      }),
    });
    await set.reload(null);
    const walDirectory = `${directory}/wal`;
    try {
      head.raiseMinimum(Math.max(set.inOrderMaxTime, readHeadFloor(files, directory, log)));
      if (init.readsLog !== false && files.exists(walDirectory)) {
        const zstd = new Zstd();
        const common = { files, clock, log, metrics, head, zstd, isReadOnly: true };
        const { signal } = new AbortController();
        const expiries = new Expiries();
        const replay = new LogReplay({ ...common, walDirectory, expiries, signal });
        await replay.run();
        await replayOooLog({
          ...common,
          slotOf: (ref) => replay.slotOf(ref),
          directory: `${directory}/${OOO_LOG_DIRECTORY}`,
        });
      }
    } catch (error) {
      set.close();
      throw error;
    }
    return new ReadOnlyTsdb(env, set, head);
  }

  /** Oldest first. */
  blocks(): readonly BlockSummary[] {
    return this.#set.blocks.map(summaryOf);
  }

  /** Where the log begins, as a server takes it: behind the blocks of samples in order. −Infinity without any. */
  get inOrderMaxMs(): number {
    return this.#set.inOrderMaxTime;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    return this.#select(request, context, this.#set.blocks);
  }

  /** As {@link select}, of the logs alone: what no block has yet. */
  selectFromLogs(request: SelectRequest, context: ReadContext): SeriesSource {
    return this.#select(request, context, []);
  }

  #select(request: SelectRequest, context: ReadContext, blocks: readonly Block[]): SeriesSource {
    const { range, matchers } = request;
    try {
      const parts = { blocks, head: this.#head, onDamage: refuse };
      const cursors = openCursors(parts, range, matchers);
      const { clock } = this.#env;
      return new MergeSelect({ cursors, warnings: [] }, request, context, { clock });
    } catch (error) {
      return new FailedSelect(error);
    }
  }

  close(): void {
    this.#set.close();
  }
}

/** A tool must not show less than there is as if it were all. */
function refuse(_block: unknown, error: unknown): never {
  throw error;
}
