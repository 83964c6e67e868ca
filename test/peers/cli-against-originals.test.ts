import { execFile, execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { Alertmanager, NO_CLUSTER, readConfig } from '@pollux/alertmanager';
import type { Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const POLLUX = path.resolve(import.meta.dirname, '../../bin/pollux');
const CONFORMANCE =
  process.env.POLLUX_CONFORMANCE ??
  path.resolve(import.meta.dirname, '../../../shared/conformance');
const isBuilt = fs.existsSync(path.resolve(import.meta.dirname, '../../apps/pollux/dist/main.js'));

function missing(program: string, flag: string): string {
  if (!isBuilt) return ' (needs a build: npm run build)';
  try {
    execFileSync(program, [flag], { stdio: 'ignore' });
    return '';
  } catch {
    return ` (needs ${program}: npm run peers)`;
  }
}

type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

function execute(program: string, args: readonly string[], stdin = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, TZ: 'UTC', HOME: '/nonexistent' },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
    child.stdin.on('error', () => {}).end(stdin);
  });
}

/** Both programs with the same arguments say the same on both outputs and exit alike. */
async function expectSame(
  original: string,
  ours: string,
  args: readonly string[],
  stdin = '',
): Promise<void> {
  const [theirs, mine] = await Promise.all([
    execute(original, args, stdin),
    execute(POLLUX, [ours, ...args], stdin),
  ]);
  expect(mine, `${original} ${args.join(' ')}`).toEqual(theirs);
}

const noPromtool = missing('promtool', '--version');
const promtoolData = path.join(CONFORMANCE, 'promtool');
const noData = fs.existsSync(promtoolData) ? '' : ' (needs conformance data: POLLUX_CONFORMANCE)';

describe.skipIf(noPromtool !== '')(
  `pollux tool and promtool on web configurations${noPromtool}`,
  () => {
    const PEM = path.resolve(import.meta.dirname, '../../packages/base/testdata/localhost');
    const FILES = `cert_file: ${PEM}.crt, key_file: ${PEM}.key`;
    const HASH = '$2b$04$oEe4qtnDLM.3jUijsa4tgOcIPd0PeNqmCpKNXkMjKZeiFLblVLSam';
    const tls = (more: string): string => `tls_server_config: {${more}}`;
    let directory: string;
    beforeAll(() => {
      directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-web-config-'));
    });
    afterAll(() => fs.rmSync(directory, { recursive: true }));

    const cases: readonly (readonly [string, 'SUCCESS' | 'FAILED'])[] = [
      ['', 'SUCCESS'],
      [`basic_auth_users: {a: ${HASH}}`, 'SUCCESS'],
      ['basic_auth_users: {a: secret}', 'FAILED'],
      [tls(FILES), 'SUCCESS'],
      [tls('min_version: TLS13'), 'SUCCESS'],
      [tls(`cert_file: ${PEM}.crt`), 'FAILED'],
      [tls(`key_file: ${PEM}.key`), 'FAILED'],
      [tls(`cert_file: ${PEM}.crt, key_file: ${PEM}.crt`), 'FAILED'],
      [tls(`cert_file: nosuch, key_file: ${PEM}.key`), 'FAILED'],
      [tls('cert_file: 1, nosuch: 2'), 'FAILED'],
      ...['', 'NoClientCert', 'RequestClientCert', 'RequireAnyClientCert', 'RequireClientCert'].map(
        (type) => [tls(`${FILES}, client_auth_type: '${type}'`), 'SUCCESS'] as const,
      ),
      [tls(`${FILES}, client_auth_type: VerifyClientCertIfGiven`), 'SUCCESS'],
      [tls(`${FILES}, client_auth_type: RequireAndVerifyClientCert`), 'SUCCESS'],
      [tls(`${FILES}, client_auth_type: none`), 'FAILED'],
      [tls(`${FILES}, client_ca_file: ${PEM}.crt`), 'FAILED'],
      [tls(`${FILES}, client_ca_file: nosuch, client_auth_type: RequestClientCert`), 'FAILED'],
      [tls(`${FILES}, min_version: TLS10, max_version: TLS11`), 'SUCCESS'],
      [tls(`${FILES}, max_version: TLS14`), 'FAILED'],
      [tls(`${FILES}, curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]`), 'SUCCESS'],
      [tls(`${FILES}, curve_preferences: [P-256]`), 'FAILED'],
      [
        tls(
          `${FILES}, prefer_server_cipher_suites: false, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA]`,
        ),
        'SUCCESS',
      ],
      [tls(`${FILES}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]`), 'FAILED'],
      ['http_server_config: {http2: false, headers: {X-Frame-Options: deny}}', 'SUCCESS'],
      ['http_server_config: {headers: {X-Frame-Options: DENY}}', 'FAILED'],
      ['http_server_config: {headers: {x-frame-options: deny}}', 'FAILED'],
      ['http_server_config: {headers: {Content-Type: text}}', 'FAILED'],
      ['junk', 'FAILED'],
    ];
    it('agree', async () => {
      const files = cases.map(([yaml], index) => {
        const file = path.join(directory, `${index}.yml`);
        fs.writeFileSync(file, yaml);
        return file;
      });
      const verdicts = async (program: string, args: readonly string[]): Promise<string[]> => {
        const ran = await execute(program, [...args, 'check', 'web-config', ...files]);
        expect([ran.status, ran.stdout]).toEqual([1, '']);
        const lines = ran.stderr.split('\n');
        return files.map((file, index) => {
          const line = lines.find((one) => one.startsWith(`${file} `)) ?? '';
          return `${cases[index]?.[0]}: ${/^\S+ (SUCCESS$|FAILED: )/.exec(line)?.[1]}`;
        });
      };
      const expected = cases.map(([yaml, verdict]) =>
        verdict === 'SUCCESS' ? `${yaml}: SUCCESS` : `${yaml}: FAILED: `,
      );
      expect(await verdicts('promtool', [])).toEqual(expected);
      expect(await verdicts(POLLUX, ['tool'])).toEqual(expected);
    });
  },
);

