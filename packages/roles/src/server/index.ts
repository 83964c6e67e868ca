import { PROMETHEUS_VERSION, type RoleModule, VERSION } from '../runtime/role.ts';
import { startServer } from './assemble.ts';
import { SERVER_FLAGS } from './flags.ts';

/** A Prometheus: scrapes, stores, evaluates, answers, writes on. */
export const role: RoleModule<typeof SERVER_FLAGS> = {
  name: 'server',
  usage: 'pollux server [flags]',
  version: `prometheus, version ${PROMETHEUS_VERSION} (pollux ${VERSION})`,
  flags: SERVER_FLAGS,
  start: (context, values) => startServer(context, values),
};
