import { networkInterfaces } from 'node:os';
import { ALERTMANAGER_VERSION, type RoleModule, VERSION } from '../runtime/role.ts';
import { advertiseAddress } from './advertise-address.ts';
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
  start: (context, flags) =>
    assembleAlertmanager(context, flags, {
      advertiseAddress: (allowPublic) => {
        const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
        return advertiseAddress(addresses, allowPublic);
      },
    }),
};
