import { dirname, resolve } from 'node:path';
import { InputError } from '@pollux/base';
import { parseYaml, strictContext } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG, type HttpConfig, HttpConfigClient, httpConfig } from '@pollux/http';
import type { InfluxService } from '@pollux/influx';
import type { CopyExchange, ShardStore } from '@pollux/shards';
import type { FlagTable, FlagValues } from '../../flags/flags.ts';
import { readTextFile } from '../../runtime/read-file.ts';
import type { RoleContext } from '../../runtime/role.ts';
import { Exchanger } from './exchanger.ts';

export const TWIN_FLAGS = {
  'ha.twin': {
    kind: 'list',
    fallback: [],
    help: "Address of another store that is written the same. What it has of replicas' samples and this one lacks is fetched from it. Can be repeated.",
  },
  'ha.twin.http-config-file': {
    kind: 'string',
    fallback: '',
    help: 'Client settings for --ha.twin: basic_auth, tls_config …',
  },
  'ha.twin.interval': {
    kind: 'duration',
    fallback: '5m',
    help: 'Time between two comparisons with twins.',
  },
  'ha.twin.horizon': {
    kind: 'duration',
    fallback: '7d',
    help: 'Samples older than this are not compared.',
  },
  'ha.twin.samples-per-second': {
    kind: 'integer',
    fallback: 100_000,
    help: 'Samples fetched from a twin at most.',
  },
} as const satisfies FlagTable;

/** Null where no twin is configured. Throws InputError and ConfigError for flags that cannot be used. */
export function openExchanger(
  context: RoleContext,
  flags: FlagValues<typeof TWIN_FLAGS>,
  parts: {
    readonly service: InfluxService;
    readonly store: ShardStore;
    readonly copies: CopyExchange;
  },
): Exchanger | null {
  const { env, log, registry, variables } = context;
  const urls = flags['ha.twin'].map((url) => url.replace(/\/+$/, ''));
  if (urls.length === 0) return null;
  for (const url of urls) {
    if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url))
      throw new InputError('ROLES.BAD_FLAG', '--ha.twin', `${url} is no address as http://b:8086`);
  }
  for (const name of ['ha.twin.interval', 'ha.twin.samples-per-second'] as const) {
    if (flags[name] < 1) throw new InputError('ROLES.BAD_FLAG', `--${name}`, 'is less than 1');
  }
  const file = flags['ha.twin.http-config-file'];
  return new Exchanger({
    ...parts,
    clock: env.clock,
    log: log.with({ component: 'twin' }),
    registry,
    urls,
    client: new HttpConfigClient({
      ...env,
      config: clientConfig(context, file),
      resolvePath: (name) => (name === '' ? name : resolve(dirname(file), name)),
      variables,
    }),
    intervalMs: flags['ha.twin.interval'],
    horizonMs: flags['ha.twin.horizon'],
    samplesPerSecond: flags['ha.twin.samples-per-second'],
  });
}

function clientConfig({ env }: RoleContext, file: string): HttpConfig {
  if (file === '') return DEFAULT_HTTP_CONFIG;
  return httpConfig(parseYaml(readTextFile(env.files, file), file), '', strictContext());
}
