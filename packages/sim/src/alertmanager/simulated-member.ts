import { parseFlags, type RoleContext, type RunningRole } from '@pollux/roles';
import { ALERTMANAGER_FLAGS, assembleAlertmanager } from '@pollux/roles/alertmanager';
import { Log, Registry } from '@pollux/telemetry';
import type { SimHost } from '../sim-world.ts';

export const API_PORT = 9093;
/** Where a member keeps its state. */
export const DATA = '/data';
const CONFIG_FILE = '/etc/alertmanager.yml';

export type MemberOptions = {
  readonly config: string;
  /** Hosts of all members, this one included. */
  readonly peers: readonly string[];
  /** Beside what places the member on its host. */
  readonly flags: readonly string[];
  readonly onLog: (line: string) => void;
};

/** A whole alertmanager on a simulated host, assembled by the function that the program uses; named as its host. */
export function startMember(host: SimHost, options: MemberOptions): Promise<RunningRole> {
  const { env, name } = host;
  env.files.makeDirectory('/etc');
  env.files.replaceFile(CONFIG_FILE, options.config);
  const { values } = parseFlags(ALERTMANAGER_FLAGS, [
    `--config.file=${CONFIG_FILE}`,
    `--storage.path=${DATA}`,
    `--web.listen-address=0.0.0.0:${API_PORT}`,
    `--cluster.listen-address=${host.ip}:9094`,
    `--cluster.peer-name=${name}`,
    ...options.peers.map((peer) => `--cluster.peer=${peer}:9094`),
    ...options.flags,
  ]);
  const context: RoleContext = {
    env,
    log: new Log({
      level: 'info',
      format: 'logfmt',
      now: () => env.clock.now(),
      write: (line) => options.onLog(`${name} | ${line}`),
    }),
    registry: new Registry(),
    lock: () => () => {},
    variables: {},
    hostname: name,
  };
  return assembleAlertmanager(context, values, { advertiseAddress: () => host.ip });
}
