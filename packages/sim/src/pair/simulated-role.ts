import { parseFlags, type RoleContext, type RoleModule, type RunningRole } from '@pollux/roles';
import { Log, Registry } from '@pollux/telemetry';
import type { SimHost } from '../sim-world.ts';

type Flags = RoleModule['flags'];

export type SimulatedRoleOptions = {
  /** As the machine calls itself: replicas scrape at phases that hang on it. */
  readonly hostname: string;
  readonly flags: readonly string[];
  /** Of its environment. */
  readonly variables?: RoleContext['variables'];
  readonly onLog: (line: string) => void;
};

/** A whole role on a simulated host, started by the function that the program starts it by. */
export function startRole<T extends Flags>(
  { env, name }: SimHost,
  role: RoleModule<T>,
  { hostname, flags, variables = {}, onLog }: SimulatedRoleOptions,
): Promise<RunningRole> {
  const { values, given } = parseFlags(role.flags, flags);
  const context: RoleContext = {
    env,
    log: new Log({
      level: 'info',
      format: 'logfmt',
      now: () => env.clock.now(),
      write: (line) => onLog(`${name} | ${line}`),
    }),
    registry: new Registry(),
    lock: () => () => {},
    variables,
    hostname,
  };
  return role.start(context, values, given);
}
