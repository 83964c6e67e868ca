import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import {
  Alertmanager,
  type AlertmanagerConfig,
  type ClusterPort,
  NO_CLUSTER,
  readConfig,
} from '@pollux/alertmanager';
import type { AlertmanagerStatus } from '@pollux/api-types/pair';
import { Closer, errorText, InputError, withTimeout } from '@pollux/base';
import { GossipNode } from '@pollux/gossip';
import { json, parseAddress } from '@pollux/http';
import type { FlagValues } from '../flags/flags.ts';
import { externalUrlOf, routePrefixOf } from '../runtime/external-url.ts';
import { readTextFile } from '../runtime/read-file.ts';
import {
  ALERTMANAGER_VERSION,
  type RoleContext,
  type RoleModule,
  type RunningRole,
  VERSION,
} from '../runtime/role.ts';
import { listen, observedRouter } from '../runtime/web.ts';
import { ALERTMANAGER_FLAGS } from './flags.ts';

type Flags = FlagValues<typeof ALERTMANAGER_FLAGS>;

const LEAVE_TIMEOUT_MS = 3_000;

/** An Alertmanager: routes, groups, silences, inhibits, notifies; in one cluster with its peers. */
export const role: RoleModule<typeof ALERTMANAGER_FLAGS> = {
  name: 'alertmanager',
  usage: 'pollux alertmanager [flags]',
  version: `alertmanager, version ${ALERTMANAGER_VERSION} (pollux ${VERSION})`,
  flags: ALERTMANAGER_FLAGS,
  start: startAlertmanager,
};

async function startAlertmanager(context: RoleContext, flags: Flags): Promise<RunningRole> {
  const { env, log, registry } = context;
  const startedMs = env.clock.now();
  const closer = new Closer(env.clock);
  const file = flags['config.file'];
  const load = (): AlertmanagerConfig => readConfig(readTextFile(env.files, file), { file });
  const first = load();
  const storageDirectory = resolve(flags['storage.path']);
  closer.defer('lock', context.lock(storageDirectory));
  const at = parseAddress(flags['web.listen-address']);
  const externalUrl = externalUrlOf(
    flags['web.external-url'],
    flags['web.listen-address'],
    context.hostname,
  );
  const node = flags['cluster.listen-address'] === '' ? null : newNode(context, flags);
  const cluster: ClusterPort = node ?? NO_CLUSTER;

  const reload = async (): Promise<void> => {
    try {
      manager.prepare(load()).commit();
    } catch (error) {
      manager.noteFailedReload();
      log.error('loading the configuration failed; the old one runs on', { err: errorText(error) });
      throw error;
    }
    log.info('Completed loading of configuration file', { file });
  };
  const manager: Alertmanager = new Alertmanager({
    env,
    log,
    registry,
    cluster,
    storageDirectory,
    externalUrl,
    version: ALERTMANAGER_VERSION,
    reload,
    retentionMs: flags['data.retention'],
    maintenanceIntervalMs: flags['data.maintenance-interval'],
    alertGcIntervalMs: flags['alerts.gc-interval'],
    perAlertnameLimit: flags['alerts.per-alertname-limit'],
    dispatchMaintenanceIntervalMs: flags['dispatch.maintenance-interval'],
    startDelayMs: flags['dispatch.start-delay'],
    peerTimeoutMs: flags['cluster.peer-timeout'],
    settleTimeoutMs: flags['cluster.settle-timeout'],
    maxSilences: flags['silences.max-silences'],
    maxSilenceBytes: flags['silences.max-silence-size-bytes'],
    getConcurrency: flags['web.get-concurrency'],
  });
  closer.defer('alertmanager', () => manager.close());
  manager.prepare(first).commit();

  const router = observedRouter({
    env,
    log,
    registry,
    namespace: 'alertmanager',
    prefix: routePrefixOf(flags['web.route-prefix'], externalUrl),
  });
  manager.registerRoutes(router);
  router.get('/api/v1/pollux/status', async () => json(200, statusOf(cluster, startedMs)));
  const listener = await listen(env, at, router);
  closer.defer('listener', () => listener.close());
  manager.start();
  if (node !== null) {
    await node.start();
    closer.defer('cluster', async () => {
      // Peers learn of an orderly end at once; one that cannot be told finds out by probing.
      await withTimeout(env.clock, LEAVE_TIMEOUT_MS, 'leaving the cluster', () =>
        node.leave(),
      ).catch((error) => log.warn('left the cluster without a goodbye', { err: errorText(error) }));
      await node.close();
    });
  }
  registry
    .gauges('alertmanager_build_info', 'Version whose behaviour is served, and the runtime.', [
      'version',
      'goversion',
    ])
    .with(ALERTMANAGER_VERSION, process.version)
    .set(1);
  return {
    address: listener.address,
    reload,
    close: async () => {
      for (const failure of await closer.close(4_000))
        log.error('closing failed', { err: failure });
    },
    quit: new Promise(() => {}),
  };
}

function newNode({ env, log, registry }: RoleContext, flags: Flags): GossipNode {
  const listenAt = parseAddress(flags['cluster.listen-address']);
  const given = flags['cluster.advertise-address'];
  const isAny = listenAt.host === '0.0.0.0' || listenAt.host === '::';
  const advertise =
    given === '' ? (isAny ? { host: privateAddress(), port: 0 } : null) : parseAddress(given);
  return new GossipNode({
    env,
    log,
    registry,
    listen: listenAt,
    peers: flags['cluster.peer'],
    ...(advertise === null ? {} : { advertise }),
    ...(flags['cluster.peer-name'] === '' ? {} : { name: flags['cluster.peer-name'] }),
    ...(flags['cluster.label'] === '' ? {} : { label: flags['cluster.label'] }),
    times: {
      gossipIntervalMs: flags['cluster.gossip-interval'],
      pushPullIntervalMs: flags['cluster.pushpull-interval'],
      tcpTimeoutMs: flags['cluster.tcp-timeout'],
      probeTimeoutMs: flags['cluster.probe-timeout'],
      probeIntervalMs: flags['cluster.probe-interval'],
      settleTimeoutMs: flags['cluster.settle-timeout'],
      reconnectIntervalMs: flags['cluster.reconnect-interval'],
      reconnectTimeoutMs: flags['cluster.reconnect-timeout'],
      peersResolveTimeoutMs: flags['cluster.peers-resolve-timeout'],
    },
  });
}

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

function statusOf(cluster: ClusterPort, startedMs: number): AlertmanagerStatus {
  return {
    role: 'alertmanager',
    version: VERSION,
    startedMs,
    clusterStatus: cluster.status(),
    position: cluster.position(),
    members: cluster.peers(),
  };
}
