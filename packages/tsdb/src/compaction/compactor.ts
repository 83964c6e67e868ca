import { errorText, TimeoutError, WorkerExitError, WorkerMemoryError } from '@pollux/base';
import type { Block } from '../block/block.ts';
import { newBlockName } from '../block/block-name.ts';
import { TMP_FOR_CREATION } from '../block/block-set.ts';
import { CompactionWorkerError } from '../errors.ts';
import type { BlockCompaction } from '../format/meta.ts';
import type { TsdbInit } from '../init.ts';
import type { TsdbOptions } from '../options.ts';
import { type Expiry, packExpiry } from '../retention/expiry.ts';
import { Slices } from '../slices.ts';
import { compactBlocks } from './compact-blocks.ts';
import type { CompactionJob } from './compaction.protocol.ts';
import { COMPACTION } from './compaction.worker.ts';

/** To sync a large block may take a slow disk minutes, in which the worker has nothing to say. */
const MAX_SILENCE_MS = 30 * 60_000;
/**
 * The worker keeps entries of one series at a time and names of symbols that differ; its larger tables, some bytes a series, lie outside of
 * the heap.
 */
const MAX_HEAP_MEGABYTES = 512;
/** So often the log says how far a compaction is. */
const PROGRESS_INTERVAL_MS = 30_000;

export type CompactorOptions = {
  readonly init: TsdbInit;
  readonly options: TsdbOptions;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
};

/** Writes blocks made of others: small ones in slices between other work, large ones in a worker. */
export class Compactor {
  readonly #options: CompactorOptions;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /**
   * As {@link compactBlocks}. Nothing of the block is left when it fails. Errors of a worker have the code and the text that they would have here;
   * when it was lost that is CompactionWorkerError.
   */
  async write(
    parents: readonly Block[],
    compaction: BlockCompaction,
    expiry: Expiry | null,
  ): Promise<string | null> {
    const { init, options, signal } = this.#options;
    const { env, directory } = init;
    const name = newBlockName(env, directory);
    const floats = options.compactedFloats;
    const bytes = parents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (bytes < options.compactionWorkerMinBytes) {
      const slices = new Slices(env.clock, signal);
      const block = { env, directory, ulid: name, parents, compaction, expiry, slices, floats };
      return compactBlocks(block);
    }
    const expected = parents.reduce((sum, { meta }) => sum + meta.stats.numSeries, 0);
    return this.#inWorker(expected, {
      directory,
      ulid: name,
      parents: parents.map((parent) => parent.directory),
      compaction,
      expiry: expiry === null ? null : packExpiry(expiry),
      floats,
    });
  }

  async #inWorker(expectedSeries: number, job: CompactionJob): Promise<string | null> {
    const { init, signal } = this.#options;
    const { env, log } = init;
    let done: { readonly path: string | null } | null = null;
    let toldMs = env.clock.monotonic();
    const worker = env.workers.start(COMPACTION, {
      data: job,
      onMessage: (news) => {
        if (news.kind === 'done') done = news;
        const nowMs = env.clock.monotonic();
        if (news.kind === 'done' || nowMs - toldMs < PROGRESS_INTERVAL_MS) return;
        toldMs = nowMs;
        log.info('compacting blocks', { ulid: job.ulid, series: news.series, of: expectedSeries });
      },
      signal,
      maxSilenceMs: MAX_SILENCE_MS,
      maxHeapMegabytes: MAX_HEAP_MEGABYTES,
    });
    try {
      await worker.ended;
      return resultOf(done);
    } catch (error) {
      await worker.stop();
      this.#sweep(job);
      throw isLoss(error) ? new CompactionWorkerError({ cause: error }) : error;
    }
  }

  /** What a worker leaves that could not tidy up. */
  #sweep({ directory, ulid: name }: CompactionJob): void {
    const { env, log } = this.#options.init;
    try {
      env.files.removeTree(`${directory}/${name}${TMP_FOR_CREATION}`);
    } catch (error) {
      log.warn('an unfinished block is left until the next start', {
        ulid: name,
        err: errorText(error),
      });
    }
  }
}

function resultOf(done: { readonly path: string | null } | null): string | null {
  if (done === null) throw new WorkerExitError(COMPACTION.name, 'it has given no result');
  return done.path;
}

function isLoss(error: unknown): boolean {
  return (
    error instanceof WorkerExitError ||
    error instanceof WorkerMemoryError ||
    error instanceof TimeoutError
  );
}
