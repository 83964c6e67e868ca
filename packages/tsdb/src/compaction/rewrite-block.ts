import { CanceledError, type Env } from '@pollux/base';
import { Block } from '../block/block.ts';
import { TMP_FOR_CREATION, TMP_FOR_DELETION } from '../block/block-set.ts';
import { FileCache } from '../block/file-cache.ts';
import { type BlockSummary, summaryOf } from '../inspect/block-summary.ts';
import { Slices } from '../slices.ts';
import { compactBlocks } from './compact-blocks.ts';
import type { FloatEncoding } from './float-families.ts';

export type RewriteBlockOptions = {
  readonly env: Env;
  /** Of blocks; the caller has taken it. */
  readonly directory: string;
  readonly ulid: string;
  /** How floats are written; histograms stay as they are. */
  readonly floats: FloatEncoding;
  readonly signal: AbortSignal;
};

/**
 * Replaces a block by one with the same samples in the wanted encoding, without those that were deleted, and returns the
 * summaries of the two; null for the new one when all were deleted. A crash leaves one of them, or both, of which the
 * old one then goes when the directory is opened. Nothing is left of the new one after an error or an abort.
 */
export async function rewriteBlock(
  options: RewriteBlockOptions,
): Promise<{ readonly before: BlockSummary; readonly after: BlockSummary | null }> {
  const { env, directory, ulid, floats, signal } = options;
  const { files } = env;
  const block = Block.open(files, `${directory}/${ulid}`, new FileCache(0));
  try {
    const { meta } = block;
    const { minTime, maxTime } = meta;
    // It is no compaction, so level and sources stay, but that a block of level 1 is its own source; the parent is what
    // lets an interrupted replacement be finished.
    const sources = meta.compaction.level === 1 ? [] : meta.compaction.sources;
    const compaction = { ...meta.compaction, sources, parents: [{ ulid, minTime, maxTime }] };
    const temporary = await compactBlocks({
      env,
      directory,
      parents: [block],
      compaction,
      expiry: null,
      slices: new Slices(env.clock, signal),
      floats,
    });
    if (signal.aborted) {
      if (temporary !== null) files.removeTree(temporary);
      throw new CanceledError('given up', { cause: signal.reason });
    }
    let after: BlockSummary | null = null;
    if (temporary !== null) {
      const path = temporary.slice(0, -TMP_FOR_CREATION.length);
      files.rename(temporary, path);
      files.syncDirectory(directory);
      const rewritten = Block.open(files, path, new FileCache(0));
      after = summaryOf(rewritten);
      rewritten.release();
    }
    const doomed = `${directory}/${ulid}${TMP_FOR_DELETION}`;
    files.rename(block.directory, doomed);
    files.removeTree(doomed);
    return { before: summaryOf(block), after };
  } finally {
    block.release();
  }
}
