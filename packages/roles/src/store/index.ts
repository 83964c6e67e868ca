import { join, resolve } from 'node:path';
import type { StoreStatus } from '@pollux/api-types/pair';
import { Closer, InputError } from '@pollux/base';
import { formatAddress, json, parseAddress, Router } from '@pollux/http';
import {
  decodeInfluxConfig,
  type InfluxConfig,
  InfluxService,
  registerInflux,
  registerStoragePages,
} from '@pollux/influx';
import { CopyExchange, ShardQueryable, ShardStore } from '@pollux/shards';
import { type FlagValues, LOG_FLAGS } from '../flags/flags.ts';
import { readTextFile } from '../runtime/read-file.ts';
import {
  INFLUXDB_VERSION,
  type RoleContext,
  type RoleModule,
  type RunningRole,
  VERSION,
} from '../runtime/role.ts';
import { listen, observedRouter, registerHealth, registerMetrics } from '../runtime/web.ts';
import { prometheusCodec } from './codec-binding.ts';
import { makeFirstThings } from './first-start.ts';
import { PROMETHEUS_API_FLAGS, registerPrometheusApi } from './prometheus-api.ts';
import { openExchanger, TWIN_FLAGS } from './twin/open-exchanger.ts';
import { registerTwin } from './twin/routes.ts';

const FLAGS = {
  config: {
    kind: 'string',
    fallback: '',
    help: "Path to influxdb.conf, over INFLUXDB_CONFIG_PATH; upstream's defaults when empty.",
  },
  'http.bind-address': {
    kind: 'string',
    fallback: '',
    help: 'Address to listen on; over the file and the environment.',
  },
  'data.dir': {
    kind: 'string',
    fallback: '',
    help: 'Directory for meta, data and wal; over the file and the environment.',
  },
  'auth.enabled': { kind: 'boolean', fallback: false, help: 'Ask for users and passwords.' },
  pidfile: {
    kind: 'string',
    fallback: '',
    help: 'File to write the process id to.',
  },
  engine: {
    kind: 'choice',
    choices: ['embedded'],
    fallback: 'embedded',
    help: 'Where samples are kept.',
  },
  'ha.replica-labels': {
    kind: 'list',
    fallback: [],
    help: 'Labels that tell replicas apart, with commas: split off on write. Over [ha] of the file, prometheus_replica by default.',
  },
  'ha.settle': {
    kind: 'duration',
    fallback: '0s',
    help: 'One copy of several replicas is kept of windows of two hours that all have written, or so long after their end and the last write to them. 0s keeps all. Over [ha] of the file.',
  },
  ...TWIN_FLAGS,
  ...PROMETHEUS_API_FLAGS,
  ...LOG_FLAGS,
} as const;

/** Long-term storage that speaks InfluxDB 1.x. */
export const role: RoleModule<typeof FLAGS> = {
  name: 'store',
  usage: 'pollux store [flags]',
  version: `InfluxDB v${INFLUXDB_VERSION} (pollux ${VERSION})`,
  flags: FLAGS,
  start: startStore,
};

