import type { Command } from '../command/command.ts';
import type { Subcommand } from '../command/command-line.ts';
import { type Program, runSubcommand } from '../command/run-subcommand.ts';
import { ALERTMANAGER_VERSION, VERSION } from '../runtime/role.ts';
import { alertAdd, alertQuery } from './alert.ts';
import { type Around, aroundOf } from './around.ts';
import { checkConfig } from './check-config.ts';
import { routesShow, routesTest } from './routes.ts';
import { amtoolFeatures, GLOBAL_FLAGS } from './settings.ts';
import { silenceAdd, silenceExpire, silenceQuery } from './silence.ts';
import { silenceImport } from './silence-import.ts';
import { silenceUpdate } from './silence-update.ts';
import { clusterShow, configShow } from './status.ts';
import { templateRender } from './template-render.ts';

const SUBCOMMANDS: readonly Subcommand<Around>[] = [
  alertQuery,
  alertAdd,
  silenceAdd,
  silenceExpire,
  silenceImport,
  silenceQuery,
  silenceUpdate,
  checkConfig,
  clusterShow,
  configShow,
  routesShow,
  routesTest,
  templateRender,
].map((subcommand) => ({
  ...subcommand,
  run: (call, around) => {
    // A wrong feature is refused by every subcommand, whether it parses matchers or not.
    amtoolFeatures(call);
    return subcommand.run(call, around);
  },
}));

const PROGRAM: Program<Around> = {
  name: 'amtool',
  about: [
    'View and modify the current Alertmanager state; arguments and output are amtool’s.',
    '',
    'Defaults for alertmanager.url, author, require-comment, output, date.format, timeout and http.config.file are read',
    'from $HOME/.config/amtool/config.yml and /etc/amtool/config.yml (YAML).',
  ].join('\n'),
  version: `amtool, version ${ALERTMANAGER_VERSION} (pollux ${VERSION})`,
  usageEnd: '\n\n',
  errorEnd: '\n\n',
  globals: GLOBAL_FLAGS,
  subcommands: SUBCOMMANDS,
};

/** `pollux amtool`, `amtool`. */
export const command: Command = {
  name: 'amtool',
  usage: 'pollux amtool COMMAND [flags]',
  run: (context, args) => runSubcommand(PROGRAM, context, args, aroundOf(context)),
};
