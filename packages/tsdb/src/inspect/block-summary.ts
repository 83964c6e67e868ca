import type { Files } from '@pollux/base';
import { Block } from '../block/block.ts';
import { FileCache } from '../block/file-cache.ts';
import { Slice } from '../downsample/slice.ts';
import { slicePaths } from './verify-slices.ts';

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

/** What a list of down-sampled data shows; samples are buckets. */
export type SliceSummary = BlockSummary & {
  readonly resolutionMs: number;
  /** Samples up to this time were dropped, of all series or of some; null for none. */
  readonly droppedUntilMs: number | null;
};

/** The slices of a data directory, by resolution and time. Throws CorruptionError or the system's error. */
export function sliceSummaries(files: Files, directory: string): SliceSummary[] {
  const summaries = slicePaths(files, directory).map((path): SliceSummary => {
    const { resolutionMs } = path;
    const block = Block.open(files, path.directory, new FileCache(0));
    try {
      const { droppedUntilMs } = new Slice(files, block, resolutionMs);
      const isDropped = Number.isFinite(droppedUntilMs);
      return {
        ...summaryOf(block),
        resolutionMs,
        droppedUntilMs: isDropped ? droppedUntilMs : null,
      };
    } finally {
      block.release();
    }
  });
  return summaries.sort((a, b) => a.resolutionMs - b.resolutionMs || a.minMs - b.minMs);
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
