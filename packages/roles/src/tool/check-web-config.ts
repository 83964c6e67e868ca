import { errorText, OperatingError } from '@pollux/base';
import type { CommandContext } from '../command/command.ts';
import type { Subcommand } from '../command/command-line.ts';
import { readWebConfig } from '../runtime/web-config.ts';
import { FAILURE_EXIT } from './check-rules.ts';

export const checkWebConfig: Subcommand<CommandContext> = {
  words: ['check', 'web-config'],
  help: 'Check if the web config files are valid or not.',
  flags: {},
  args: ['web-config-files…'],
  run: async ({ args }, { env, stderr }) => {
    let status = 0;
    for (const file of args) {
      try {
        readWebConfig(env.files, file);
        stderr.write(`${file} SUCCESS\n`);
      } catch (error) {
        if (!OperatingError.is(error)) throw error;
        stderr.write(`${file} FAILED: ${errorText(error)}\n`);
        status = FAILURE_EXIT;
      }
    }
    return status;
  },
};
