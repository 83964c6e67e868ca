import { createServer } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, runToEnd, Scratch } from './running-role.ts';

const scratch = new Scratch();
afterAll(() => scratch.remove());

const SERVER_FILE = 'global: {scrape_interval: 1s}\nscrape_configs: []\n';
const ALERTMANAGER_FILE = 'route: {receiver: a}\nreceivers: [{name: a}, {name: b}]\n';
const files = {
  server: scratch.file('prometheus.yml', SERVER_FILE),
  alertmanager: scratch.file('alertmanager.yml', ALERTMANAGER_FILE),
  gateway: scratch.file(
    'gateway.yml',
    "groups: [{name: s, kind: server, members: [{name: A, url: 'http://127.0.0.1:1'}]}]\n",
  ),
};

/** How each role is started on a free port, and what it calls itself. */
const ROLES = [
  {
    role: 'server',
    address: 'web.listen-address',
    args: [
      `--config.file=${files.server}`,
      `--storage.tsdb.path=${scratch.at('server')}`,
      '--web.enable-lifecycle',
    ],
    version: /^prometheus, version 3\.\d+\.\d+ /,
    ready: '/-/ready',
  },
  {
    role: 'alertmanager',
    address: 'web.listen-address',
    args: [
      `--config.file=${files.alertmanager}`,
      `--storage.path=${scratch.at('alertmanager')}`,
      '--cluster.listen-address=127.0.0.1:0',
    ],
    version: /^alertmanager, version 0\.3\d\.\d+ /,
    ready: '/-/ready',
  },
  {
    role: 'store',
    address: 'http.bind-address',
    args: [`--data.dir=${scratch.at('store')}`],
    version: /^InfluxDB v1\.8\./,
    ready: '/-/ready',
  },
  {
    role: 'gateway',
    address: 'web.listen-address',
    args: [`--config.file=${files.gateway}`, `--storage.path=${scratch.at('gateway')}`],
    version: /^pollux gateway, version /,
    ready: '/-/healthy',
  },
  {
    role: 'node-exporter',
    address: 'web.listen-address',
    args: [],
    version: /^node_exporter, version /,
    ready: '/-/ready',
  },
  {
    role: 'sink',
    address: 'web.listen-address',
    args: [],
    version: /^pollux sink, version /,
    ready: '/-/ready',
  },
] as const;

describe('the program', () => {
  it.concurrent('says what it is and which roles it has', async () => {
    const [help, version, unknown] = await Promise.all([
      runToEnd(['--help']),
      runToEnd(['--version']),
      runToEnd(['sevrer']),
    ]);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    for (const { role } of ROLES) expect(help.stdout).toContain(role);
    expect(version.status).toBe(0);
    expect(version.stdout).toMatch(/^pollux, version \d+\.\d+\.\d+\n$/);
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toMatch(/unknown role .*"sevrer"/);
    expect(unknown.stderr).toContain('node-exporter');
  });
});

describe.each(ROLES)('$role', ({ role, address, args, version, ready }) => {
  it.concurrent('explains its flags, tells its version and refuses what it does not know', async () => {
    const [help, shown, unknown, badValue] = await Promise.all([
      runToEnd([role, '--help']),
      runToEnd([role, '--version']),
      runToEnd([role, '--no-such-flag=1']),
      runToEnd([role, '--log.level=loud']),
    ]);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toContain(`--${address}=`);
    expect(help.stdout).toContain('--log.format=logfmt');
    expect(shown).toMatchObject({ status: 0, stderr: '' });
    expect(shown.stdout).toMatch(version);
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toMatch(/'--no-such-flag'; see --help/);
    expect(badValue.status).toBe(1);
    expect(badValue.stderr).toMatch(/--log\.level: "loud" is not allowed; use one of debug, info/);
  });

  it('says where it is ready, ends well on SIGTERM, and names an address that is taken', async () => {
    const running = await RunningRole.start([role, ...args, `--${address}=127.0.0.1:0`]);
    expect(running.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await running.get(ready)).status).toBe(200);
    // A connection that stays open must not hold the end up.
    const { status, tookMs, stderr } = await running.end();
    expect(status).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
    expect(stderr).toMatch(new RegExp(`level=INFO msg=stopped role=${role}\n$`));
    const taken = await takePort();
    const refused = await runToEnd([role, ...args, `--${address}=127.0.0.1:${taken.port}`]);
    taken.release();
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(`address 127.0.0.1:${taken.port} is in use`);
    expect(refused.stderr).not.toMatch(/^ {4}at /m);
    expect(refused.tookMs).toBeLessThan(10_000);
  });
});

