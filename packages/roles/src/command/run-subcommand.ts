import { errorText, OperatingError } from '@pollux/base';
import type { CommandContext } from './command.ts';
import { type CommandFlags, readCommandLine, type Subcommand, UsageError } from './command-line.ts';

export type Program<R> = {
  /** As it is called in messages: `promtool`. */
  readonly name: string;
  readonly about: string;
  readonly version: string;
  /** Ends a message about wrong arguments. */
  readonly usageEnd: string;
  /** Ends any other message. */
  readonly errorEnd: string;
  readonly globals: CommandFlags;
  readonly subcommands: readonly Subcommand<R>[];
};

/**
 * Finds and runs the subcommand. Exit status: the subcommand's own; 1 for wrong arguments and for an OperatingError that it
 * throws, as the originals; 2 for a subcommand that is not there, which tells a script that this program does not have it.
 */
export async function runSubcommand<R>(
  program: Program<R>,
  context: CommandContext,
  args: readonly string[],
  around: R,
): Promise<number> {
  if (args.includes('--version')) {
    context.stdout.write(`${program.version}\n`);
    return 0;
  }
  try {
    const line = readCommandLine(program.subcommands, program.globals, args);
    if ('helpFor' in line) {
      context.stdout.write(programHelp(program, line.helpFor));
      return 0;
    }
    return await line.subcommand.run(line.call, around);
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    const end = error instanceof UsageError ? program.usageEnd : program.errorEnd;
    context.stderr.write(`${program.name}: error: ${errorText(error)}${end}`);
    return error instanceof UsageError && error.isUnknownCommand ? 2 : 1;
  }
}

function programHelp<R>(program: Program<R>, words: readonly string[]): string {
  const shown = program.subcommands.filter((one) =>
    words.every((word, index) => one.words[index] === word),
  );
  const lines = [`usage: ${program.name} <command> [<flags>] [<args> ...]`, '', program.about, ''];
  lines.push('Flags:', ...flagLines(program.globals), '', 'Commands:');
  for (const { words: path, args, flags, help } of shown) {
    lines.push(`${[...path, ...(args ?? []).map(argumentText)].join(' ')}`, `    ${help}`);
    lines.push(...flagLines(flags ?? {}).map((line) => `  ${line}`), '');
  }
  return `${lines.join('\n')}\n`;
}

function argumentText(name: string): string {
  const bare = name.replace(/[…?]/g, '');
  const repeated = name.includes('…') ? `<${bare}>...` : `<${bare}>`;
  return name.endsWith('?') ? `[${repeated}]` : repeated;
}

function flagLines(flags: CommandFlags): string[] {
  return Object.entries(flags).map(([name, { kind, short, fallback, help }]) => {
    const start = short === undefined ? '      ' : `  -${short}, `;
    const value = kind === 'switch' ? '' : `=${fallback ?? '…'}`;
    return `${start}--${name}${value}${kind === 'list' ? ' ...' : ''}  ${help}`;
  });
}
