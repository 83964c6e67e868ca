import type { CommandContext } from '../command/command.ts';
import type { Call } from '../command/command-line.ts';
import type { Settings } from './settings.ts';

/** What amtool's subcommands share. Settings are read on demand: one that needs no server must not fail for them. */
export type Around = {
  readonly context: CommandContext;
  readonly settings: (call: Call) => Settings;
};