describe.skipIf(noPromtool !== '')(`pollux tool and promtool on HTTP clients${noPromtool}`, () => {
  const OAUTH2 = "client_id: a, client_secret: b, token_url: 'http://x/t'";
  const places: readonly (readonly [string, (block: string) => string])[] = [
    ['a scrape', (block) => `scrape_configs: [{job_name: j, ${block}}]`],
    [
      'a discovery',
      (block) => `scrape_configs: [{job_name: j, http_sd_configs: [{url: 'http://x/', ${block}}]}]`,
    ],
    [
      'alertmanagers',
      (block) => `alerting: {alertmanagers: [{static_configs: [{targets: [x]}], ${block}}]}`,
    ],
    ['remote_write', (block) => `remote_write: [{url: 'http://x/', ${block}}]`],
    ['remote_read', (block) => `remote_read: [{url: 'http://x/', ${block}}]`],
  ];
  /** With the verdict of both; the promtool of Debian looks at none of the rules in a discovery. */
  const blocks: readonly (readonly [string, boolean])[] = [
    [`oauth2: {${OAUTH2}}`, true],
    [`oauth2: {${OAUTH2}, proxy_url: 'http://p', scopes: [s], endpoint_params: {a: b}}`, true],
    [`oauth2: {${OAUTH2}, tls_config: {insecure_skip_verify: true}}`, true],
    ['oauth2: {client_id: a, client_secret: b}', false],
    ["oauth2: {client_secret: b, token_url: 'http://x/t'}", false],
    [`oauth2: {${OAUTH2}, client_secret_file: c}`, false],
    [`oauth2: {${OAUTH2}, nosuch: c}`, false],
    [`oauth2: {${OAUTH2}}, basic_auth: {username: a}`, false],
    [`oauth2: {${OAUTH2}}, authorization: {credentials: a}`, false],
    [`oauth2: {${OAUTH2}}, bearer_token: a`, false],
    ["proxy_url: 'http://p:1'", true],
    ["proxy_url: 'http://p:1', proxy_connect_header: {a: [b]}", true],
    ['proxy_connect_header: {a: [b]}', false],
    ['follow_redirects: false, enable_http2: false', true],
  ];
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-http-config-'));
  afterAll(() => fs.rmSync(directory, { recursive: true }));

  it.each(places)('agree on the settings of %s', async (name, config) => {
    const shown = name === 'a discovery' ? blocks.filter(([, isGood]) => isGood) : blocks;
    const files = shown.map(([block], index) => {
      const file = path.join(directory, `${index}.yml`);
      fs.writeFileSync(file, config(block));
      return file;
    });
    const verdicts = async (program: string, args: readonly string[]): Promise<string[]> => {
      const { stdout } = await execute(program, [...args, 'check', 'config', ...files]);
      return shown.map(
        ([block], index) => `${block}: ${stdout.includes(`SUCCESS: ${files[index]} is valid`)}`,
      );
    };
    const expected = shown.map(([block, isGood]) => `${block}: ${isGood}`);
    expect(await verdicts('promtool', [])).toEqual(expected);
    expect(await verdicts(POLLUX, ['tool'])).toEqual(expected);
  });
});

