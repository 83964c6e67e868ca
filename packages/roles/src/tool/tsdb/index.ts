import type { CommandContext } from '../../command/command.ts';
import type { Subcommand } from '../../command/command-line.ts';
import { tsdbAnalyze } from './analyze.ts';
import { blocksFromOpenMetrics } from './blocks-from-openmetrics.ts';
import { tsdbDump, tsdbDumpOpenMetrics } from './dump.ts';
import { tsdbList } from './list.ts';
import { tsdbVerify } from './verify.ts';

/** `pollux tool tsdb …`: promtool's commands and our own. */
export const TSDB_COMMANDS: readonly Subcommand<CommandContext>[] = [
  tsdbAnalyze,
  tsdbList,
  tsdbDump,
  tsdbDumpOpenMetrics,
  blocksFromOpenMetrics,
  tsdbVerify,
];
