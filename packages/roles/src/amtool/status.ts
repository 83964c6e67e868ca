import { inColumns } from '../command/columns.ts';
import type { Call, Subcommand } from '../command/command-line.ts';
import { goJson } from '../command/go-text.ts';
import type { Operation } from './api.ts';
import type { Around } from './around.ts';

const GET: Operation = { method: 'GET', template: '/status', name: 'getStatus' };

export type StatusJson = {
  readonly cluster: {
    readonly name?: string;
    readonly peers?: readonly { readonly address: string; readonly name: string }[];
    readonly status: string;
  };
  readonly config: { readonly original: string };
  readonly uptime: string;
  readonly versionInfo: Readonly<Record<string, string>>;
};

export const clusterShow: Subcommand<Around> = {
  words: ['cluster', 'show'],
  isDefault: true,
  help: 'View cluster status and peers.',
  run: async (call, around) => {
    const { cluster } = await statusOf(call, around);
    const { output } = around.settings(call);
    const peers = [...(cluster.peers ?? [])];
    const lines = [
      ['Cluster Status:', cluster.status],
      ['Node Name:', cluster.name ?? ''],
    ];
    if (output === 'extended') {
      lines.push(
        [''],
        ['Address', 'Name'],
        ...peers.map(({ address, name }) => [address, name, '']),
      );
    }
    around.context.stdout.write(
      output === 'json'
        ? `${goJson({ ...(cluster.name === undefined ? {} : { name: cluster.name }), peers: peers.map(({ address, name }) => ({ address, name })), status: cluster.status })}\n`
        : inColumns(lines, { padding: 2 }),
    );
    return 0;
  },
};

export const configShow: Subcommand<Around> = {
  words: ['config', 'show'],
  isDefault: true,
  help: 'View current config.',
  run: async (call, around) => {
    const status = await statusOf(call, around);
    const { output } = around.settings(call);
    const { config, versionInfo, uptime } = status;
    if (output === 'json') around.context.stdout.write(`${goJson(status)}\n`);
    else around.context.stdout.write(`${config.original}\n`);
    if (output === 'extended') {
      const names = ['buildUser', 'goVersion', 'revision', 'version', 'branch', 'buildDate'];
      const lines = [...names.map((name) => [name, versionInfo[name] ?? '']), ['uptime', uptime]];
      around.context.stdout.write(lines.map((cells) => `${cells.join(' ')}\n`).join(''));
    }
    return 0;
  },
};

export async function statusOf(call: Call, { api }: Around): Promise<StatusJson> {
  const answer = await api(call, GET, { path: '/status' });
  return answer as StatusJson;
}
