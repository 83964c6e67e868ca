import type { CommandContext } from '../../command/command.ts';
import type { Subcommand } from '../../command/command-line.ts';
import { influxCopy } from './copy.ts';
import { influxExport } from './export.ts';

/** `pollux tool influx …`: data out of and into servers of InfluxDB 1.x, ours among them. */
export const INFLUX_COMMANDS: readonly Subcommand<CommandContext>[] = [influxCopy, influxExport];
