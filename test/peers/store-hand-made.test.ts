import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { hasInfluxd, NO_INFLUXD, startInfluxd } from './real-influxd.ts';

const hasShell =
  spawnSync('influx', ['-version']).status === 0 && spawnSync('script', ['--version']).status === 0;
const NO_SHELL = hasShell ? '' : ' (needs influx and script: npm run peers)';

const PASSWORD = 'xxx-of-prom';
const ADMIN_PASSWORD = 'xxx-of-admin';

/** The first start as docker-compose-monitor.yml gives it, with the volumes' directories there already. */
async function startStore(
  scratch: Scratch,
  variables: Readonly<Record<string, string>>,
): Promise<RunningRole> {
  for (const name of ['data', 'meta', 'wal']) mkdirSync(scratch.at(name), { recursive: true });
  const file = scratch.file(
    'conf/influxdb.conf',
    `[meta]
  dir = "${scratch.at('meta')}"
[data]
  dir = "${scratch.at('data')}"
  wal-dir = "${scratch.at('wal')}"
[http]
  bind-address = "127.0.0.1:0"
[admin]
  bind-address = "127.0.0.1:0"
`,
  );
  return RunningRole.start(['store', '-config', file], {
    INFLUXDB_DB: 'prometheus',
    INFLUXDB_ADMIN_ENABLED: 'true',
    INFLUXDB_ADMIN_USER: 'admin',
    INFLUXDB_ADMIN_PASSWORD: ADMIN_PASSWORD,
    INFLUXDB_USER: 'prom',
    INFLUXDB_USER_PASSWORD: PASSWORD,
    ...variables,
  });
}

