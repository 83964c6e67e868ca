import { OperatingError } from '@pollux/base';
import { type BlockSummary, type FloatEncoding, rewriteBlock } from '@pollux/tsdb';
import type { CommandContext } from '../../command/command.ts';
import type { Subcommand } from '../../command/command-line.ts';
import { Progress } from '../../command/progress.ts';
import { checkDirectory, directoryOf, reported } from './database.ts';

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

export const tsdbRewrite: Subcommand<CommandContext> = {
  words: ['tsdb', 'rewrite'],
  help: 'Rewrite blocks, all of a data directory or one, in another encoding of floats. Prometheus cannot read dense blocks, which are three to four times smaller; xor turns them back. Deleted samples are left out. Not while a server uses the directory.',
  flags: {
    encoding: { kind: 'choice', choices: ['dense', 'xor'], fallback: 'dense', help: 'Of floats.' },
  },
  args: ['db path or block?'],
  run: (call, context) =>
    reported(context, () =>
      context.interruptible(async (signal) => {
        const floats = call.text('encoding') as FloatEncoding;
        const path = directoryOf(call, 0);
        checkDirectory(context, path);
        const { directory, ulids } = blocksAt(context, path);
        const unlock = context.lock(directory);
        const progress = new Progress(context);
        try {
          for (const [index, ulid] of ulids.entries()) {
            progress.at('rewriting', index, ulids.length, () => ulid);
            const { env } = context;
            const { before, after } = await rewriteBlock({ env, directory, ulid, floats, signal });
            progress.clear();
            context.stdout.write(line(before, after));
          }
          return 0;
        } finally {
          progress.clear();
          unlock();
        }
      }),
    ),
};

/** The blocks that the argument names: itself, or those in it. */
function blocksAt(
  { env }: CommandContext,
  path: string,
): { readonly directory: string; readonly ulids: readonly string[] } {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (ULID.test(name) && env.files.exists(`${path}/meta.json`)) {
    return { directory: slash < 0 ? '.' : path.slice(0, slash) || '/', ulids: [name] };
  }
  const ulids = env.files.list(path).filter((entry) => ULID.test(entry));
  if (ulids.length === 0) throw new OperatingError('ROLES.NO_BLOCKS', `no blocks in ${path}`);
  return { directory: path, ulids };
}

function line(before: BlockSummary, after: BlockSummary | null): string {
  if (after === null) return `${before.ulid}: nothing left, all samples were deleted\n`;
  const bytes = ({ sizeBytes, sampleCount }: BlockSummary): string =>
    `${sizeBytes} bytes (${(sizeBytes / sampleCount).toFixed(2)} a sample)`;
  return `${before.ulid} -> ${after.ulid}: ${bytes(before)} -> ${bytes(after)}\n`;
}
