import type { Command } from '@pollux/roles';

/** Every command (it runs, answers and ends), loaded only when it is asked for. A new one is a folder in the roles room and a row here. */
export const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  tool: () => import('@pollux/roles/tool'),
  amtool: () => import('@pollux/roles/amtool'),
  influx: () => import('@pollux/roles/influx'),
};
