import { InputError } from '@pollux/base';
import { Gateway, parseGatewayConfig } from '@pollux/gateway';
import { parseAddress } from '@pollux/http/serving';
import { LOG_FLAGS } from '../flags/flags.ts';
import { registerConsole } from '../runtime/console.ts';
import { readTextFile } from '../runtime/read-file.ts';
import { type RoleModule, VERSION } from '../runtime/role.ts';
import { listen, observedRouter, registerHealth, registerMetrics } from '../runtime/web.ts';

const FLAGS = {
  'config.file': { kind: 'string', fallback: 'gateway.yml', help: 'Gateway configuration file.' },
  'web.listen-address': { kind: 'string', fallback: '0.0.0.0:9099', help: 'Address to listen on.' },
  'web.max-connections': {
    kind: 'integer',
    fallback: 4_096,
    help: 'Maximum number of simultaneous connections.',
  },
  ...LOG_FLAGS,
} as const;

/** The one address that people and Grafana use. */
export const role: RoleModule<typeof FLAGS> = {
  name: 'gateway',
  usage: 'pollux gateway [flags]',
  version: `pollux gateway, version ${VERSION}`,
  flags: FLAGS,
  start: async ({ env, log, registry }, values) => {
    const file = values['config.file'];
    const config = parseGatewayConfig(readTextFile(env.files, file), file);
    const gateway = new Gateway({ env, log, registry, config });
    const router = observedRouter({ env, log, registry, namespace: 'pollux_gateway', prefix: '/' });
    registerHealth(router, 'Gateway', () => gateway.isReady);
    registerMetrics(router, registry);
    registerConsole(router, env.files);
    gateway.registerRoutes(router);
    const at = parseAddress(values['web.listen-address']);
    const listener = await listen(env, at, router, values['web.max-connections']);
    gateway.start();
    return {
      address: listener.address,
      reload: async () => {
        // Members are fixed for the life of the process; a reload says at least whether the file would load.
        parseGatewayConfig(readTextFile(env.files, file), file);
        throw new InputError(
          'ROLES.NO_RELOAD',
          file,
          'the gateway takes a changed file only by a restart',
        );
      },
      close: async () => {
        await listener.close();
        await gateway.close();
      },
      quit: new Promise(() => {}),
    };
  },
};