describe.each(ROLES.filter(({ role }) => role === 'server' || role === 'alertmanager'))(
  'a $role with a web configuration',
  ({ role, args, ready }) => {
    it('lets in on each of its addresses who knows a password, and nobody else', async () => {
      // Of "secret".
      const hash = '$2b$04$oEe4qtnDLM.3jUijsa4tgOcIPd0PeNqmCpKNXkMjKZeiFLblVLSam';
      const file = scratch.file('web.yml', `basic_auth_users: {eve: '${hash}'}\n`);
      const second = await takePort();
      second.release();
      const running = await RunningRole.start([
        role,
        ...args,
        `--web.config.file=${file}`,
        '--web.listen-address=127.0.0.1:0',
        `--web.listen-address=127.0.0.1:${second.port}`,
      ]);
      const login = { authorization: `Basic ${Buffer.from('eve:secret').toString('base64')}` };
      for (const url of [running.url, `http://127.0.0.1:${second.port}`]) {
        const refused = await fetch(`${url}${ready}`);
        expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Basic']);
        expect((await fetch(`${url}${ready}`, { headers: login })).status).toBe(200);
      }
      expect((await running.end()).status).toBe(0);
      scratch.file('web.yml', 'basic_auth_users: {eve: secret}\n');
      const bad = await runToEnd([role, ...args, `--web.config.file=${file}`]);
      expect(bad.status).toBe(1);
      expect(bad.stderr).toContain('basic_auth_users.eve: must be a bcrypt hash');
    });
  },
);

it('writes its log as JSON when asked to', async () => {
  const running = await runToJsonReady();
  expect(running).toMatchObject({ level: 'INFO', msg: 'ready', role: 'sink' });
});

describe('SIGHUP and POST /-/reload', () => {
  it('change a server only when every file is good', async () => {
    const file = scratch.file('reload.yml', SERVER_FILE);
    const rules = scratch.file('rules.yml', 'groups: []\n');
    const server = await RunningRole.start([
      'server',
      `--config.file=${file}`,
      `--storage.tsdb.path=${scratch.at('reload')}`,
      '--web.enable-lifecycle',
      '--web.listen-address=127.0.0.1:0',
    ]);
    const shown = async (): Promise<string> => (await server.get('/api/v1/status/config')).text;
    scratch.file('reload.yml', `${SERVER_FILE}rule_files: [rules.yml]\n`);
    server.signal('SIGHUP');
    await eventually('the change is in force', 10_000, async () =>
      (await shown()).includes('rules.yml') ? true : null,
    );
    // A bad file named by a good one.
    scratch.file('rules.yml', 'groups: [{name: g, rules: [{record: a, expr: "sum("}]}]\n');
    const refused = await server.post('/-/reload', '');
    expect(refused.status).toBe(500);
    expect(refused.text).toContain(`${rules}:1:`);
    scratch.file('reload.yml', 'scrape_configs: {\n');
    server.signal('SIGHUP');
    await eventually('the refusal is logged', 10_000, async () =>
      server.log.includes(`${file}:2:1`) ? true : null,
    );
    expect(await shown()).toContain('rules.yml');
    expect(await server.metric('prometheus_config_last_reload_successful')).toBe(0);
    scratch.file('reload.yml', SERVER_FILE);
    expect((await server.post('/-/reload', '')).status).toBe(200);
    expect(await shown()).not.toContain('rules.yml');
    expect(await server.metric('prometheus_config_last_reload_successful')).toBe(1);
    expect((await server.post('/-/quit', '')).status).toBe(200);
    expect((await server.end('SIGCONT')).status).toBe(0);
  });

  it('change an alertmanager only when its file is good', async () => {
    const file = scratch.file('reload-am.yml', ALERTMANAGER_FILE);
    const alertmanager = await RunningRole.start([
      'alertmanager',
      `--config.file=${file}`,
      `--storage.path=${scratch.at('reload-am')}`,
      '--cluster.listen-address=',
      '--web.listen-address=127.0.0.1:0',
    ]);
    const receivers = async (): Promise<string> =>
      (await alertmanager.get('/api/v2/receivers')).text;
    scratch.file('reload-am.yml', ALERTMANAGER_FILE.replace('name: b', 'name: c'));
    expect((await alertmanager.post('/-/reload', '')).status).toBe(200);
    expect(await receivers()).toContain('"c"');
    scratch.file('reload-am.yml', ALERTMANAGER_FILE.replace('receiver: a', 'receiver: nobody'));
    const refused = await alertmanager.post('/-/reload', '');
    expect(refused.status).toBe(500);
    expect(refused.text).toMatch(/reload-am\.yml.*nobody/);
    alertmanager.signal('SIGHUP');
    await eventually('the refusal is logged', 10_000, async () =>
      /configuration again failed.*nobody/.test(alertmanager.log) ? true : null,
    );
    expect(await receivers()).toContain('"c"');
    expect(await alertmanager.metric('alertmanager_config_last_reload_successful')).toBe(0);
    scratch.file('reload-am.yml', ALERTMANAGER_FILE);
    alertmanager.signal('SIGHUP');
    await eventually('the change is in force', 10_000, async () =>
      (await receivers()).includes('"b"') ? true : null,
    );
    expect((await alertmanager.end()).status).toBe(0);
  });
});

/** A port that another program holds. */
function takePort(): Promise<{ readonly port: number; readonly release: () => void }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') reject(new Error('no port'));
      else resolve({ port: bound.port, release: () => server.close() });
    });
  });
}

/** The ready line of a role that logs JSON. */
async function runToJsonReady(): Promise<unknown> {
  const running = await RunningRole.start([
    'sink',
    '--log.format=json',
    '--web.listen-address=127.0.0.1:0',
  ]);
  await running.end();
  const line = running.log.split('\n').find((text) => text.includes('"ready"'));
  return JSON.parse(line ?? 'null');
}
