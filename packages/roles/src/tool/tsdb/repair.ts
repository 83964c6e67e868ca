import { repairDirectory } from '@pollux/tsdb';
import type { CommandContext } from '../../command/command.ts';
import type { Subcommand } from '../../command/command-line.ts';
import { directoryOf, reported } from './database.ts';
import { findingLine } from './verify.ts';

export const tsdbRepair: Subcommand<CommandContext> = {
  words: ['tsdb', 'repair'],
  help: 'Mend a data directory that no server uses: drop broken chunks and series, renew meta.json, cut torn logs. Says what it would do; --apply does it.',
  flags: { apply: { kind: 'switch', help: 'Do it.' } },
  args: ['db path?'],
  run: (call, context) =>
    reported(context, () =>
      context.interruptible(async (signal) => {
        const { env, stdout } = context;
        const directory = directoryOf(call, 0);
        const isApplied = call.isOn('apply');
        const unlock =
          isApplied && env.files.exists(directory) ? context.lock(directory) : () => {};
        let actions = 0;
        try {
          const unmended = await repairDirectory({
            env,
            directory,
            isApplied,
            signal,
            onAction: ({ path, text }) => {
              actions++;
              stdout.write(`${path}: ${isApplied ? '' : 'would '}${text}\n`);
            },
          });
          for (const finding of unmended)
            stdout.write(`${findingLine(finding)} (cannot be mended)\n`);
          if (actions === 0 && unmended.length === 0) stdout.write('nothing to mend\n');
          if (actions > 0 && !isApplied) stdout.write('nothing was changed; --apply does it\n');
          return unmended.length > 0 || (actions > 0 && !isApplied) ? 1 : 0;
        } finally {
          unlock();
        }
      }),
    ),
};