describe.skipIf(noPromtool + noData !== '')(
  `pollux tool and Debian's promtool${noPromtool}${noData}`,
  () => {
    const at = (name: string): string => path.join(promtoolData, name);

    it('agree on configurations and rules', async () => {
      const good = ['prometheus-config.good.yml', 'config_with_rule_files.yml'];
      const files = [
        ...good,
        'config_with_tls_files.yml',
        'authorization_credentials_file.bad.yml',
      ];
      for (const name of files) await expectSame('promtool', 'tool', ['check', 'config', at(name)]);
      const duplicates = at('rules_duplicates.yml');
      await expectSame('promtool', 'tool', ['check', 'rules', at('rules.yml'), duplicates]);
      await expectSame('promtool', 'tool', ['check', 'rules', '--lint-fatal', duplicates]);
      await expectSame('promtool', 'tool', ['check', 'rules', 'nosuch.yml']);
    });

    it('agree on metrics', async () => {
      const good = fs.readFileSync(at('metrics-test.prom'), 'utf8');
      await expectSame('promtool', 'tool', ['check', 'metrics', '--extended'], good);
      const bad =
        '# TYPE fooBar counter\nfooBar{aB="1"} 1\n# HELP a_milliseconds a\n# TYPE a_milliseconds gauge\n' +
        'a_milliseconds 1\n# TYPE s_count gauge\ns_count{le="1"} 1\na:b 3\n# TYPE x_gauge gauge\nx_gauge 1\n';
      await expectSame('promtool', 'tool', ['check', 'metrics'], bad);
    });

    it('agree on blocks and on wrong arguments', async () => {
      const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-cli-'));
      try {
        fs.cpSync(path.join(CONFORMANCE, 'real/prometheus-2.42/blocks'), copy, { recursive: true });
        // Without one, promtool refuses the directory.
        fs.mkdirSync(path.join(copy, 'wal'));
        // promtool takes the directory's lock and writes into it, so it must not run beside ours on another's data.
        for (const args of [
          ['tsdb', 'list', copy],
          ['tsdb', 'list', '-r', copy],
          ['tsdb', 'dump', '--match={kind="inf"}', copy],
          ['tsdb', 'dump', '--min-time=x', copy],
          ['tsdb', 'list', 'nosuch'],
          ['query', 'instant', 'http://127.0.0.1:1', 'up'],
          ['query', 'range', '--step=1x', 'http://127.0.0.1:1', 'up'],
          ['query', 'series', 'http://127.0.0.1:1'],
        ])
          await expectSame('promtool', 'tool', args);
      } finally {
        fs.rmSync(copy, { recursive: true, force: true });
      }
    });
  },
);

const noAmtool = missing('amtool', '--version');
const CONFIG = `
route:
  receiver: default
  routes: [{matchers: ['team="db"'], receiver: db}]
receivers: [{name: default}, {name: db}]
`;

