import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { addressOf, type Command, HOSTS, type HostName } from '@pollux/roles/up';
import {
  alertmanagerConfig,
  configFile,
  dataDirectory,
  type SetUp,
  type Site,
  serverConfig,
} from './set-up.ts';
import { LOOKBACK_MS, PEER_TIMEOUT_MS, RESEND_DELAY_MS } from './times.ts';

const PAST_SECONDS = 6 * 3_600;
const PROGRAMS = ['prometheus', 'promtool', 'prometheus-alertmanager', 'influxd', 'nginx'];

/** The real programs that are not installed. */
export function missingPrograms(): string[] {
  return PROGRAMS.filter((name) => spawnSync(name, ['--version']).error !== undefined);
}

/**
 * The pair as it is made by hand from the originals: both hosts have a Prometheus and an Alertmanager, in one cluster; B alone has
 * InfluxDB, which only A writes to and both read, and nginx over both servers with `max_fails=0 weight=3`. The usual description
 * leaves alertmanagers without an address in common; here nginx serves them by the same rule, so that there is one to silence at.
 */
export async function handMadePair(site: Site): Promise<SetUp> {
  const { layout } = site;
  for (const host of HOSTS) giveAPast(site, host);
  const influx = addressOf(layout, 'store', 'B');
  const web = `${layout.addresses.B}:${await site.freePort('B')}`;
  return {
    name: 'hand-made',
    // Takes the program's name as an argument, and is replaced by it.
    program: ['env'],
    commands: [
      influxCommand(site, influx, `${layout.addresses.B}:${await site.freePort('B')}`),
      ...HOSTS.flatMap((host) => [
        alertmanagerCommand(site, host),
        serverCommand(site, host, influx),
      ]),
      nginxCommand(site, web),
    ],
    entries: [{ host: 'B', url: `http://${web}` }],
    stores: { 'B/store': `http://${influx}/api/v1/prom/read?db=prometheus` },
    serverData: { A: dataDirectory(site, 'A', 'server'), B: dataDirectory(site, 'B', 'server') },
    replicaLabels: [],
    coveragePath: null,
    prepare: async () => {
      const answer = await fetch(`http://${influx}/query`, {
        method: 'POST',
        body: new URLSearchParams({ q: 'CREATE DATABASE prometheus' }),
        signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok) throw new Error(`influxd makes no database: ${await answer.text()}`);
    },
  };
}

/**
 * Lets a server have a block of some hours ago. For the first four hours of its data a Prometheus asks `remote_read` for all of a query's
 * time, and merges the other replica's samples with its own: so it is after a lost disk, but not in a pair that has run for a day.
 */
function giveAPast(site: Site, host: HostName): void {
  const seconds = Math.floor(Date.now() / 1_000) - PAST_SECONDS;
  const file = configFile(site, host, 'past.txt', `chaos_past 1 ${seconds}\n# EOF\n`);
  const arguments_ = ['tsdb', 'create-blocks-from', 'openmetrics', file];
  execFileSync('promtool', [...arguments_, dataDirectory(site, host, 'server')], {
    stdio: 'ignore',
  });
}

function serverCommand(site: Site, host: HostName, influx: string): Command {
  const address = addressOf(site.layout, 'server', host);
  const write = ['remote_write:', `  - url: http://${influx}/api/v1/prom/write?db=prometheus`];
  const read = ['remote_read:', `  - url: http://${influx}/api/v1/prom/read?db=prometheus`];
  const file = serverConfig(site, host, {
    global: [],
    remote: host === 'A' ? [...write, ...read] : read,
  });
  return {
    name: `${host}/server`,
    role: 'prometheus',
    address,
    readyPath: '/-/ready',
    environment: {},
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${dataDirectory(site, host, 'server')}`,
      `--web.listen-address=${address}`,
      `--query.lookback-delta=${LOOKBACK_MS}ms`,
      `--rules.alert.resend-delay=${RESEND_DELAY_MS}ms`,
    ],
  };
}

function alertmanagerCommand(site: Site, host: HostName): Command {
  const { layout } = site;
  const address = addressOf(layout, 'alertmanager', host);
  return {
    name: `${host}/alertmanager`,
    role: 'prometheus-alertmanager',
    address,
    readyPath: '/-/ready',
    environment: {},
    args: [
      `--config.file=${alertmanagerConfig(site, host)}`,
      `--storage.path=${dataDirectory(site, host, 'alertmanager')}`,
      `--web.listen-address=${address}`,
      `--cluster.listen-address=${addressOf(layout, 'gossip', host)}`,
      `--cluster.peer=${addressOf(layout, 'gossip', host === 'A' ? 'B' : 'A')}`,
      `--cluster.peer-timeout=${PEER_TIMEOUT_MS}ms`,
    ],
  };
}

function influxCommand(site: Site, address: string, backup: string): Command {
  const data = dataDirectory(site, 'B', 'store');
  const file = configFile(
    site,
    'B',
    'influxdb.conf',
    `reporting-disabled = true
bind-address = "${backup}"
[meta]
  dir = "${path.join(data, 'meta')}"
[data]
  dir = "${path.join(data, 'data')}"
  wal-dir = "${path.join(data, 'wal')}"
[http]
  bind-address = "${address}"
  log-enabled = false
[monitor]
  store-enabled = false
`,
  );
  return {
    name: 'B/store',
    role: 'influxd',
    address,
    readyPath: '/ping',
    environment: {},
    args: ['-config', file],
  };
}

function nginxCommand(site: Site, address: string): Command {
  const directory = dataDirectory(site, 'B', 'gateway');
  const at = (name: string): string => path.join(directory, name);
  const upstream = (name: string, part: 'server' | 'alertmanager'): string =>
    [
      `upstream ${name} {`,
      ...HOSTS.map(
        (host) =>
          `  server ${addressOf(site.layout, part, host)} max_fails=0 fail_timeout=0s weight=3;`,
      ),
      '  keepalive 300;',
      '}',
    ].join('\n');
  const location = (where: string, name: string): string =>
    [
      `location ${where} {`,
      `  proxy_pass http://${name};`,
      '  proxy_set_header Host $host;',
      '  proxy_set_header X-Real-IP $remote_addr;',
      '  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
      '  proxy_http_version 1.1;',
      '  proxy_set_header Connection "";',
      '}',
    ].join('\n');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${at(`${kind}_temp`)};`)
    .join('\n');
  const file = configFile(
    site,
    'B',
    'nginx.conf',
    `daemon off;
master_process off;
pid ${at('pid')};
error_log ${at('error.log')};
events { worker_connections 1024; }
http {
access_log off;
${temporary}
${upstream('servers', 'server')}
${upstream('alertmanagers', 'alertmanager')}
server {
listen ${address};
location = /nginx-ready { return 200; }
${location('/api/v2/', 'alertmanagers')}
${location('/', 'servers')}
}
}
`,
  );
  return {
    name: 'B/gateway',
    role: 'nginx',
    address,
    readyPath: '/nginx-ready',
    environment: {},
    args: ['-p', directory, '-c', file, '-e', at('error.log')],
  };
}
