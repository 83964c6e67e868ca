import { addressOf, type Command, HOSTS, type HostName, programPath } from '@pollux/roles/up';
import {
  alertmanagerConfig,
  configFile,
  dataDirectory,
  type SetUp,
  type Site,
  serverConfig,
} from './set-up.ts';
import { GUARD_MS, LOOKBACK_MS, PEER_TIMEOUT_MS, RESEND_DELAY_MS } from './times.ts';

/** Our pair as `init` would write it for two hosts: all roles on both, a gateway too. */
export async function polluxPair(site: Site): Promise<SetUp> {
  const { layout } = site;
  const gateways: Record<HostName, string> = {
    A: `${layout.addresses.A}:${await site.freePort('A')}`,
    B: `${layout.addresses.B}:${await site.freePort('B')}`,
  };
  const stores = Object.fromEntries(
    HOSTS.map((host) => [`${host}/store`, `http://${addressOf(layout, 'store', host)}`]),
  );
  return {
    name: 'pollux',
    program: [process.execPath, programPath()],
    commands: HOSTS.flatMap((host) => commandsOf(site, host, gateways[host])),
    entries: HOSTS.map((host) => ({ host, url: `http://${gateways[host]}` })),
    stores: Object.fromEntries(
      Object.entries(stores).map(([name, url]) => [name, `${url}/api/v1/prom/read?db=prometheus`]),
    ),
    serverData: { A: dataDirectory(site, 'A', 'server'), B: dataDirectory(site, 'B', 'server') },
    replicaLabels: ['prometheus_replica'],
    coveragePath: '/api/v1/pollux/coverage',
    prepare: async () => {},
  };
}

function commandsOf(site: Site, host: HostName, gateway: string): Command[] {
  const { layout } = site;
  const at = (part: 'server' | 'alertmanager' | 'gossip' | 'store', of = host): string =>
    addressOf(layout, part, of);
  const peer = host === 'A' ? 'B' : 'A';
  const remote = [
    'remote_write:',
    ...HOSTS.flatMap((of) => [
      `  - name: store-${of}`,
      `    url: http://${at('store', of)}/api/v1/prom/write?db=prometheus`,
      '    queue_config: {batch_send_deadline: 500ms}',
    ]),
    'remote_read:',
    ...HOSTS.flatMap((of) => [
      `  - name: store-${of}`,
      `    url: http://${at('store', of)}/api/v1/prom/read?db=prometheus`,
    ]),
  ];
  const server = serverConfig(site, host, {
    global: [`external_labels: {cluster: chaos, prometheus_replica: ${host}}`],
    remote,
  });
  const members = (part: 'server' | 'alertmanager' | 'store'): string =>
    HOSTS.map((of) => `{name: ${part}-${of}, url: 'http://${at(part, of)}'}`).join(', ');
  const gatewayFile = configFile(
    site,
    host,
    'gateway.yml',
    `groups:
  - {name: servers, kind: server, members: [${members('server')}]}
  - {name: alertmanagers, kind: alertmanager, members: [${members('alertmanager')}]}
  - {name: stores, kind: store, members: [${members('store')}]}
lookback_delta: ${LOOKBACK_MS}ms
seam_guard: ${GUARD_MS}ms
long_term: {}
`,
  );
  const storeFile = configFile(site, host, 'influxdb.conf', '[http]\n  auth-enabled = false\n');
  const command = (
    role: string,
    address: string,
    readyPath: string,
    args: readonly string[],
    environment: Record<string, string> = {},
  ): Command => ({ name: `${host}/${role}`, role, address, readyPath, args, environment });
  return [
    command(
      'store',
      at('store'),
      '/ping',
      [
        `--config=${storeFile}`,
        `--http.bind-address=${at('store')}`,
        `--data.dir=${dataDirectory(site, host, 'store')}`,
      ],
      { INFLUXDB_DB: 'prometheus' },
    ),
    command('alertmanager', at('alertmanager'), '/-/ready', [
      `--config.file=${alertmanagerConfig(site, host)}`,
      `--storage.path=${dataDirectory(site, host, 'alertmanager')}`,
      `--web.listen-address=${at('alertmanager')}`,
      `--cluster.listen-address=${at('gossip')}`,
      `--cluster.peer=${at('gossip', peer)}`,
      `--cluster.peer-timeout=${PEER_TIMEOUT_MS}ms`,
    ]),
    command('server', at('server'), '/-/ready', [
      `--config.file=${server}`,
      `--storage.tsdb.path=${dataDirectory(site, host, 'server')}`,
      `--web.listen-address=${at('server')}`,
      `--query.lookback-delta=${LOOKBACK_MS}ms`,
      `--rules.alert.resend-delay=${RESEND_DELAY_MS}ms`,
      `--ha.twin=http://${at('server', peer)}`,
      `--ha.twin.clock-difference=${GUARD_MS}ms`,
    ]),
    command('gateway', gateway, '/-/ready', [
      `--config.file=${gatewayFile}`,
      `--storage.path=${dataDirectory(site, host, 'gateway')}`,
      `--web.listen-address=${gateway}`,
    ]),
  ];
}
