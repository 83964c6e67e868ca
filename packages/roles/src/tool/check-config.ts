import { errorText, type Files, InputError, OperatingError } from '@pollux/base';
import { type ConfigNode, entryOf, parseYaml } from '@pollux/config';
import { matchingFiles } from '@pollux/rules';
import type { CommandContext } from '../command/command.ts';
import { type Subcommand, UsageError } from '../command/command-line.ts';
import { readTextFile } from '../runtime/read-file.ts';
import { loadServerConfig, resolverOf } from '../server/config.ts';
import { checkRuleFiles, FAILURE_EXIT, LINT_FLAGS, lintOf } from './check-rules.ts';
import { namedFiles } from './named-files.ts';

export const checkConfig: Subcommand<CommandContext> = {
  words: ['check', 'config'],
  help: 'Check if the config files are valid or not.',
  flags: {
    'syntax-only': {
      kind: 'switch',
      help: 'Only check the config file syntax, ignoring files referenced in the config.',
    },
    ...LINT_FLAGS,
  },
  args: ['config-files…'],
  run: async (call, context) => {
    const { files } = context.env;
    const lint = lintOf(call, context);
    for (const file of call.args) {
      if (!files.exists(file)) throw new UsageError(`path '${file}' does not exist`);
    }
    let status = 0;
    for (const file of call.args) {
      const one = checkOne(context, file, call.isOn('syntax-only'));
      const rules = checkRuleFiles(context, one.ruleFiles, { ...lint, indent: '     ' });
      for (const code of [one.status, rules]) {
        if (status === 0 || code === FAILURE_EXIT) status = code;
      }
    }
    return status;
  },
};

type Checked = { readonly status: number; readonly ruleFiles: readonly string[] };

function checkOne(context: CommandContext, file: string, isSyntaxOnly: boolean): Checked {
  const { stdout, stderr, env } = context;
  stdout.write(`Checking ${file}\n`);
  try {
    const ruleFiles = checked(context, file, isSyntaxOnly);
    if (ruleFiles.length > 0) stdout.write(`  SUCCESS: ${ruleFiles.length} rule files found\n`);
    stdout.write(` SUCCESS: ${file} is valid prometheus config file syntax\n\n`);
    return { status: 0, ruleFiles };
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    const reading = env.files.exists(file) ? '' : `${file}: `;
    stderr.write(`  FAILED: ${reading}${errorText(error)}\n`);
    stdout.write('\n');
    return { status: FAILURE_EXIT, ruleFiles: [] };
  }
}

/** Throws what is wrong with the file or what it names; gives the rule files, which are judged one by one later. */
function checked(context: CommandContext, file: string, isSyntaxOnly: boolean): readonly string[] {
  const { files } = context.env;
  const config = loadServerConfig({
    files,
    file,
    variables: context.variables,
    replicaLabels: [],
    readsRules: false,
  });
  if (isSyntaxOnly) return [];
  const root = parseYaml(readTextFile(files, file), file);
  const resolve = resolverOf(file);
  for (const { path, what } of namedFiles(root)) {
    if (!files.exists(resolve(path))) {
      throw new InputError(
        'ROLES.MISSING_FILE',
        '',
        `error checking ${what} file ${JSON.stringify(resolve(path))}: stat ${resolve(path)}: no such file or directory`,
      );
    }
  }
  warnOfMissingTargets(context, root, resolve);
  return config.ruleFiles.flatMap((pattern) => rulesOf(files, pattern));
}

function rulesOf(files: Files, pattern: string): readonly string[] {
  const found = existing(files, pattern);
  if (found.length > 0 || /[*?[]/.test(pattern)) return found;
  throw new InputError(
    'ROLES.MISSING_FILE',
    '',
    `${JSON.stringify(pattern)} does not point to an existing file`,
  );
}

/** Files that a pattern names and that are there. */
function existing(files: Files, pattern: string): readonly string[] {
  return matchingFiles(files, pattern).filter((path) => files.exists(path));
}

/** A file of targets may come later, so its absence is worth a warning only. */
function warnOfMissingTargets(
  context: CommandContext,
  root: ConfigNode,
  resolve: (name: string) => string,
): void {
  const warn = (holder: ConfigNode, where: string): void => {
    const discoveries = entryOf(holder, 'file_sd_configs');
    for (const one of itemsOf(discoveries)) {
      for (const name of itemsOf(entryOf(one, 'files'))) {
        if (name.kind !== 'scalar') continue;
        const path = resolve(name.text);
        if (existing(context.env.files, path).length > 0) continue;
        context.stdout.write(
          `  WARNING: file ${JSON.stringify(path)} for file_sd in ${where} does not exist\n`,
        );
      }
    }
  };
  for (const job of itemsOf(entryOf(root, 'scrape_configs'))) {
    const name = entryOf(job, 'job_name');
    warn(job, `scrape job ${JSON.stringify(name?.kind === 'scalar' ? name.text : '')}`);
  }
  const alerting = entryOf(root, 'alerting');
  for (const one of itemsOf(alerting === null ? null : entryOf(alerting, 'alertmanagers')))
    warn(one, 'alertmanager config');
}

function itemsOf(node: ConfigNode | null): readonly ConfigNode[] {
  return node?.kind === 'list' ? node.items : [];
}
