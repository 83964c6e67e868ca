import type { Files } from '@pollux/base';
import { Block } from '../block/block.ts';
import { FileCache } from '../block/file-cache.ts';

/** What a list of blocks shows. Times in ms, `maxMs` exclusive. */
export type BlockSummary = {
  readonly ulid: string;
  readonly minMs: number;
  readonly maxMs: number;
  readonly sampleCount: number;
  readonly chunkCount: number;
  readonly seriesCount: number;
  /** Index, chunks, tombstones and meta.json together. */
  readonly sizeBytes: number;
};

/** The summary of the block in `directory`. Throws CorruptionError or the system's error. */
export function blockSummary(files: Files, directory: string): BlockSummary {
  const block = Block.open(files, directory, new FileCache(0));
  try {
    return summaryOf(block);
  } finally {
    block.release();
  }
}

export function summaryOf({ meta, ulid, sizeBytes }: Block): BlockSummary {
  return {
    ulid,
    minMs: meta.minTime,
    maxMs: meta.maxTime,
    sampleCount: meta.stats.numSamples,
    chunkCount: meta.stats.numChunks,
    seriesCount: meta.stats.numSeries,
    sizeBytes,
  };
}
