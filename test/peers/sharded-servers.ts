import { Labels } from '@pollux/model';
import type { DataSeries } from '../differential/promql/data.ts';
import type { Peer } from '../differential/promql/peer.ts';
import { fill, type Pair } from '../differential/promql/servers.ts';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { type Server, startPrometheus } from './real-prometheus.ts';

/** Whose program each replica of each shard is. */
export type Layout = Readonly<Record<string, readonly ('ours' | 'theirs')[]>>;

type Replica = { readonly name: string; readonly url: string; kill(): Promise<unknown> };

/** Shards of replicas behind a gateway, and one Prometheus that holds everything. */
export class ShardedServers implements Pair {
  readonly shards: Readonly<Record<string, Replica[]>>;
  readonly gateway: RunningRole;
  readonly #whole: Server;
  readonly #scratch: Scratch;

  private constructor(parts: {
    readonly shards: Readonly<Record<string, Replica[]>>;
    readonly gateway: RunningRole;
    readonly whole: Server;
    readonly scratch: Scratch;
  }) {
    this.shards = parts.shards;
    this.gateway = parts.gateway;
    this.#whole = parts.whole;
    this.#scratch = parts.scratch;
  }

  get ours(): string {
    return this.gateway.url;
  }

  get theirs(): string {
    return this.#whole.url;
  }

  readonly logs = { ours: '', theirs: '' };

  /** Series go to the shard that their target's labels give, as hashmod would do. */
  static async start(
    layout: Layout,
    data: readonly DataSeries[],
    peer: Peer,
  ): Promise<ShardedServers> {
    const scratch = new Scratch();
    const flags = (name: string, external: string): string[] => [
      `--config.file=${scratch.file(`${name}.yml`, `global: {evaluation_interval: 30s${external}}\n`)}`,
      `--storage.tsdb.path=${scratch.at(name)}`,
      '--storage.tsdb.retention.time=100y',
      '--web.enable-remote-write-receiver',
    ];
    const theirFlags = ['--enable-feature=native-histograms'];
    const whole = await startPrometheus([...flags('whole', ''), ...theirFlags], peer.binary);
    await fill([whole.url], data);
    const names = Object.keys(layout);
    const shards: Record<string, Replica[]> = {};
    for (const [index, shard] of names.entries()) {
      const replicas = await Promise.all(
        layout[shard]!.map(async (program, at): Promise<Replica> => {
          const name = `${shard}-${at}`;
          const own = flags(name, `, external_labels: {shard: "${shard}", replica: "${at}"}`);
          if (program === 'theirs') {
            const server = await startPrometheus([...own, ...theirFlags], peer.binary);
            return { name, url: server.url, kill: () => server.kill() };
          }
          const listen = '--web.listen-address=127.0.0.1:0';
          const feature = '--enable-feature=promql-experimental-functions';
          const role = await RunningRole.start(['server', ...own, listen, feature]);
          return { name, url: role.url, kill: () => role.end('SIGKILL') };
        }),
      );
      shards[shard] = replicas;
      await fill(
        replicas.map(({ url }) => url),
        data.filter(({ labels }) => shardOf(labels, names.length) === index),
      );
    }
    const file = scratch.file('gateway.yml', gatewayConfig(shards));
    const gateway = await RunningRole.start([
      'gateway',
      `--config.file=${file}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
    const members = Object.values(shards).flat();
    await eventually('all members are up', 20_000, async () => {
      const { text } = await gateway.get('/metrics');
      const up = text.split('\n').filter((line) => /^pollux_gateway_member_up\{.*\} 1$/.test(line));
      return up.length === members.length ? true : null;
    });
    return new ShardedServers({ shards, gateway, whole, scratch });
  }

  async close(): Promise<void> {
    await this.gateway.end('SIGKILL');
    await Promise.all(Object.values(this.shards).flatMap((all) => all.map((one) => one.kill())));
    await this.#whole.kill();
    this.#scratch.remove();
  }
}

function shardOf(labels: Readonly<Record<string, string>>, count: number): number {
  const { job = '', instance = '' } = labels;
  const key = Labels.from({ job, instance }).key();
  return [...key].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) >>> 0, 0) % count;
}

function gatewayConfig(shards: Readonly<Record<string, readonly Replica[]>>): string {
  const groups = Object.entries(shards).map(([name, members]) => {
    const listed = members.map((one) => `{name: ${one.name}, url: '${one.url}'}`).join(', ');
    return `  - {name: ${name}, kind: server, members: [${listed}]}`;
  });
  return `groups:
${groups.join('\n')}
shards: [${Object.keys(shards).join(', ')}]
plain_lookback: 0
`;
}
