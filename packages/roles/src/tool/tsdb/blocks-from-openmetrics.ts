import { OperatingError } from '@pollux/base';
import type { CommandContext } from '../../command/command.ts';
import {
  type Call,
  type CommandFlags,
  type Subcommand,
  UsageError,
} from '../../command/command-line.ts';
import { goDurationMs } from '../../command/go-duration.ts';
import { directoryOf, reported } from './database.ts';
import { importIntoBlocks } from './import/into-blocks.ts';
import { openMetricsSource } from './import/openmetrics.ts';
import { HUMAN_READABLE } from './list.ts';

export const BLOCK_FLAGS: CommandFlags = {
  ...HUMAN_READABLE,
  quiet: { kind: 'switch', short: 'q', help: 'Do not print created blocks.' },
  'max-block-duration': {
    kind: 'text',
    help: 'Longest block, a Go duration; the greatest of 2h, 6h, 18h … that fits is taken.',
  },
};

export const LABEL_FLAG: CommandFlags = {
  label: { kind: 'list', help: 'Label to attach to every series, as name=value.' },
};

export const blocksFromOpenMetrics: Subcommand<CommandContext> = {
  words: ['tsdb', 'create-blocks-from', 'openmetrics'],
  help: 'Import samples from an OpenMetrics file, of any size and order, and produce TSDB blocks.',
  flags: { ...BLOCK_FLAGS, ...LABEL_FLAG },
  args: ['input file', 'output directory?'],
  run: (call, context) => {
    const extra = pairsOf(call, 'label');
    const settings = blockSettings(call);
    return reported(context, () =>
      context.interruptible(async (signal) => {
        const path = existingFile(context, call.args[0]!);
        const source = openMetricsSource(context.env.files, path, extra);
        const directory = directoryOf(call, 1);
        await importIntoBlocks(context, source, {
          ...settings,
          directory,
          duplicates: 'first',
          signal,
        });
        return 0;
      }),
    );
  },
};

/** What the flags of {@link BLOCK_FLAGS} say. */
export function blockSettings(call: Call): {
  readonly maxBlockMs: number;
  readonly isQuiet: boolean;
  readonly isHuman: boolean;
} {
  const longest = call.text('max-block-duration');
  return {
    maxBlockMs: longest === '' ? 0 : goDurationMs(longest),
    isQuiet: call.isOn('quiet'),
    isHuman: call.isOn('human-readable'),
  };
}

/** `name=value` texts of a repeated flag. */
export function pairsOf(call: Call, flag: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    call.list(flag).map((text) => {
      const equals = text.indexOf('=');
      if (equals <= 0) throw new UsageError(`expected KEY=VALUE got '${text}'`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** The path itself. Throws OperatingError in promtool's words when there is no such file. */
export function existingFile({ env }: CommandContext, path: string): string {
  if (!env.files.exists(path))
    throw new OperatingError('ROLES.NO_FILE', `stat ${path}: no such file or directory`);
  return path;
}
