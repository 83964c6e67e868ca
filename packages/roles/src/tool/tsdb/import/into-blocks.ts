import { blockSummary, type Duplicates, SampleSorter, writeRangeAsBlock } from '@pollux/tsdb';
import type { CommandContext } from '../../../command/command.ts';
import { Progress } from '../../../command/progress.ts';
import { blockTable } from '../list.ts';
import { Intake } from './intake.ts';
import type { SampleSource } from './sample-source.ts';

const HOUR_MS = 3_600_000;
const SMALLEST_BLOCK_MS = 2 * HOUR_MS;
const LARGEST_STEP = 9;

export type IntoBlocksOptions = {
  /** Made when it is not there. */
  readonly directory: string;
  /** As the user gave it; the greatest usual block duration that is not above it is taken. */
  readonly maxBlockMs: number;
  readonly duplicates: Duplicates;
  readonly isQuiet: boolean;
  readonly isHuman: boolean;
  readonly signal: AbortSignal;
  /** Blocks that end at this time or later are marked as out of order. Default: none. */
  readonly outOfOrderFromMs?: number;
};

/**
 * Reads a source and writes its samples as blocks, oldest first; prints a line for each block. Nothing is written for an
 * input that has a fault. A block that is begun is finished or removed; those finished before an abort stay.
 */
export async function importIntoBlocks(
  context: CommandContext,
  source: SampleSource,
  options: IntoBlocksOptions,
): Promise<void> {
  const { env, stdout } = context;
  const { directory, signal, isHuman, isQuiet } = options;
  const blockMs = blockDurationMs(options.maxBlockMs);
  env.files.makeDirectory(directory);
  const progress = new Progress(context);
  const sorter = new SampleSorter({
    env,
    directory,
    rangeMs: blockMs,
    duplicates: options.duplicates,
    signal,
  });
  const intake = new Intake(context, sorter, progress);
  try {
    await source(intake);
    const ranges = await sorter.finish();
    let hasHeader = true;
    for (const [index, range] of ranges.entries()) {
      progress.at('writing blocks', index, ranges.length, () => `${index} of ${ranges.length}`);
      // Twice the duration, as promtool has it: the chunks are then cut as promtool cuts them.
      const path = await writeRangeAsBlock(sorter, range, {
        env,
        directory,
        chunkRangeMs: 2 * blockMs,
        isOutOfOrder: range.maxMs >= (options.outOfOrderFromMs ?? Number.POSITIVE_INFINITY),
        signal,
      });
      if (path === null || isQuiet) continue;
      progress.clear();
      stdout.write(blockTable([blockSummary(env.files, path)], { isHuman, hasHeader }));
      hasHeader = false;
    }
  } finally {
    progress.clear();
    sorter.close();
  }
  intake.report();
}

/** 2h × 3^n, the greatest that is not above `maxBlockMs`; at least 2h. */
export function blockDurationMs(maxBlockMs: number): number {
  let durationMs = SMALLEST_BLOCK_MS;
  for (let step = 0; step < LARGEST_STEP && durationMs * 3 <= maxBlockMs; step++) durationMs *= 3;
  return durationMs;
}
