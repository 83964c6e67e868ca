import path from 'node:path';
import { addressOf, HOSTS, type HostName, type Layout } from './layout.ts';
import type { RenderedPair } from './render.ts';

/** One process of the pair. */
export type Command = {
  /** `A/server`, `gateway` … */
  readonly name: string;
  readonly role: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** `host:port` of its HTTP. */
  readonly address: string;
  readonly readyPath: string;
};

export type CommandOptions = {
  readonly layout: Layout;
  readonly pair: RenderedPair;
  /** Further arguments of a role, as `server: ['--query.lookback-delta=10s']`. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
};

/** The processes of the whole pair, in the order they are started. */
export function pairCommands(options: CommandOptions): Command[] {
  const { layout, pair, extra = {} } = options;
  const commands: Command[] = [
    {
      name: 'sink',
      role: 'sink',
      args: [`--web.listen-address=${addressOf(layout, 'sink')}`, ...(extra.sink ?? [])],
      environment: { POLLUX_SINK_SECRET: pair.secret },
      address: addressOf(layout, 'sink'),
      readyPath: '/-/ready',
    },
  ];
  for (const host of HOSTS) commands.push(...hostCommands(host, options));
  commands.push({
    name: 'gateway',
    role: 'gateway',
    args: [
      `--config.file=${path.join(pair.hosts.A.config, 'gateway.yml')}`,
      `--storage.path=${path.join(pair.hosts.A.data, 'gateway')}`,
      `--web.listen-address=${addressOf(layout, 'gateway')}`,
      ...(extra.gateway ?? []),
    ],
    environment: {},
    address: addressOf(layout, 'gateway'),
    readyPath: '/-/ready',
  });
  return commands;
}

function hostCommands(host: HostName, { layout, pair, extra = {} }: CommandOptions): Command[] {
  const { config, data } = pair.hosts[host];
  const peer = host === 'A' ? 'B' : 'A';
  const at = (part: 'server' | 'alertmanager' | 'node-exporter' | 'store'): string =>
    `--web.listen-address=${addressOf(layout, part, host)}`;
  const command = (
    role: 'server' | 'alertmanager' | 'node-exporter' | 'store',
    args: readonly string[],
  ): Command => ({
    name: `${host}/${role}`,
    role,
    args: [...args, ...(extra[role] ?? [])],
    environment: role === 'store' ? { INFLUXDB_DB: 'prometheus' } : { PROMETHEUS_REPLICA: host },
    address: addressOf(layout, role, host),
    readyPath: role === 'store' ? '/ping' : '/-/ready',
  });
  return [
    command('store', [
      `--config=${path.join(config, 'influxdb.conf')}`,
      `--http.bind-address=${addressOf(layout, 'store', host)}`,
      `--data.dir=${path.join(data, 'store')}`,
      `--ha.twin=http://${addressOf(layout, 'store', peer)}`,
    ]),
    command('alertmanager', [
      `--config.file=${path.join(config, 'alertmanager.yml')}`,
      `--storage.path=${path.join(data, 'alertmanager')}`,
      at('alertmanager'),
      `--cluster.listen-address=${addressOf(layout, 'gossip', host)}`,
      `--cluster.peer=${addressOf(layout, 'gossip', peer)}`,
      '--cluster.peer-timeout=5s',
    ]),
    command('node-exporter', [at('node-exporter')]),
    command('server', [
      `--config.file=${path.join(config, 'prometheus.yml')}`,
      `--storage.tsdb.path=${path.join(data, 'server')}`,
      at('server'),
      '--web.enable-lifecycle',
      `--ha.twin=http://${addressOf(layout, 'server', peer)}`,
      // Both are on this machine and have one clock.
      '--ha.twin.clock-difference=100ms',
    ]),
  ];
}
