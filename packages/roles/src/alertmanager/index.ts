import { networkInterfaces } from 'node:os';
import { InputError } from '@pollux/base';
import { ALERTMANAGER_VERSION, type RoleModule, VERSION } from '../runtime/role.ts';
import { assembleAlertmanager } from './assemble.ts';
import { ALERTMANAGER_FLAGS } from './flags.ts';

export { assembleAlertmanager } from './assemble.ts';
export { ALERTMANAGER_FLAGS } from './flags.ts';

/** An Alertmanager: routes, groups, silences, inhibits, notifies; in one cluster with its peers. */
export const role: RoleModule<typeof ALERTMANAGER_FLAGS> = {
  name: 'alertmanager',
  usage: 'pollux alertmanager [flags]',
  version: `alertmanager, version ${ALERTMANAGER_VERSION} (pollux ${VERSION})`,
  flags: ALERTMANAGER_FLAGS,
  start: (context, flags) => assembleAlertmanager(context, flags, { privateAddress }),
};

/** The first private IPv4 address of this machine, as memberlist chooses. */
function privateAddress(): string {
  const isPrivate =
    /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;
  for (const addresses of Object.values(networkInterfaces())) {
    const found = addresses?.find(
      ({ family, internal, address }) => family === 'IPv4' && !internal && isPrivate.test(address),
    );
    if (found !== undefined) return found.address;
  }
  throw new InputError(
    'ROLES.NO_PRIVATE_ADDRESS',
    '--cluster.advertise-address',
    'no private IP address found, explicit IP not provided; give one, or --cluster.listen-address= to run alone',
  );
}
