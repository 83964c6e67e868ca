import type { Env } from '@pollux/base';
import { copyBlock } from '@pollux/tsdb';
import type { CommandContext } from '../../../command/command.ts';
import { Progress } from '../../../command/progress.ts';

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export type CopyBlocksOptions = {
  readonly source: string;
  readonly target: string;
  /** Blocks that end behind it are marked as out of order in the target. */
  readonly outOfOrderFromMs: number;
  readonly signal: AbortSignal;
};

/** Copies the blocks that the target has not, each under its name only when it is whole. Gives the paths of the copies. */
export async function copyBlocks(
  context: CommandContext,
  { source, target, outOfOrderFromMs, signal }: CopyBlocksOptions,
): Promise<readonly string[]> {
  const { env, stderr } = context;
  const progress = new Progress(context);
  const names = blocksOf(env, source);
  const copied: string[] = [];
  env.files.makeDirectory(target);
  const present = new Set(blocksOf(env, target));
  try {
    for (const [index, name] of names.entries()) {
      if (present.has(name)) {
        progress.clear();
        stderr.write(`block ${name} is there already\n`);
        continue;
      }
      progress.at('copying blocks', index, names.length, () => name);
      const from = `${source}/${name}`;
      copied.push(
        await copyBlock({ env, source: from, directory: target, outOfOrderFromMs, signal }),
      );
    }
  } finally {
    progress.clear();
  }
  return copied;
}

function blocksOf({ files }: Env, directory: string): readonly string[] {
  return files.list(directory).filter((name) => ULID.test(name));
}
