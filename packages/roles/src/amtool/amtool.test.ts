import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runInPlace } from '../command/testing.ts';
import { command } from './index.ts';

const CONFIG = `
route:
  receiver: default
  routes:
  - matchers: [ team="db", env=~"p.*" ]
    receiver: db
    continue: true
    routes: [{matchers: [severity="page"], receiver: pager}]
  - {matchers: [team="web"], receiver: web}
receivers: [{name: default}, {name: db}, {name: pager}, {name: web}]
`;

const SILENCES = [
  {
    id: 'b',
    status: { state: 'active' },
    updatedAt: '2026-11-22T11:27:18.327Z',
    comment: 'y z',
    createdBy: 'you',
    endsAt: '2099-11-22T12:57:18.325Z',
    matchers: [
      { isEqual: true, isRegex: true, name: 'alertname', value: 'fo.*' },
      { isEqual: false, isRegex: false, name: 'node', value: 'x' },
    ],
    startsAt: '2026-11-22T11:27:18.327Z',
  },
  {
    id: 'a',
    status: { state: 'expired' },
    updatedAt: '2026-11-22T11:27:18.166Z',
    comment: '',
    createdBy: 'me',
    endsAt: '2020-01-01T00:00:00.000Z',
    matchers: [{ isEqual: true, isRegex: false, name: 'alertname', value: 'foo' }],
    startsAt: '2019-01-01T00:00:00.000Z',
  },
];

