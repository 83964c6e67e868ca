import { resolve } from 'node:path';
import { InputError } from '@pollux/base';
import { parseYaml, strictContext } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG, type HttpConfig, httpConfig } from '@pollux/http';
import type { Tsdb } from '@pollux/tsdb';
import type { FlagValues } from '../../flags/flags.ts';
import { readTextFile } from '../../runtime/read-file.ts';
import type { RoleContext } from '../../runtime/role.ts';
import { resolverOf } from '../config.ts';
import type { ServerCoverage } from '../coverage.ts';
import type { SERVER_FLAGS } from '../flags.ts';
import { Healer } from './healer.ts';
import { Twin } from './twin.ts';

/** Null where no twin is configured. Throws InputError and ConfigError for flags that cannot be used. */
export function openHealer(
  context: RoleContext,
  flags: FlagValues<typeof SERVER_FLAGS>,
  parts: { readonly tsdb: Tsdb; readonly coverage: ServerCoverage; readonly userAgent: string },
): Healer | null {
  const urls = flags['ha.twin'];
  if (urls.length === 0) return null;
  const { env, log, registry, variables } = context;
  const file = flags['ha.twin.http-config-file'];
  const client = clientOf(context, file);
  const resolvePath = resolverOf(file);
  const twins = urls.map((url) => {
    if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url))
      throw new InputError('ROLES.BAD_FLAG', '--ha.twin', `${url} is no address as http://b:9090`);
    const { userAgent } = parts;
    return new Twin({ env, url, client, resolvePath, variables, userAgent });
  });
  const samplesPerSecond = flags['ha.twin.samples-per-second'];
  if (samplesPerSecond < 1)
    throw new InputError('ROLES.BAD_FLAG', '--ha.twin.samples-per-second', 'is less than 1');
  return new Healer({
    env,
    log: log.with({ component: 'healing' }),
    registry,
    twins,
    tsdb: parts.tsdb,
    coverage: parts.coverage,
    directory: resolve(flags['storage.tsdb.path']),
    blockRangeMs: flags['storage.tsdb.min-block-duration'],
    guardMs: Math.max(1, flags['ha.twin.clock-difference']),
    samplesPerSecond,
  });
}

function clientOf({ env }: RoleContext, file: string): HttpConfig {
  if (file === '') return DEFAULT_HTTP_CONFIG;
  return httpConfig(parseYaml(readTextFile(env.files, file), file), '', strictContext());
}
