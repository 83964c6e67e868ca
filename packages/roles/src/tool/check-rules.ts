import { errorText, OperatingError } from '@pollux/base';
import { decodeRuleFile, type GroupSpec } from '@pollux/rules';
import type { CommandContext } from '../command/command.ts';
import {
  type Call,
  type CommandFlags,
  type Subcommand,
  UsageError,
} from '../command/command-line.ts';
import { readTextFile } from '../runtime/read-file.ts';
import { duplicateRules } from './duplicate-rules.ts';

const MAX_STDIN_BYTES = 64 * 1024 * 1024;

/** Exit status of a fault, and of a lint finding under `--lint-fatal`. */
export const FAILURE_EXIT = 1;
export const LINT_EXIT = 3;

export const LINT_FLAGS = {
  lint: {
    kind: 'text',
    fallback: 'duplicate-rules',
    help: 'Linting checks to apply: all, duplicate-rules, none (comma separated).',
  },
  'lint-fatal': { kind: 'switch', help: 'Make lint errors exit with exit code 3.' },
} as const satisfies CommandFlags;

export const checkRules: Subcommand<CommandContext> = {
  words: ['check', 'rules'],
  help: 'Check if the rule files are valid or not; without files, standard input.',
  flags: LINT_FLAGS,
  args: ['rule-files…?'],
  run: async (call, context) => {
    const lint = lintOf(call, context);
    if (call.args.length === 0) {
      context.stdout.write('Checking standard input\n');
      const bytes = await context.stdin.bytes(MAX_STDIN_BYTES);
      return checkOne(context, '<stdin>', () => new TextDecoder().decode(bytes), lint);
    }
    for (const file of call.args) {
      if (!context.env.files.exists(file)) throw new UsageError(`path '${file}' does not exist`);
    }
    return checkRuleFiles(context, call.args, lint);
  },
};

export type LintChoice = {
  readonly findsDuplicates: boolean;
  readonly isFatal: boolean;
  /** Before the text of a fault. */
  readonly indent: string;
};

/** What `--lint` asks for; an option that is not known is warned about, as promtool does. */
export function lintOf(call: Call, context: CommandContext): LintChoice {
  const options = call.text('lint').split(',');
  for (const option of options) {
    if (!['all', 'duplicate-rules', 'none', 'too-long-scrape-interval'].includes(option))
      context.stdout.write(`WARNING: unknown lint option ${option}\n`);
  }
  return {
    findsDuplicates: options.includes('all') || options.includes('duplicate-rules'),
    isFatal: call.isOn('lint-fatal'),
    indent: '',
  };
}

/** Checks each file and goes on after a bad one. Gives the exit status. */
export function checkRuleFiles(
  context: CommandContext,
  files: readonly string[],
  lint: LintChoice,
): number {
  let status = 0;
  for (const file of files) {
    context.stdout.write(`Checking ${file}\n`);
    const one = checkOne(context, file, () => readTextFile(context.env.files, file), lint);
    if (status === 0 || one === FAILURE_EXIT) status = one;
  }
  return status;
}

function checkOne(
  context: CommandContext,
  file: string,
  read: () => string,
  lint: LintChoice,
): number {
  const { stdout, stderr } = context;
  let groups: readonly GroupSpec[];
  try {
    groups = decodeRuleFile(read(), file);
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    stderr.write(`  FAILED:\n${lint.indent}${errorText(error)}\n`);
    stdout.write('\n');
    return FAILURE_EXIT;
  }
  const duplicates = lint.findsDuplicates ? duplicateRules(groups) : [];
  if (duplicates.length === 0) {
    const count = groups.reduce((sum, { rules }) => sum + rules.length, 0);
    stdout.write(`  SUCCESS: ${count} rules found\n\n`);
    return 0;
  }
  const found = duplicates.map(
    ({ name, labels }) =>
      `Metric: ${name}\nLabel(s):\n${labels.map(([key, value]) => `\t${key}: ${value}\n`).join('')}`,
  );
  stderr.write(
    `  FAILED:\n${lint.indent}lint error ${duplicates.length} duplicate rule(s) found.\n${found.join('')}` +
      'Might cause inconsistency while recording expressions\n',
  );
  stdout.write('\n');
  return lint.isFatal ? LINT_EXIT : 0;
}