async function startStore(
  context: RoleContext,
  flags: FlagValues<typeof FLAGS>,
  given: ReadonlySet<string>,
): Promise<RunningRole> {
  const { env, log, registry } = context;
  const startedMs = env.clock.now();
  const closer = new Closer(env.clock);
  const config = readConfig(context, flags, given);
  const at = parseAddress(config.http['bind-address']);
  const directory = resolve(config.data.dir);
  closer.defer('lock', context.lock(directory));
  const walDirectory = resolve(config.data['wal-dir']);
  const engine = await ShardStore.open({
    env,
    log: log.with({ component: 'shards' }),
    registry,
    directory,
    walDirectory,
    settleAfterMs: config.ha.settle,
  });
  closer.defer('engine', () => engine.close());
  const isFirst = !env.files.exists(join(config.meta.dir, 'meta.json'));
  const service = new InfluxService({
    env,
    log,
    registry,
    config,
    version: INFLUXDB_VERSION,
    engine,
    openQueryable: (options) => new ShardQueryable({ ...options, store: engine }),
    codec: prometheusCodec(env.random),
  });
  closer.defer('service', () => service.close());
  if (isFirst) await makeFirstThings(context, service, config.http['auth-enabled']);

  let isReady = false;
  const router = observedRouter({ env, log, registry, namespace: 'influxdb', prefix: '/' });
  registerHealth(router, 'Store', () => isReady);
  registerMetrics(router, registry);
  registerInflux(router, service, env.random);
  registerPrometheusApi(router, { context, flags, service, closer, isReady: () => isReady });
  const copies = new CopyExchange(engine);
  registerTwin(router, { clock: env.clock, service, copies });
  const exchanger = openExchanger(context, flags, { service, store: engine, copies });
  if (exchanger !== null) closer.defer('twin', () => exchanger.close());
  router.get('/api/v1/pollux/status', async () => json(200, statusOf(engine, startedMs)));
  const listener = await listen(env, at, router, config.http['max-connection-limit'] || 4_096);
  closer.defer('listener', () => listener.close());
  if (config.admin.enabled) {
    const pages = new Router({ monotonic: () => env.clock.monotonic() });
    registerStoragePages(pages, service, engine);
    const shown = await listen(env, parseAddress(config.admin['bind-address']), pages, 64);
    closer.defer('pages', () => shown.close());
    log.info('pages about the storage', { address: `http://${formatAddress(shown.address)}` });
  }
  engine.start();
  service.start();
  exchanger?.start();
  isReady = true;
  if (flags.pidfile !== '' && context.processId !== undefined)
    env.files.replaceFile(resolve(flags.pidfile), `${context.processId}`);
  return {
    address: listener.address,
    reload: async () => {
      throw new InputError(
        'ROLES.NO_RELOAD',
        flags.config,
        'the store takes a changed file only by a restart',
      );
    },
    close: async () => {
      isReady = false;
      for (const failure of await closer.close(8_000))
        log.error('closing failed', { err: failure });
    },
    quit: new Promise(() => {}),
  };
}

/** File, then environment, then flags. */
function readConfig(
  { env, log, variables }: RoleContext,
  flags: FlagValues<typeof FLAGS>,
  given: ReadonlySet<string>,
): InfluxConfig {
  const file = flags.config === '' ? (variables.INFLUXDB_CONFIG_PATH ?? '') : flags.config;
  const text = file === '' ? '' : readTextFile(env.files, file);
  const { config, warnings } = decodeInfluxConfig(text, file, variables);
  for (const warning of warnings) log.warn('configuration', { warning });
  const directory = flags['data.dir'];
  return {
    ...config,
    http: {
      ...config.http,
      ...(given.has('http.bind-address') ? { 'bind-address': flags['http.bind-address'] } : {}),
      ...(given.has('auth.enabled') ? { 'auth-enabled': flags['auth.enabled'] } : {}),
    },
    ha: {
      ...config.ha,
      ...(given.has('ha.replica-labels') ? { 'replica-labels': flags['ha.replica-labels'] } : {}),
      ...(given.has('ha.settle') ? { settle: flags['ha.settle'] } : {}),
    },
    ...(directory === ''
      ? {}
      : {
          meta: { ...config.meta, dir: join(directory, 'meta') },
          data: { ...config.data, dir: join(directory, 'data'), 'wal-dir': join(directory, 'wal') },
        }),
  };
}

function statusOf(engine: ShardStore, startedMs: number): StoreStatus {
  const newest = new Map<string, number>();
  for (const { replica, newestMs } of engine.watermarks()) {
    newest.set(replica, Math.max(newest.get(replica) ?? 0, newestMs));
  }
  return {
    role: 'store',
    version: VERSION,
    startedMs,
    watermarks: [...newest].map(([replica, newestMs]) => ({ replica, newestMs })),
  };
}
