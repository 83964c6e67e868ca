import { errorText, OperatingError } from '@pollux/base';
import { compileRe2 } from '@pollux/model';
import { runUnitTests } from '@pollux/rules';
import type { CommandContext } from '../command/command.ts';
import { type Subcommand, UsageError } from '../command/command-line.ts';
import { readTextFile } from '../runtime/read-file.ts';
import { resolverOf } from '../server/config.ts';

export const testRules: Subcommand<CommandContext> = {
  words: ['test', 'rules'],
  help: 'Unit tests for rules.',
  flags: {
    run: { kind: 'list', help: 'Run only the tests whose name matches the regular expression.' },
  },
  args: ['test-rule-file…'],
  run: async (call, context) => {
    const { files } = context.env;
    for (const file of call.args) {
      if (!files.exists(file)) throw new UsageError(`path '${file}' does not exist`);
    }
    const patterns = call.list('run').map((text) => compileRe2(text));
    const accepts = (name: string): boolean =>
      patterns.length === 0 || patterns.some((pattern) => pattern.test(name));
    let status = 0;
    for (const file of call.args) {
      if (!(await testOne(context, file, accepts))) status = 1;
    }
    return status;
  },
};

async function testOne(
  { env, stdout, stderr }: CommandContext,
  file: string,
  accepts: (name: string) => boolean,
): Promise<boolean> {
  stdout.write(`Unit Testing:  ${file}\n`);
  try {
    const results = await runUnitTests(readTextFile(env.files, file), file, {
      files: env.files,
      resolvePath: resolverOf(file),
      accepts,
    });
    const failures = results.flatMap(({ name, failures: texts }) =>
      texts.map((text) => `    ${name === '' ? '' : `name: ${name},\n    `}${text}\n`),
    );
    if (failures.length > 0) stderr.write(`  FAILED:\n${failures.join('')}`);
    else stdout.write('  SUCCESS\n');
    stdout.write('\n');
    return failures.length === 0;
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    stderr.write(`  FAILED:\n${errorText(error)}\n`);
    stdout.write('\n');
    return false;
  }
}
