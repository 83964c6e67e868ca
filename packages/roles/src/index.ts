export type {
  Command,
  CommandContext,
  CompleteLine,
  Terminal,
  TextOutput,
} from './command/command.ts';
export {
  type Flag,
  FlagError,
  type FlagTable,
  type FlagValues,
  helpText,
  LOG_FLAGS,
  parseFlags,
} from './flags/flags.ts';
export { registerProcessMetrics } from './runtime/process-metrics.ts';
export {
  ALERTMANAGER_VERSION,
  INFLUXDB_VERSION,
  type OwnProcess,
  PROMETHEUS_VERSION,
  type RoleContext,
  type RoleModule,
  type RunningRole,
  VERSION,
} from './runtime/role.ts';
