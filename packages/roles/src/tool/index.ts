import type { Command, CommandContext } from '../command/command.ts';
import { type Program, runSubcommand } from '../command/run-subcommand.ts';
import { PROMETHEUS_VERSION, VERSION } from '../runtime/role.ts';
import { checkConfig } from './check-config.ts';
import { checkMetrics } from './check-metrics.ts';
import { checkRules } from './check-rules.ts';
import { checkHealthy, checkReady } from './check-server.ts';
import { checkWebConfig } from './check-web-config.ts';
import { INFLUX_COMMANDS } from './influx/index.ts';
import { promqltest } from './promqltest.ts';
import { QUERIES } from './query.ts';
import { testRules } from './test-rules.ts';
import { TSDB_COMMANDS } from './tsdb/index.ts';

const PROGRAM: Program<CommandContext> = {
  name: 'promtool',
  about: 'Tooling for Prometheus and Pollux servers; arguments and output are promtool’s.',
  version: `promtool, version ${PROMETHEUS_VERSION} (pollux ${VERSION})`,
  usageEnd: ', try --help\n',
  errorEnd: '\n',
  globals: {},
  subcommands: [
    checkConfig,
    checkRules,
    checkMetrics,
    checkWebConfig,
    checkHealthy,
    checkReady,
    ...QUERIES,
    ...TSDB_COMMANDS,
    ...INFLUX_COMMANDS,
    testRules,
    promqltest,
  ],
};

/** `pollux tool`, `promtool`. */
export const command: Command = {
  name: 'tool',
  usage: 'pollux tool COMMAND [flags]',
  run: (context, args) => runSubcommand(PROGRAM, context, args, context),
};
