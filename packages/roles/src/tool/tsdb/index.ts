import type { CommandContext } from '../../command/command.ts';
import type { Subcommand } from '../../command/command-line.ts';
import { tsdbAnalyze } from './analyze.ts';
import { tsdbBenchWrite } from './bench-write.ts';
import { blocksFromOpenMetrics } from './blocks-from-openmetrics.ts';
import { blocksFromRules } from './blocks-from-rules.ts';
import { tsdbDump, tsdbDumpOpenMetrics } from './dump.ts';
import { IMPORTS } from './import.ts';
import { tsdbList } from './list.ts';
import { tsdbRepair } from './repair.ts';
import { tsdbRewrite } from './rewrite.ts';
import { tsdbVerify } from './verify.ts';

/** `pollux tool tsdb …`: promtool's commands and our own. */
export const TSDB_COMMANDS: readonly Subcommand<CommandContext>[] = [
  tsdbAnalyze,
  tsdbList,
  tsdbDump,
  tsdbDumpOpenMetrics,
  blocksFromOpenMetrics,
  blocksFromRules,
  tsdbBenchWrite,
  tsdbVerify,
  tsdbRepair,
  tsdbRewrite,
  ...IMPORTS,
];
