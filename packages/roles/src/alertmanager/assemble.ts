import { resolve } from 'node:path';
import {
  Alertmanager,
  type AlertmanagerConfig,
  type ClusterPort,
  DingtalkWebhook,
  fileBeside,
  NO_CLUSTER,
  readConfig,
} from '@pollux/alertmanager';
import type { AlertmanagerStatus } from '@pollux/api-types/pair';
import { type Address, Closer, errorText, withTimeout } from '@pollux/base';
import { GossipNode } from '@pollux/gossip';
import { json, parseAddress } from '@pollux/http';
import { tracedHandler } from '@pollux/telemetry';
import type { FlagValues } from '../flags/flags.ts';
import { registerAlertmanagerPage } from '../runtime/console.ts';
import { externalUrlOf, listenAddressesOf, routePrefixOf } from '../runtime/external-url.ts';
import { readTextFile } from '../runtime/read-file.ts';
import {
  ALERTMANAGER_VERSION,
  type RoleContext,
  type RunningRole,
  VERSION,
} from '../runtime/role.ts';
import { systemdSockets } from '../runtime/systemd-sockets.ts';
import { listenOn, observedRouter, withTimeLimit } from '../runtime/web.ts';
import { WebConfig } from '../runtime/web-config.ts';
import { ClusterTls } from './cluster-tls.ts';
import { featuresOf, matcherModeOf } from './features.ts';
import type { ALERTMANAGER_FLAGS } from './flags.ts';

type Flags = FlagValues<typeof ALERTMANAGER_FLAGS>;

/** What only the machine knows. */
export type Machine = {
  /** The address that peers reach this machine by; called when none was given. A public one only where that is allowed. */
  readonly advertiseAddress: (allowPublic: boolean) => string;
};

const LEAVE_TIMEOUT_MS = 3_000;
const STEP_TIMEOUT_MS = 4_000;

/**
 * Wires an alertmanager and starts it. Time, disk and network are those of the context, so that the simulator runs this
 * very code. What was started is closed again when a later part refuses.
 */
