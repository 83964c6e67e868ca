import { join, resolve } from 'node:path';
import { federate } from '@pollux/api';
import { Closer } from '@pollux/base';
import { Gateway, parseGatewayConfig } from '@pollux/gateway';
import { parseAddress, withCompression } from '@pollux/http/serving';
import { stampLines } from '@pollux/influx/line-protocol';
import { type FlagValues, LOG_FLAGS } from '../flags/flags.ts';
import { registerConsole } from '../runtime/console.ts';
import { readTextFile } from '../runtime/read-file.ts';
import { type RoleContext, type RoleModule, type RunningRole, VERSION } from '../runtime/role.ts';
import { observedRouter, registerHealth, registerMetrics, serve } from '../runtime/web.ts';
import { Listeners } from './listeners.ts';

const FLAGS = {
  'config.file': { kind: 'string', fallback: 'gateway.yml', help: 'Gateway configuration file.' },
  'web.listen-address': { kind: 'string', fallback: '0.0.0.0:9099', help: 'Address to listen on.' },
  'storage.path': {
    kind: 'string',
    fallback: 'data-gateway/',
    help: 'Directory for writes that members have still to get; made when gateway.yml has servers, stores or alertmanagers.',
  },
  'web.max-connections': {
    kind: 'integer',
    fallback: 4_096,
    help: 'Maximum number of simultaneous connections.',
  },
  ...LOG_FLAGS,
} as const;

/** Requests under way may take a while to end, ms. */
const CLOSE_STEP_MS = 15_000;

/** The one address that people and Grafana use. */
export const role: RoleModule<typeof FLAGS> = {
  name: 'gateway',
  usage: 'pollux gateway [flags]',
  version: `pollux gateway, version ${VERSION}`,
  flags: FLAGS,
  start: async (context, values) => {
    const closer = new Closer(context.env.clock);
    try {
      return await startGateway(context, values, closer);
    } catch (error) {
      await closer.close();
      throw error;
    }
  },
};

async function startGateway(
  { env, log, registry, lock }: RoleContext,
  values: FlagValues<typeof FLAGS>,
  closer: Closer,
): Promise<RunningRole> {
  const file = values['config.file'];
  const config = parseGatewayConfig(readTextFile(env.files, file), file);
  const directory = resolve(values['storage.path']);
  if (config.groups.some(({ kind }) => kind !== 'http')) closer.defer('lock', lock(directory));
  const spoolDirectory = join(directory, 'spool');
  const gateway = new Gateway({
    env,
    log,
    registry,
    config,
    pid: process.pid,
    spoolDirectory,
    stampLines,
    federate,
  });
  closer.defer('gateway', () => gateway.close());
  const router = observedRouter({ env, log, registry, namespace: 'pollux_gateway', prefix: '/' });
  registerHealth(router, 'Gateway', () => gateway.isReady);
  registerMetrics(router, registry);
  // `/query` is the stores'.
  registerConsole(router, env.files, { except: ['query'] });
  gateway.registerRoutes(router);
  const handler = gateway.handlerOver(withCompression(router.handler));
  const at = parseAddress(values['web.listen-address']);
  const maxConnections = values['web.max-connections'];
  const listener = await serve(env, at, handler, maxConnections);
  const listeners = new Listeners(env);
  closer.defer('listeners', async () => {
    await Promise.all([listener.close(), listeners.close()]);
  });
  await listeners.start(config, handler, maxConnections);
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
      await closer.close(CLOSE_STEP_MS);
    },
    quit: new Promise(() => {}),
  };
}