describe.skipIf(noAmtool !== '')(`pollux amtool and Debian's amtool${noAmtool}`, () => {
  const env = nodeEnv();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-cli-'));
  let alertmanager: Alertmanager;
  let listener: Listener;
  let url = '';

  beforeAll(async () => {
    alertmanager = new Alertmanager({
      env,
      log: Log.silent(),
      registry: new Registry(),
      cluster: NO_CLUSTER,
      storageDirectory: path.join(directory, 'data'),
      externalUrl: 'http://am.example',
      version: '0.25.0',
      reload: async () => {},
    });
    alertmanager.prepare(readConfig(CONFIG, { file: 'alertmanager.yml' })).commit();
    alertmanager.start();
    const router = new Router({ monotonic: () => env.clock.monotonic() });
    alertmanager.registerRoutes(router);
    listener = await env.net.serveHttp(
      { at: { host: '127.0.0.1', port: 0 }, maxConnections: 50, readTimeoutMs: 10_000 },
      router.handler,
    );
    url = `--alertmanager.url=http://127.0.0.1:${listener.address.port}`;
    await run(POLLUX, ['amtool', url, 'alert', 'add', 'foo', 'team=db', '--annotation=summary=s']);
    await run('amtool', [url, 'alert', 'add', 'bar', 'node=b']);
    await run(POLLUX, [
      'amtool',
      url,
      'silence',
      'add',
      'nothing',
      'a!~b',
      '-c',
      'why',
      '-a',
      'me',
    ]);
    await run('amtool', [url, 'silence', 'add', 'none', '-d', '2h', '-c', 'why', '-a', 'you']);
  });
  afterAll(async () => {
    await listener.close();
    await alertmanager.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  it('agree on alerts, silences, routes and refusals', async () => {
    const add = ['silence', 'add', 'foo'];
    // From a file: Debian's release does not know all keys that a 0.34 server shows in its configuration.
    const file = path.join(directory, 'alertmanager.yml');
    fs.writeFileSync(file, CONFIG);
    for (const args of [
      ['alert'],
      ['alert', 'query', '-o', 'extended'],
      ['alert', 'query', 'foo'],
      ['silence'],
      ['silence', 'query', '-o', 'extended'],
      ['silence', 'query', '-o', 'json'],
      ['silence', 'query', '--within=90m', '-q'],
      ['silence', 'query', '--created-by=me'],
      ['config', 'routes', 'show', `--config.file=${file}`],
      ['config', 'routes', 'test', `--config.file=${file}`, 'team=db'],
      add,
      [...add, '-c', 'x', '-d', '5x'],
      ['silence', 'expire'],
      ['alert', 'add', 'foo', 'node'],
      ['alert', '--nosuch'],
    ])
      await expectSame('amtool', 'amtool', [url, '--no-version-check', ...args]);
  });
});

const noInflux = missing('influx', '-version');

describe.skipIf(noInflux !== '')(`pollux influx and Debian's influx${noInflux}`, () => {
  const env = nodeEnv();
  let listener: Listener;
  let answer = '';

  beforeAll(async () => {
    listener = await env.net.serveHttp(
      { at: { host: '127.0.0.1', port: 0 }, maxConnections: 50, readTimeoutMs: 10_000 },
      async (request) => {
        await request.body(1_000_000);
        const headers = { 'x-influxdb-version': '1.8.10', 'content-type': 'application/json' };
        if (request.target.startsWith('/ping')) return { status: 204, headers };
        if (request.target.startsWith('/write'))
          return { status: 400, headers, body: '{"error":"database is required"}\n' };
        return { status: answer.startsWith('{"error"') ? 400 : 200, headers, body: answer };
      },
    );
  });
  afterAll(() => listener.close());

  it('agree on every format, on errors and on settings', async () => {
    const same = (...args: string[]): Promise<void> => {
      const at = ['-host', '127.0.0.1', '-port', String(listener.address.port)];
      return expectSame('influx', 'influx', [...at, ...args]);
    };
    answer =
      '{"results":[{"statement_id":0,"series":[{"name":"cpu","tags":{"host":"a","x":""},"columns":["time","v","s"],"values":[[1,9007199254740993,"a \\"b,"],[2,1.5e+30,null]]},{"name":"cpu","tags":{"host":"b","x":"<"},"columns":["time","v","s"],"values":[[1,true,"é"]]}]}]}\n' +
      '{"results":[{"statement_id":2,"series":[{"columns":["name"],"values":[["m"]]}]}]}\n';
    for (const format of ['column', 'csv', 'json', 'xx'])
      await same('-format', format, '-execute', 'select * from cpu');
    await same('-format', 'json', '-pretty', '-execute', 'select * from cpu');
    await same('-precision', 'xx', '-execute', 'use nosuch');
    await same('-execute', 'insert cpu v=1');
    for (const command of ['settings', 'help', 'clear', 'node', 'chunked', 'format y'])
      await same('-execute', command);
    answer = '{"error":"database name required"}';
    await same('-execute', 'select * from cpu');
    await same('-format', 'json', '-execute', 'select * from cpu');
    answer = '{"results":[{"statement_id":0,"error":"database not found: x"}]}';
    await same('-database', 'x', '-format', 'json', '-execute', 'select * from cpu');
  });
});
