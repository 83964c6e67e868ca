import { Closer } from '@pollux/base';
import { parseAddress, type RouteHandler, text } from '@pollux/http';
import { Labels } from '@pollux/model';
import { readHandler, writeHandler } from '@pollux/remote';
import {
  Forwarding,
  GraphiteTarget,
  type InfluxPlace,
  InfluxQueryable,
  InfluxTarget,
  influxBucket,
  influxDatabase,
  OpentsdbTarget,
  type TextTarget,
} from '@pollux/remote/adapter';
import { FlagError, type FlagValues } from '../flags/flags.ts';
import { type RoleContext, type RoleModule, type RunningRole, VERSION } from '../runtime/role.ts';
import { listenOn, observedRouter, registerHealth, registerMetrics } from '../runtime/web.ts';
import { WebConfig } from '../runtime/web-config.ts';
import { ADAPTER_FLAGS } from './flags.ts';

type Flags = FlagValues<typeof ADAPTER_FLAGS>;

const CLOSE_TIMEOUT_MS = 8_000;
const MAX_CONNECTIONS = 512;
/** A read holds its answer whole. */
const MAX_READS = 10;
const MAX_READ_BYTES = 512 * 1024 * 1024;

/** Takes remote write for Graphite, OpenTSDB and InfluxDB, and answers remote read from InfluxDB. */
export const role: RoleModule<typeof ADAPTER_FLAGS> = {
  name: 'adapter',
  usage: 'pollux adapter [flags]',
  version: `pollux adapter, version ${VERSION}`,
  flags: ADAPTER_FLAGS,
  start: startAdapter,
};

async function startAdapter(
  context: RoleContext,
  flags: Flags,
  given: ReadonlySet<string>,
): Promise<RunningRole> {
  const { env, log, registry } = context;
  const closer = new Closer(env.clock);
  const place = influxPlace(context, flags, given);
  const targets = targetsOf(context, flags, place);
  const web =
    flags['web.config.file'] === '' ? null : new WebConfig(context, flags['web.config.file']);
  const forwarding = new Forwarding({ ...env, log, registry, targets });
  const router = observedRouter({ env, log, registry, namespace: 'adapter', prefix: '/' });
  registerHealth(router, 'Adapter', () => true);
  registerMetrics(router, registry, flags['web.telemetry-path']);
  router.post(
    '/write',
    writeHandler({ ...env, registry, log, appendable: () => forwarding.appendable() }),
  );
  router.post('/read', place === null ? NO_READER : reader(context, place, flags['send-timeout']));
  const at = parseAddress(flags['web.listen-address']);
  const listener = await listenOn(env, [at], router, { web, maxConnections: MAX_CONNECTIONS });
  closer.defer('listener', () => listener.close());
  log.info('samples go to', { storages: targets.map(({ name }) => name).join(',') });
  return {
    address: listener.address,
    // Passwords and certificates of the web configuration are looked at as requests come.
    reload: async () => {},
    close: async () => {
      for (const failure of await closer.close(CLOSE_TIMEOUT_MS))
        log.error('closing failed', { err: failure });
    },
    quit: new Promise(() => {}),
  };
}

/** The original's words. */
const NO_READER: RouteHandler = async () =>
  text(500, 'expected exactly one reader, found 0 readers\n');

function reader(
  { env, registry, log }: RoleContext,
  place: InfluxPlace,
  timeoutMs: number,
): RouteHandler {
  const queryable = new InfluxQueryable({ net: env.net, place, timeoutMs });
  return readHandler({
    clock: env.clock,
    queryable: () => queryable,
    externalLabels: () => Labels.EMPTY,
    registry,
    log,
    maxSamples: 0,
    maxConcurrent: MAX_READS,
    maxMemoryBytes: MAX_READ_BYTES,
  });
}

function targetsOf(
  { env: { net } }: RoleContext,
  flags: Flags,
  place: InfluxPlace | null,
): TextTarget[] {
  const timeoutMs = flags['send-timeout'];
  const targets: TextTarget[] = [];
  if (flags['graphite-address'] !== '') {
    const address = parseAddress(flags['graphite-address']);
    targets.push(new GraphiteTarget({ net, address, prefix: flags['graphite-prefix'], timeoutMs }));
  }
  if (flags['opentsdb-url'] !== '') {
    targets.push(new OpentsdbTarget({ net, url: flags['opentsdb-url'], timeoutMs }));
  }
  if (place !== null) targets.push(new InfluxTarget({ net, place, timeoutMs }));
  // The original starts and answers that all is well.
  if (targets.length === 0) {
    throw new FlagError(
      '--influxdb-url',
      'samples have nowhere to go: give --influxdb-url, --graphite-address or --opentsdb-url',
    );
  }
  return targets;
}

function influxPlace(
  { variables }: RoleContext,
  flags: Flags,
  given: ReadonlySet<string>,
): InfluxPlace | null {
  const url = flags['influxdb-url'];
  if (url === '') return null;
  const bucket = flags['influxdb.bucket'];
  if (bucket === '') {
    return influxDatabase({
      url,
      database: flags['influxdb.database'],
      retentionPolicy: flags['influxdb.retention-policy'],
      username: flags['influxdb.username'],
      password: variables.INFLUXDB_PW ?? '',
    });
  }
  for (const name of ['database', 'retention-policy', 'username']) {
    if (!given.has(`influxdb.${name}`)) continue;
    throw new FlagError(`--influxdb.${name}`, 'a database and a bucket exclude each other');
  }
  const organization = flags['influxdb.organization'];
  return influxBucket({ url, bucket, organization, token: variables.INFLUXDB_AUTH_TOKEN ?? '' });
}