export async function assembleAlertmanager(
  context: RoleContext,
  flags: Flags,
  machine: Machine,
): Promise<RunningRole> {
  const closer = new Closer(context.env.clock);
  const close = async (): Promise<void> => {
    for (const failure of await closer.close(STEP_TIMEOUT_MS))
      context.log.error('closing failed', { err: failure });
  };
  try {
    return { ...(await assemble(context, flags, { machine, closer })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One straight line of construction, as long as it must be; the door opens last. */
async function assemble(
  context: RoleContext,
  flags: Flags,
  { machine, closer }: { readonly machine: Machine; readonly closer: Closer },
): Promise<Omit<RunningRole, 'close'>> {
  const { env, log, registry } = context;
  const startedMs = env.clock.now();
  const features = featuresOf(flags['enable-feature']);
  const matcherMode = matcherModeOf(features);
  for (const name of features) log.warn('Experimental feature enabled', { feature: name });
  const file = flags['config.file'];
  const load = (): AlertmanagerConfig => {
    const name = fileBeside(file);
    const beside = env.files.exists(name)
      ? { text: readTextFile(env.files, name), file: name }
      : null;
    return readConfig(readTextFile(env.files, file), { file, beside, matcherMode });
  };
  const first = load();
  const storageDirectory = resolve(flags['storage.path']);
  closer.defer('lock', context.lock(storageDirectory));
  const addresses = listenAddressesOf(flags['web.listen-address']);
  const externalUrl = externalUrlOf(flags['web.external-url'], addresses[0], context.hostname);
  const places = flags['web.systemd-socket']
    ? systemdSockets(context.variables, process.pid)
    : addresses;
  const webFile = flags['web.config.file'];
  // Before anything is opened: a file that cannot be used ends the start.
  const web = webFile === '' ? null : new WebConfig(context, webFile);
  const node = flags['cluster.listen-address'] === '' ? null : newNode(context, flags, machine);
  const cluster: ClusterPort = node ?? NO_CLUSTER;

  const reload = async (): Promise<void> => {
    try {
      const prepared = [manager.prepare(load()), ...prepareWebhook()];
      for (const part of prepared) part.commit();
    } catch (error) {
      manager.noteFailedReload(error);
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
    variables: context.variables,
    hostname: context.hostname,
    reload,
    retentionMs: flags['data.retention'],
    historyRetentionMs: flags['history.retention'],
    historyMaxBytes: flags['history.max-bytes'],
    maintenanceIntervalMs: flags['data.maintenance-interval'],
    alertGcIntervalMs: flags['alerts.gc-interval'],
    perAlertnameLimit: flags['alerts.per-alertname-limit'],
    outboxMaxAgeMs: flags['outbox.max-age'],
    dispatchMaintenanceIntervalMs: flags['dispatch.maintenance-interval'],
    startDelayMs: flags['dispatch.start-delay'],
    peerTimeoutMs: flags['cluster.peer-timeout'],
    settleTimeoutMs: flags['cluster.settle-timeout'],
    maxSilences: flags['silences.max-silences'],
    maxSilenceBytes: flags['silences.max-silence-size-bytes'],
    getConcurrency: flags['web.get-concurrency'],
    matcherMode,
    logsSilences: flags['log.silences'],
    printEvents: features.has('event-recorder') ? (context.print ?? (() => {})) : null,
    metricLabels: {
      alertNames: features.has('alert-names-in-metrics'),
      receiverNames: features.has('receiver-name-in-metrics'),
      groupKeys: features.has('group-key-in-metrics'),
    },
  });
  const webhookFile = flags['dingtalk.config-file'];
  const webhook = new DingtalkWebhook({
    env,
    log: log.with({ component: 'dingtalk-webhook' }),
    registry,
    robots: manager.robots,
    variables: context.variables,
    userAgent: `Alertmanager/${ALERTMANAGER_VERSION}`,
  });
  const prepareWebhook = (): { commit(): void }[] =>
    webhookFile === '' ? [] : [webhook.prepare(readTextFile(env.files, webhookFile), webhookFile)];
  for (const part of [manager.prepare(first), ...prepareWebhook()]) part.commit();

  const router = observedRouter({
    env,
    log,
    registry,
    namespace: 'alertmanager',
    prefix: routePrefixOf(flags['web.route-prefix'], externalUrl),
    isByMethod: true,
  });
  manager.registerRoutes(router);
  if (webhookFile !== '') webhook.registerRoutes(router);
  registerAlertmanagerPage(router, env.files);
  router.get('/api/v1/pollux/status', async () => json(200, statusOf(cluster, startedMs)));
  // Closed in the opposite order: no new alerts, then the last deliveries and their log entries, which the cluster still
  // carries to the others before it is left.
  if (node !== null) closer.defer('cluster', () => leave(node, context));
  closer.defer('alertmanager', () => manager.close());
  const traced = { handler: tracedHandler(manager.tracing, router.handler) };
  const served = withTimeLimit(env.clock, traced, flags['web.timeout']);
  const listener = await listenOn(env, places, served, { web, maxConnections: 512 });
  closer.defer('listener', () => listener.close());
  manager.start();
  if (node !== null) await node.start();
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
    quit: new Promise(() => {}),
  };
}

async function leave(node: GossipNode, { env, log }: RoleContext): Promise<void> {
  // Peers learn of an orderly end at once; one that cannot be told finds out by probing.
  await withTimeout(env.clock, LEAVE_TIMEOUT_MS, 'leaving the cluster', () => node.leave()).catch(
    (error) => log.warn('left the cluster without a goodbye', { err: errorText(error) }),
  );
  await node.close();
}

function newNode({ env, log, registry }: RoleContext, flags: Flags, machine: Machine): GossipNode {
  const listenAt = parseAddress(flags['cluster.listen-address']);
  const advertise = advertised(listenAt.host, flags, machine);
  const tlsFile = flags['cluster.tls-config'];
  return new GossipNode({
    env,
    log,
    registry,
    listen: listenAt,
    peers: flags['cluster.peer'],
    ...(advertise === null ? {} : { advertise }),
    ...(flags['cluster.peer-name'] === '' ? {} : { name: flags['cluster.peer-name'] }),
    ...(flags['cluster.label'] === '' ? {} : { label: flags['cluster.label'] }),
    ...(tlsFile === '' ? {} : { tls: new ClusterTls(env, log, tlsFile) }),
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

/** Null where peers are told the address this member listens on. */
function advertised(listenHost: string, flags: Flags, machine: Machine): Address | null {
  const given = flags['cluster.advertise-address'];
  if (given !== '') return parseAddress(given);
  if (!['', '0.0.0.0', '::'].includes(listenHost)) return null;
  const allowPublic = flags['cluster.allow-insecure-public-advertise-address-discovery'];
  return { host: machine.advertiseAddress(allowPublic), port: 0 };
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