describe('pollux amtool', () => {
  const env = nodeEnv();
  let home: string;
  let listener: Listener;
  let answer: { status: number; body: string };
  /** In place of the one answer. */
  let respond: ((target: string) => { status: number; body: string }) | null = null;
  let asked: { method: string; target: string; body: string; authorization: string }[] = [];

  beforeEach(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-amtool-'));
    asked = [];
    respond = null;
    answer = { status: 200, body: '[]' };
    listener = await env.net.serveHttp(
      { at: { host: '127.0.0.1', port: 0 }, maxConnections: 10, readTimeoutMs: 5_000 },
      async (request) => {
        const body = new TextDecoder().decode(await request.body(1_000_000));
        const { method, target, headers } = request;
        asked.push({ method, target, body, authorization: headers.authorization ?? '' });
        return respond?.(target) ?? answer;
      },
    );
  });
  afterEach(async () => {
    await listener.close();
    fs.rmSync(home, { recursive: true, force: true });
  });

  const amtool = (args: readonly string[], stdin = '') =>
    runInPlace(
      command,
      [
        `--alertmanager.url=http://127.0.0.1:${listener.address.port}`,
        '--no-version-check',
        ...args,
      ],
      { env, stdin, variables: { HOME: home } },
    );

  it('prints alerts as amtool does', async () => {
    const alert = {
      annotations: { summary: 'hello' },
      endsAt: '2026-11-22T11:32:17.414Z',
      fingerprint: '73e8',
      receivers: [{ name: 'pager' }],
      startsAt: '2026-11-01T10:00:00.000Z',
      status: { inhibitedBy: [], silencedBy: [], state: 'active' },
      updatedAt: '2026-11-22T11:27:17.414Z',
      labels: { team: 'db', alertname: 'foo2' },
    };
    answer = { status: 200, body: JSON.stringify([alert]) };
    expect((await amtool(['alert'])).stdout).toBe(
      'Alertname  Starts At                Summary  State   \n' +
        'foo2       2026-11-01 10:00:00 UTC  hello    active  \n',
    );
    expect(
      (await amtool(['alert', 'query', '-o', 'extended', '--date.format=Jan _2 15:04'])).stdout,
    ).toBe(
      'Labels                      Annotations      Starts At     Ends At       Generator URL  State   \n' +
        'alertname="foo2" team="db"  summary="hello"  Nov  1 10:00  Nov 22 11:32                 active  \n',
    );
    const { stdout } = await amtool(['alert', '-o', 'json']);
    expect(Object.keys((JSON.parse(stdout) as object[])[0] ?? {})).toEqual([
      'annotations',
      'endsAt',
      'fingerprint',
      'receivers',
      'startsAt',
      'status',
      'updatedAt',
      'labels',
    ]);
  });

  it('asks for active alerts only, or for exactly the states that are named', async () => {
    await amtool(['alert', 'query', 'foo', 'node=~b']);
    await amtool(['alert', '-s', '-i', '--receiver=x']);
    expect(asked.map(({ target }) => decodeURIComponent(target))).toEqual([
      '/api/v2/alerts?active=true&filter=alertname="foo"&filter=node=~b&inhibited=false&silenced=false&unprocessed=false',
      '/api/v2/alerts?active=false&inhibited=true&receiver=x&silenced=true&unprocessed=false',
    ]);
  });

  it('adds an alert', async () => {
    const args = ['alert', 'add', 'foo', 'node="b r"', '--annotation=summary=a, b=c'];
    expect(await amtool([...args, '--start=2026-11-01T10:00:00+01:00'])).toMatchObject({
      status: 0,
    });
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual([
      {
        labels: { alertname: 'foo', node: 'b r' },
        annotations: { summary: 'a, b=c' },
        startsAt: '2026-11-01T09:00:00.000Z',
      },
    ]);
  });

  it('prints silences that are not over, or only those that are', async () => {
    answer = { status: 200, body: JSON.stringify(SILENCES) };
    expect((await amtool(['silence'])).stdout).toBe(
      'ID  Matchers                     Ends At                  Created By  Comment  \n' +
        'b   alertname=~"fo.*" node!="x"  2099-11-22 12:57:18 UTC  you         y z      \n',
    );
    expect((await amtool(['silence', 'query', '--expired', '-q'])).stdout).toBe('a\n');
    expect((await amtool(['silence', '--created-by=me'])).stdout.split('\n')).toHaveLength(2);
    expect((await amtool(['silence', '-o', 'json'])).stdout).toBe(
      `${JSON.stringify(SILENCES.slice(0, 1))}\n`,
    );
  });

  it('adds a silence for its duration, by its author, with a comment', async () => {
    answer = { status: 200, body: '{"silenceID":"825f"}' };
    const { stdout } = await amtool(['silence', 'add', 'foo', 'n!~x', '-d', '1h30m', '-c', 'why']);
    expect(stdout).toBe('825f\n');
    const sent = JSON.parse(asked[0]?.body ?? '') as { startsAt: string; endsAt: string };
    expect(sent).toMatchObject({
      matchers: [
        { name: 'alertname', value: 'foo', isRegex: false, isEqual: true },
        { name: 'n', value: 'x', isRegex: true, isEqual: false },
      ],
      createdBy: 'tester',
      comment: 'why',
    });
    expect(Date.parse(sent.endsAt) - Date.parse(sent.startsAt)).toBe(5_400_000);
  });

  it('refuses in amtool’s words', async () => {
    const message = async (...args: string[]): Promise<string> => {
      const { status, stderr } = await amtool(args);
      expect(status).toBe(1);
      expect(asked).toEqual([]);
      return stderr;
    };
    const add = ['silence', 'add', 'foo'];
    const error = (text: string): string => `amtool: error: ${text}\n\n`;
    expect(await message(...add)).toBe(error('comment required by config'));
    expect(await message('silence', 'add')).toBe(error('no matchers specified'));
    expect(await message(...add, '-c', 'x', '-d', '5x')).toBe(
      error('not a valid duration string: "5x"'),
    );
    const times = ['--start=2027-01-01T10:00:00Z', '--end=2026-01-01T10:00:00Z'];
    expect(await message(...add, '-c', 'x', ...times)).toBe(
      error('silence cannot start after it ends'),
    );
    expect(await message('silence', 'expire')).toBe(error('no silence IDs specified'));
    expect(await message('alert', 'add', 'foo', 'node')).toBe(error('bad matcher format: node'));
    expect(await message('alert', '--nosuch')).toBe(error("unknown long flag '--nosuch'"));
  });

  it('tells what the server refused', async () => {
    answer = { status: 500, body: '"silence not found"\n' };
    const id = '11111111-1111-1111-1111-111111111111';
    expect(await amtool(['silence', 'expire', id])).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'amtool: error: [DELETE /silence/{silenceID}][500] deleteSilenceInternalServerError "silence not found"\n\n',
    });
    expect(asked[0]).toMatchObject({ method: 'DELETE', target: `/api/v2/silence/${id}` });
  });

  it('imports silences, those that are unknown to the server as new ones, and counts what failed', async () => {
    const silence = { ...SILENCES[0], matchers: [] };
    const { status: _, updatedAt: __, ...posted } = silence;
    const answers = [
      { status: 404, body: '"silence not found"\n' },
      { status: 200, body: '{"silenceID":"new"}' },
      { status: 400, body: '"bad"\n' },
    ];
    respond = () => answers.shift() ?? { status: 500, body: '' };
    const file = path.join(home, 'silences.json');
    fs.writeFileSync(file, JSON.stringify([silence, { ...silence, id: '' }]));
    expect(await amtool(['silence', 'import', '-w', '1', file])).toEqual({
      status: 1,
      stdout: 'new\n',
      stderr:
        'Error adding silence id=\'\': [POST /silences][400] postSilencesBadRequest "bad"\n' +
        "amtool: error: couldn't import 1 out of 2 silences\n\n",
    });
    const { id: _id, ...anew } = posted;
    expect(asked.map(({ body }) => JSON.parse(body) as unknown)).toEqual([posted, anew, anew]);
  });

  it('imports from standard input, and says what is no JSON', async () => {
    answer = { status: 200, body: '{"silenceID":"x"}' };
    const text = JSON.stringify([SILENCES[0]]);
    expect((await amtool(['silence', 'import', '--force'], text)).stdout).toBe('x\n');
    expect(asked[0]?.body).not.toContain('"id"');
    expect((await amtool(['silence', 'import'], 'hello')).stderr).toBe(
      "amtool: error: couldn't unmarshal input data, is it JSON?: invalid character 'h' looking for beginning of value\n\n",
    );
  });

  it('updates a silence by reading and posting it again', async () => {
    const answers = [JSON.stringify(SILENCES[0]), '{"silenceID":"c"}'];
    respond = () => ({ status: 200, body: answers.shift() ?? '' });
    const { stdout } = await amtool(['silence', 'update', '-d', '2h', '-c', 'other', '-q', 'b']);
    expect(stdout).toBe('c\n');
    expect(JSON.parse(asked[1]?.body ?? '')).toMatchObject({
      id: 'b',
      comment: 'other',
      startsAt: '2026-11-22T11:27:18.327Z',
      endsAt: '2026-11-22T13:27:18.327Z',
    });
  });

  it('warns of a server of another version, once', async () => {
    respond = (target) => ({
      status: 200,
      body: target.endsWith('/status') ? '{"versionInfo":{"version":"0.25.0"}}' : '[]',
    });
    const { stderr } = await amtool(['--version-check', 'alert']);
    expect(stderr).toMatch(
      /^Warning: amtool version \(0\.34\.\d+\) and alertmanager version \(0\.25\.0\) are different\.\n$/,
    );
    expect((await amtool(['alert'])).stderr).toBe('');
  });

  it('knows the features of 0.34 and refuses others', async () => {
    const refusal = async (list: string): Promise<string> =>
      (await amtool([`--enable-feature=${list}`, 'alert'])).stderr;
    expect(await refusal('classic-mode,group-key-in-metrics')).toBe('');
    expect(await refusal('nosuch')).toContain("unknown option 'nosuch' for --enable-feature");
    expect(await refusal('classic-mode,utf8-strict-mode')).toContain('cannot have both');
  });

  it('takes defaults from the configuration file, the person’s before the machine’s', async () => {
    fs.mkdirSync(path.join(home, '.config/amtool'), { recursive: true });
    const url = `http://u:p%40@127.0.0.1:${listener.address.port}/prefix/`;
    fs.writeFileSync(
      path.join(home, '.config/amtool/config.yml'),
      `alertmanager.url: "${url}"\nauthor: someone\ncomment_required: false\noutput: json\nversion-check: false\n`,
    );
    const options = { env, variables: { HOME: home } };
    expect((await runInPlace(command, ['alert'], options)).stdout).toBe('[]\n');
    answer = { status: 200, body: '{"silenceID":"1"}' };
    await runInPlace(command, ['silence', 'add', 'foo'], options);
    expect(asked[1]).toMatchObject({
      target: '/prefix/api/v2/silences',
      authorization: `Basic ${btoa('u:p@')}`,
    });
    expect(JSON.parse(asked[1]?.body ?? '')).toMatchObject({ createdBy: 'someone', comment: '' });
  });

  it('draws the routing tree and tests routes', async () => {
    const file = path.join(home, 'am.yml');
    fs.writeFileSync(file, CONFIG);
    const config = `--config.file=${file}`;
    // Recorded from amtool 0.25, no-break spaces included.
    expect((await amtool(['config', 'routes', config])).stdout).toBe(
      'Routing tree:\n.\n└── default-route  receiver: default\n' +
        '    ├── {env=~"p.*",team="db"}  continue: true  receiver: db\n' +
        '    │\u00a0\u00a0 └── {severity="page"}  receiver: pager\n' +
        '    └── {team="web"}  receiver: web\n\n',
    );
    const test = ['config', 'routes', 'test', config, 'team=db', 'env=prod'];
    expect((await amtool([...test, 'severity=page', '--tree'])).stdout).toBe(
      'Matching routes:\n.\n└── default-route\n    └── {env=~"p.*",team="db"}\n' +
        '        └── {severity="page"}  receiver: pager\n\n\npager\n',
    );
    expect(await amtool([...test, '--verify.receivers=web'])).toMatchObject({
      status: 1,
      stdout: 'db\nWARNING: Expected receivers did not match resolved receivers.\n',
    });
  });

  it('checks configurations, from files and from standard input', async () => {
    const file = path.join(home, 'am.yml');
    fs.writeFileSync(file, CONFIG);
    expect((await amtool(['check-config', file])).stdout).toBe(
      `Checking '${file}'  SUCCESS\nFound:\n - global config\n - route\n - 0 inhibit rules\n - 4 receivers\n - 0 templates\n\n`,
    );
    const bad = await amtool(['check-config'], 'route: {receiver: x}\nreceivers: []\n');
    expect(bad.status).toBe(1);
    expect(bad.stdout).toContain('undefined receiver "x" used in route');
    expect(bad.stderr).toBe('amtool: error: failed to validate 1 file(s)\n\n');
  });

  it('asks as the file of --http.config.file says: with tokens, through a proxy, with headers', async () => {
    const file = path.join(home, 'http.yml');
    const own = `http://127.0.0.1:${listener.address.port}`;
    const ask = async (
      text: string,
    ): Promise<{ readonly status: number; readonly stderr: string }> => {
      fs.writeFileSync(file, text);
      return amtool(['alert', `--http.config.file=${file}`]);
    };
    respond = (target) =>
      target === '/token'
        ? { status: 200, body: '{"access_token":"t1","token_type":"Bearer","expires_in":60}' }
        : { status: 200, body: '[]' };
    const oauth2 = `oauth2: {client_id: c, client_secret: hidden-pw, token_url: '${own}/token'}`;
    expect((await ask(oauth2)).status).toBe(0);
    expect(asked.map(({ target }) => target.split('?')[0])).toEqual(['/token', '/api/v2/alerts']);
    expect(asked[1]?.authorization).toBe('Bearer t1');
    asked = [];
    fs.writeFileSync(file, `proxy_url: ${own}\nauthorization: {credentials: hidden-pw}`);
    const through = await runInPlace(
      command,
      [
        'alert',
        '--no-version-check',
        '--alertmanager.url=http://am.test',
        `--http.config.file=${file}`,
      ],
      { env, variables: { HOME: home } },
    );
    expect([through.status, through.stderr]).toEqual([0, '']);
    expect(asked[0]).toMatchObject({ authorization: 'Bearer hidden-pw' });
    expect(asked[0]?.target).toContain('http://am.test/api/v2/alerts');
    asked = [];
    const byVariable = await runInPlace(
      command,
      ['alert', '--no-version-check', '--alertmanager.url=http://am.test'],
      { env, variables: { HOME: home, HTTP_PROXY: own } },
    );
    expect(byVariable.status).toBe(0);
    expect(asked[0]?.target).toContain('http://am.test/api/v2/alerts');
    const refused = await ask('{tls_config: {ca_file: nosuch.pem}}');
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('nosuch.pem')]);
  });
});