/** What a person sees who types the lines into `influx` at a terminal: nobody sees prompts by a pipe. */
async function typed(scratch: Scratch, url: string, lines: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  // The terminal echoes nothing, so that only prompts and answers are seen.
  const shell = `stty -echo; TERM=dumb HOME=${scratch.path} influx -host ${hostname} -port ${port}`;
  const child = spawn('script', ['-qec', shell, '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let seen = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    seen += part;
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const cut = setTimeout(() => child.kill('SIGKILL'), 30_000);
  let prompts = 0;
  for (const line of [...lines, 'exit']) {
    prompts++;
    await eventually(`prompt for "${line}" in ${seen}`, 15_000, async () =>
      (seen.match(/(?:^|(?<=> ))> /gm)?.length ?? 0) >= prompts ? true : null,
    );
    child.stdin.write(`${line}\r`);
  }
  await ended;
  clearTimeout(cut);
  return seen.replaceAll('\r', '');
}

const CREATION = ['create database prometheus', 'use prometheus'];
const ALTER =
  'alter retention policy autogen on prometheus duration 30d  REPLICATION 1  SHARD DURATION 7d default';
const LOOKING = [
  'use prometheus',
  'SHOW MEASUREMENTS',
  'show retention policies',
  ALTER,
  'show retention policies',
  'alter retention policy nosuch on prometheus duration 30d  REPLICATION 1  SHARD DURATION 7d default',
  'use nosuch',
  'show retention polices',
];
const POINTS = 'go_goroutines,job=node value=12 1700000000000000000\nup,job=node value=1';

/** All that the two sessions of the hand-made set-up show, without versions and addresses. */
async function session(scratch: Scratch, url: string): Promise<string> {
  const created = await typed(scratch, url, CREATION);
  const written = await fetch(`${url}/write?db=prometheus`, { method: 'POST', body: POINTS });
  expect(written.status).toBe(204);
  const looked = await typed(scratch, url, LOOKING);
  return `${created}${looked}`.replaceAll(url, 'URL').replace(/^(.*version) .*$/gm, '$1');
}

describe.skipIf(!hasShell)(`the hand-made store, typed into Debian's influx${NO_SHELL}`, () => {
  const scratch = new Scratch();
  let store: RunningRole;

  beforeAll(async () => {
    store = await startStore(scratch, {});
  });
  afterAll(async () => {
    await store.end();
    scratch.remove();
  });

  it('shows what is shown there', async () => {
    const seen = await session(scratch, store.url);
    expect(seen).toContain('Using database prometheus\n');
    expect(seen).toContain('name: measurements\nname\n----\ngo_goroutines\nup\n');
    expect(seen).toMatch(
      /^(?:> )*name +duration +shardGroupDuration +replicaN +default\n-+ +-+ +-+ +-+ +-+\nautogen +0s +168h0m0s +1 +true\n/m,
    );
    expect(seen).toMatch(/^autogen +720h0m0s +168h0m0s +1 +true\n/m);
    expect(seen).toContain('ERR: retention policy not found: nosuch\n');
    for (const name of ['data', 'meta', 'wal'])
      expect(readdirSync(scratch.at(name)), name).not.toEqual([]);
  });

  it.skipIf(!hasInfluxd)(`shows it as influxd does${NO_INFLUXD}`, async () => {
    await fetch(`${store.url}/query?q=DROP+DATABASE+prometheus`, { method: 'POST' });
    const influxd = await startInfluxd();
    try {
      expect(await session(scratch, store.url)).toBe(await session(scratch, influxd.url));
    } finally {
      await influxd.end();
    }
  });
});

describe('Prometheus at the hand-made store', () => {
  const scratch = new Scratch();
  let store: RunningRole;
  let server: RunningRole;
  const secrets = [PASSWORD, ADMIN_PASSWORD];

  beforeAll(async () => {
    store = await startStore(scratch, { INFLUXDB_HTTP_AUTH_ENABLED: 'true' });
    const at = (what: string, password = PASSWORD): string =>
      `${store.url}/api/v1/prom/${what}?db=prometheus&u=prom&p=${password}`;
    const file = scratch.file(
      'prometheus.yml',
      `global:
  scrape_interval: 1s
scrape_configs:
  - job_name: store
    static_configs: [{targets: ["${new URL(store.url).host}"]}]
remote_write:
  - url: "${at('write')}"
  - url: "${at('write', 'wrong-xxx-of-prom')}"
    name: refused
remote_read:
  - url: "${at('read')}"
    read_recent: true
  - url: "${at('read', 'wrong-xxx-of-prom')}"
    name: refused
    read_recent: true
`,
    );
    server = await RunningRole.start([
      'server',
      `--config.file=${file}`,
      `--storage.tsdb.path=${scratch.at('server')}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
  });
  afterAll(async () => {
    await server.end();
    await store.end();
    scratch.remove();
  });

  it('writes and reads with db, u and p in the URL', async () => {
    const query = new URLSearchParams({ q: 'SELECT count(value) FROM up', db: 'prometheus' });
    query.set('u', 'prom');
    query.set('p', PASSWORD);
    await eventually('samples in the store', 30_000, async () =>
      (await (await fetch(`${store.url}/query?${query}`)).text()).includes('"count"') ? true : null,
    );
    const answer = await eventually('an answer', 30_000, async () => {
      const found = await server.get('/api/v1/query?query=up');
      return found.text.includes('"job":"store"') ? found.text : null;
    });
    expect(answer).toContain('"value"');
    const metrics = (await server.get('/metrics')).text.split('\n');
    const reads = metrics.filter((line) => /storage_read_queries_total.*code="200"/.test(line));
    expect(
      reads.some((line) => !line.endsWith(' 0')),
      reads.join('\n'),
    ).toBe(true);
  });

  it('shows the password nowhere: configuration, labels, errors, logs, pages', async () => {
    await eventually('a refused write in the log', 30_000, async () =>
      /refused/.test(server.log) ? true : null,
    );
    const shown: Record<string, string> = {};
    for (const target of [
      '/api/v1/status/config',
      '/api/v1/status/flags',
      '/api/v1/status/runtimeinfo',
      '/api/v1/pollux/status',
      '/api/v1/query?query=up',
      '/metrics',
    ])
      shown[target] = (await server.get(target)).text;
    const { data } = JSON.parse(shown['/api/v1/status/config'] ?? '') as { data: { yaml: string } };
    expect(data.yaml).toContain('db=prometheus&u=prom&p=<secret>');
    expect(shown['/metrics']).toContain('db=prometheus&u=prom&p=xxxxx');
    const reply = await fetch(`${store.url}/debug/vars`);
    shown.store = `${store.log}${(await store.get('/metrics')).text}${await reply.text()}`;
    shown.server = server.log;
    for (const [where, text] of Object.entries(shown)) {
      expect(text.length, where).toBeGreaterThan(0);
      for (const secret of secrets) expect(text.includes(secret), where).toBe(false);
    }
  });

  it('has pages about the storage at the port of [admin], for administrators', async () => {
    const [, pages = ''] = /msg="pages about the storage" .*address=(\S+)/.exec(store.log) ?? [];
    const ask = (path: string, user: string, password: string): Promise<Response> =>
      fetch(pages + path, {
        headers: {
          authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
        },
      });
    expect((await fetch(pages)).status).toBe(401);
    expect((await ask('/', 'prom', PASSWORD)).status).toBe(403);
    const overview = await ask('/', 'admin', ADMIN_PASSWORD);
    expect(overview.status).toBe(200);
    expect(await overview.text()).toContain('ALL PRIVILEGES on prometheus');
    const database = await (await ask('/database/prometheus', 'admin', ADMIN_PASSWORD)).text();
    expect(database).toContain('<td>autogen</td>');
    expect(database).toContain('<td>up</td><td>value (float)</td>');
    expect(database).toMatch(/<td>never<\/td><td class="n">\d+(\.\d)? (B|KiB|MiB)<\/td>/);
    expect((await ask('/database/nosuch', 'admin', ADMIN_PASSWORD)).status).toBe(404);
  });
});
