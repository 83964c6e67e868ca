import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseFlags } from '../flags/flags.ts';
import type { RunningRole } from '../runtime/role.ts';
import { role } from './index.ts';

let directory: string;
let running: RunningRole | null = null;
let lines: string[];
let printed: string;
const env = nodeEnv();

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'store-'));
  lines = [];
  printed = '';
});
afterEach(async () => {
  await stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** The three directories of the hand-made set-up, in a file that is given with one dash. */
async function start(variables: Readonly<Record<string, string>>): Promise<void> {
  const at = (name: string): string => path.join(directory, name);
  const file = at('influxdb.conf');
  fs.writeFileSync(
    file,
    `[meta]\n  dir = "${at('meta')}"\n[data]\n  dir = "${at('data')}"\n  wal-dir = "${at('wal')}"\n[http]\n  bind-address = "127.0.0.1:0"\n`,
  );
  // As the image's volumes make them.
  for (const name of ['meta', 'data', 'wal']) fs.mkdirSync(at(name), { recursive: true });
  const { values, given } = parseFlags(role.flags, ['-config', file, '-pidfile', at('pid')]);
  running = await role.start(
    {
      env,
      log: new Log({
        level: 'debug',
        format: 'logfmt',
        now: () => Date.now(),
        write: (line) => lines.push(line),
      }),
      registry: new Registry(),
      lock: () => () => {},
      variables: { INFLUXDB_INITDB_DIR: at('initdb.d'), ...variables },
      hostname: 'b',
      processId: 4711,
      print: (text) => {
        printed += text;
      },
    },
    values,
    given,
  );
}

async function stop(): Promise<void> {
  await running?.close();
  running = null;
}

async function ask(q: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const { port } = running?.address ?? { port: 0 };
  const query = new URLSearchParams({ q, ...more });
  const answer = await fetch(`http://127.0.0.1:${port}/query?${query}`, { method: 'POST' });
  return (await answer.text()).trim();
}

const IMAGE = {
  INFLUXDB_DB: 'prometheus',
  INFLUXDB_ADMIN_ENABLED: 'true',
  INFLUXDB_ADMIN_USER: 'admin',
  INFLUXDB_ADMIN_PASSWORD: 'secret-a',
  INFLUXDB_USER: 'prom',
  INFLUXDB_USER_PASSWORD: 'secret-p',
};

describe("the variables of InfluxDB's image", () => {
  it('make the database and, as authentication is off, no users', async () => {
    await start(IMAGE);
    expect(await ask('SHOW DATABASES')).toContain('[["prometheus"]]');
    expect(await ask('SHOW USERS')).toBe(
      '{"results":[{"statement_id":0,"series":[{"columns":["user","admin"]}]}]}',
    );
    expect(lines.join('\n')).toContain('no users are made');
    expect(fs.readFileSync(path.join(directory, 'pid'), 'utf8')).toBe('4711');
    const { port } = running?.address ?? { port: 0 };
    const url = `http://127.0.0.1:${port}/write?db=prometheus`;
    expect((await fetch(url, { method: 'POST', body: 'm v=1' })).status).toBe(204);
    for (const name of ['meta', 'data', 'wal'])
      expect(fs.readdirSync(path.join(directory, name)), name).not.toEqual([]);
  });

  it('make users with their privileges when authentication is on, once', async () => {
    const variables = {
      ...IMAGE,
      INFLUXDB_HTTP_AUTH_ENABLED: 'true',
      INFLUXDB_READ_USER: 'reader',
      INFLUXDB_WRITE_USER: 'writer',
      INFLUXDB_WRITE_USER_PASSWORD: 'secret-w',
    };
    const admin = { u: 'admin', p: 'secret-a' };
    await start(variables);
    const grants = await ask(
      'SHOW USERS; SHOW GRANTS FOR prom; SHOW GRANTS FOR reader; SHOW GRANTS FOR writer',
      admin,
    );
    expect(grants).toContain('[["admin",true],["prom",false],["reader",false],["writer",false]]');
    expect(grants.match(/\["prometheus","[A-Z ]+"\]/g)).toEqual([
      '["prometheus","ALL PRIVILEGES"]',
      '["prometheus","READ"]',
      '["prometheus","WRITE"]',
    ]);
    const [, made = ''] = /^INFLUXDB_READ_USER_PASSWORD:(\S+)\n$/.exec(printed) ?? [];
    expect(await ask('SHOW DATABASES', { u: 'reader', p: made })).toContain('prometheus');
    expect(await ask('DROP USER prom; DROP DATABASE prometheus', admin)).not.toContain('error');
    await stop();
    await start(variables);
    expect(await ask('SHOW DATABASES', admin), 'dropped things stay away').not.toContain(
      'prometheus',
    );
    for (const secret of ['secret-a', 'secret-p', 'secret-w', made])
      expect(lines.join('\n')).not.toContain(secret);
  });

  it('run the files of initdb.d in order, with a warning for scripts', async () => {
    const scripts = path.join(directory, 'initdb.d');
    fs.mkdirSync(scripts);
    fs.writeFileSync(
      path.join(scripts, '2.iql'),
      'CREATE RETENTION POLICY r ON d DURATION 2h REPLICATION 1',
    );
    fs.writeFileSync(path.join(scripts, '1.iql'), 'CREATE DATABASE d; CREATE DATABASE e;\n');
    fs.writeFileSync(path.join(scripts, '3.sh'), 'exit 1');
    await start({});
    expect(await ask('SHOW DATABASES')).toContain('[["d"],["e"]]');
    expect(await ask('show retention policies', { db: 'd' })).toContain(
      '["r","2h0m0s","1h0m0s",1,false]',
    );
    expect(lines.join('\n')).toContain('only .iql files are run');
  });
});

it('takes the statements of the hand-made set-up as they are written there', async () => {
  await start({});
  expect(await ask('create database prometheus')).toBe('{"results":[{"statement_id":0}]}');
  expect(await ask('SHOW MEASUREMENTS', { db: 'prometheus' })).toBe(
    '{"results":[{"statement_id":0}]}',
  );
  const alter =
    'alter retention policy autogen on prometheus duration 30d  REPLICATION 1  SHARD DURATION 7d default';
  expect(await ask(alter)).toBe('{"results":[{"statement_id":0}]}');
  expect(await ask('show retention policies', { db: 'prometheus' })).toContain(
    '"columns":["name","duration","shardGroupDuration","replicaN","default"],"values":[["autogen","720h0m0s","168h0m0s",1,true]]',
  );
});

it('answers its twin as it answers readers, and says what is wrong with a question', async () => {
  await start({ INFLUXDB_DB: 'prometheus', INFLUXDB_HTTP_AUTH_ENABLED: 'true' });
  await ask("CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES");
  await ask("CREATE USER other WITH PASSWORD 'o'", { u: 'root', p: 'secret' });
  const { port } = running?.address ?? { port: 0 };
  const get = async (query: string, body?: string): Promise<readonly [number, string]> => {
    const url = `http://127.0.0.1:${port}/api/v1/pollux/twin?${query}`;
    const answer = await fetch(url, body === undefined ? {} : { method: 'POST', body });
    return [answer.status, await answer.text()];
  };
  const window = 'db=prometheus&start=1699920000000';
  expect((await get(window))[0]).toBe(401);
  expect((await get(`${window}&u=other&p=o`))[0]).toBe(403);
  const login = '&u=root&p=secret';
  const [status, sums] = await get(window + login);
  expect(status).toBe(200);
  expect(JSON.parse(sums)).toEqual({ sums: new Array(64).fill(0) });
  expect((await get(`db=nothing&start=0${login}`))[0]).toBe(404);
  expect((await get(`db=prometheus&start=5${login}`))[0]).toBe(400);
  expect((await get(`${window}&bucket=64${login}`, '{"held":{}}'))[0]).toBe(400);
  expect((await get(`${window}&bucket=1${login}`, 'not JSON'))[0]).toBe(400);
  expect(await get(`${window}&bucket=1${login}`, '{"held":{}}')).toEqual([
    200,
    '{"isWhole":true,"copies":[]}',
  ]);
});
