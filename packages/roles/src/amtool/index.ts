import type { Command } from '../command/command.ts';
import { type Subcommand, UsageError } from '../command/command-line.ts';
import { type Program, runSubcommand } from '../command/run-subcommand.ts';
import { ALERTMANAGER_VERSION, VERSION } from '../runtime/role.ts';
import { alertAdd, alertQuery } from './alert.ts';
import type { Around } from './around.ts';
import { checkConfig } from './check-config.ts';
import { routesShow, routesTest } from './routes.ts';
import { GLOBAL_FLAGS, settingsOf } from './settings.ts';
import { silenceAdd, silenceExpire, silenceQuery } from './silence.ts';
import { clusterShow, configShow } from './status.ts';
import { templateRender } from './template-render.ts';

const SERVED: readonly Subcommand<Around>[] = [
  alertQuery,
  alertAdd,
  silenceAdd,
  silenceExpire,
  silenceQuery,
  checkConfig,
  clusterShow,
  configShow,
  routesShow,
  routesTest,
  templateRender,
];

/** The original's other subcommands, by name: else their words would be arguments of a default subcommand. */
const UNSERVED = [
  ['silence', 'import'],
  ['silence', 'update'],
].map((words) => unserved(words));

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
  subcommands: [...SERVED, ...UNSERVED],
};

/** `pollux amtool`, `amtool`. */
export const command: Command = {
  name: 'amtool',
  usage: 'pollux amtool COMMAND [flags]',
  run: (context, args) =>
    runSubcommand(PROGRAM, context, args, {
      context,
      settings: (call) => settingsOf(call, context),
    }),
};

function unserved(words: readonly string[]): Subcommand<Around> {
  const [group] = words;
  const others = SERVED.filter((one) => one.words[0] === group).map((one) => one.words.join(' '));
  return {
    words,
    help: 'Not supported yet.',
    args: ['args…?'],
    run: async () => {
      throw new UsageError(
        `"${words.join(' ')}" is not supported yet; supported: ${others.join(', ') || 'the others of --help'}`,
        true,
      );
    },
  };
}
