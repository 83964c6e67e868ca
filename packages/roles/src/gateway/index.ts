import { Gateway, parseGatewayConfig } from '@pollux/gateway';
import { parseAddress, withCompression } from '@pollux/http/serving';
import { LOG_FLAGS } from '../flags/flags.ts';
import { registerConsole } from '../runtime/console.ts';
import { readTextFile } from '../runtime/read-file.ts';
import { type RoleModule, VERSION } from '../runtime/role.ts';
import { observedRouter, registerHealth, registerMetrics, serve } from '../runtime/web.ts';
import { Listeners } from './listeners.ts';

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
    const gateway = new Gateway({ env, log, registry, config, pid: process.pid });
    const router = observedRouter({ env, log, registry, namespace: 'pollux_gateway', prefix: '/' });
    registerHealth(router, 'Gateway', () => gateway.isReady);
    registerMetrics(router, registry);
    registerConsole(router, env.files);
    gateway.registerRoutes(router);
    const handler = gateway.handlerOver(withCompression(router.handler));
    const at = parseAddress(values['web.listen-address']);
    const maxConnections = values['web.max-connections'];
    const listener = await serve(env, at, handler, maxConnections);
    const listeners = new Listeners(env);
    try {
      await listeners.start(config, handler, maxConnections);
    } catch (error) {
      await listener.close();
      await gateway.close();
      throw error;
    }
    gateway.start();
    return {
      address: listener.address,
      reload: async () => {
        const changed = parseGatewayConfig(readTextFile(env.files, file), file);
        const commit = listeners.prepare(changed);
        gateway.reload(changed);
        commit();
      },
      reopenLogs: () => gateway.reopenLogs(),
      close: async () => {
        await Promise.all([listener.close(), listeners.close()]);
        await gateway.close();
      },
      quit: new Promise(() => {}),
    };
  },
};
