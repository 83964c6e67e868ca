import { type AlertmanagerConfig, NotificationTemplates, readConfig } from '@pollux/alertmanager';
import { errorText, OperatingError } from '@pollux/base';
import { type Subcommand, UsageError } from '../command/command-line.ts';
import { readTextFile } from '../runtime/read-file.ts';
import type { Around } from './around.ts';

const MAX_STDIN_BYTES = 64 * 1024 * 1024;
const STDIN = '/dev/stdin';

export const checkConfig: Subcommand<Around> = {
  words: ['check-config'],
  help: 'Validate alertmanager config files; without files, standard input.',
  args: ['check-files…?'],
  run: async (call, { context }) => {
    const { env, stdin, stdout } = context;
    if (call.args.length === 0 && stdin.isTerminal)
      throw new OperatingError('ROLES.AMTOOL', 'must provide a config file or pipe one in');
    for (const file of call.args) {
      if (!env.files.exists(file)) throw new UsageError(`path '${file}' does not exist`);
    }
    let failed = 0;
    for (const file of call.args.length === 0 ? [STDIN] : call.args) {
      const text =
        call.args.length === 0
          ? new TextDecoder().decode(await stdin.bytes(MAX_STDIN_BYTES))
          : readTextFile(env.files, file);
      stdout.write(`Checking '${file}'`);
      try {
        const config = readConfig(text, { file });
        stdout.write(`  SUCCESS\n${found(config)}`);
        if (config.templates.length > 0) {
          NotificationTemplates.load(env, config.templates, config.directory);
          stdout.write('  SUCCESS\n');
        }
        stdout.write('\n');
      } catch (error) {
        if (!OperatingError.is(error)) throw error;
        stdout.write(`  FAILED: ${errorText(error)}\n\n`);
        failed++;
      }
    }
    if (failed > 0)
      throw new OperatingError('ROLES.AMTOOL', `failed to validate ${failed} file(s)`);
    return 0;
  },
};

function found({ inhibitRules, receivers, templates, warnings }: AlertmanagerConfig): string {
  return [
    'Found:',
    ' - global config',
    ' - route',
    ` - ${inhibitRules.length} inhibit rules`,
    ` - ${receivers.length} receivers`,
    ` - ${templates.length} templates`,
    ...warnings.map((warning) => `  WARNING: ${warning}`),
    '',
  ].join('\n');
}
