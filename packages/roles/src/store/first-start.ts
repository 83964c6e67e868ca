import type { Env } from '@pollux/base';
import type { InfluxService } from '@pollux/influx';
import type { Log } from '@pollux/telemetry';
import { readTextFile } from '../runtime/read-file.ts';

export type FirstStartContext = {
  readonly env: Env;
  readonly log: Log;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly print?: (text: string) => void;
};

/** Where InfluxDB's image looks for what is to be run at the first start. */
const SCRIPTS = '/docker-entrypoint-initdb.d';
/** Who gets what on INFLUXDB_DB; the administrator is made before them. */
const USERS = [
  ['INFLUXDB_USER', 'ALL PRIVILEGES'],
  ['INFLUXDB_WRITE_USER', 'WRITE'],
  ['INFLUXDB_READ_USER', 'READ'],
] as const;

/**
 * Does what InfluxDB's image does before its first start: makes the database and the users that the variables name, and runs the
 * `.iql` files of `/docker-entrypoint-initdb.d` (INFLUXDB_INITDB_DIR names another directory). As there, users are made only when
 * authentication is on and INFLUXDB_ADMIN_USER is given; what is made later is the business of who runs the store.
 */
export async function makeFirstThings(
  context: FirstStartContext,
  service: InfluxService,
  asksForUsers: boolean,
): Promise<void> {
  const { variables, log } = context;
  const { meta } = service;
  const database = variables.INFLUXDB_DB ?? '';
  if (database !== '') {
    const policy = variables.INFLUXDB_DB_RETENTION_POLICY ?? '';
    if (policy === '') meta.createDatabase(database);
    else meta.createDatabase(database, policy, {});
  }
  const admin = variables.INFLUXDB_ADMIN_USER ?? '';
  if (asksForUsers && admin !== '') {
    meta.createUser(admin, passwordOf(context, 'INFLUXDB_ADMIN'), true);
    for (const [variable, privilege] of USERS) {
      const name = variables[variable] ?? '';
      if (name === '') continue;
      meta.createUser(name, passwordOf(context, variable), false);
      if (database !== '') meta.grant(name, database, privilege);
    }
  } else if (admin !== '' || USERS.some(([variable]) => (variables[variable] ?? '') !== '')) {
    log.info('no users are made: authentication is off, or INFLUXDB_ADMIN_USER is not given', {
      remedy: 'INFLUXDB_HTTP_AUTH_ENABLED=true at the first start',
    });
  }
  await runScripts(context, service);
}

/** The password of the variable, or a new one, which is printed once as the image does. */
function passwordOf({ env, variables, print }: FirstStartContext, prefix: string): string {
  const variable = `${prefix}_PASSWORD`;
  const given = variables[variable] ?? '';
  if (given !== '') return given;
  const bytes = new Uint8Array(24);
  env.random.fill(bytes);
  const made = Buffer.from(bytes).toString('base64url');
  print?.(`${variable}:${made}\n`);
  return made;
}

async function runScripts(
  { env, log, variables }: FirstStartContext,
  service: InfluxService,
): Promise<void> {
  const directory = variables.INFLUXDB_INITDB_DIR ?? SCRIPTS;
  if (!env.files.exists(directory)) return;
  for (const name of [...env.files.list(directory)].sort()) {
    const file = `${directory}/${name}`;
    if (name.endsWith('.iql')) {
      await service.run(readTextFile(env.files, file));
      log.info('ran a file of the first start', { file });
    } else log.warn('left out at the first start: only .iql files are run', { file });
  }
}
