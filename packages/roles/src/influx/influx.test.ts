import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runInPlace } from '../command/testing.ts';
import { readAnswer } from './answer.ts';
import { formatAnswer } from './format.ts';
import { command } from './index.ts';
import { readInsert } from './insert.ts';

/** An answer of influxd 1.6.7, chunk by chunk; the formats below were recorded from its own shell. */
const CPU =
  '{"results":[{"statement_id":0,"series":[{"name":"cpu","tags":{"host":"a","region":"x"},"columns":["time","b","i","s","v"],"values":[[1000000000,true,9007199254740993,"he \\"l,lo",1]]}],"partial":true}]}\n' +
  '{"results":[{"statement_id":0,"series":[{"name":"cpu","tags":{"host":"b","region":""},"columns":["time","b","i","s","v"],"values":[[2000000000,null,null,null,1.5e+30]]}]}]}\n' +
  '{"results":[{"statement_id":1,"series":[{"name":"databases","columns":["name"],"values":[["m"]]}]}]}\n';

describe('the formats of the shell', () => {
  const answer = readAnswer(CPU);

  it('prints columns with a head for each series and int64 in full', () => {
    expect(formatAnswer(answer, 'column', false)).toBe(
      `name: cpu
tags: host=a, region=x
time       b    i                s        v
----       -    -                -        -
1000000000 true 9007199254740993 he "l,lo 1

name: cpu
tags: host=b, region=
time       b i s v
----       - - - -
2000000000       1.5e+30

name: databases
name
----
m
`,
    );
  });

  it('prints CSV with a head for each series', () => {
    expect(formatAnswer(answer, 'csv', false)).toBe(
      `name,tags,time,b,i,s,v
cpu,"host=a,region=x",1000000000,true,9007199254740993,"he ""l,lo",1
name,tags,time,b,i,s,v
cpu,"host=b,region=",2000000000,,,,1.5e+30
name,name
databases,m
`,
    );
  });

  it('joins chunks of one series under one head', () => {
    const part = '{"results":[{"series":[{"name":"c","columns":["v"],"values":[[1]]}]}]}\n';
    expect(formatAnswer(readAnswer(part + part), 'column', false)).toBe('name: c\nv\n-\n1\n1\n');
  });

  it('prints JSON without statement numbers, on one line or indented', () => {
    const one = readAnswer(
      '{"results":[{"statement_id":0,"series":[{"columns":["<"],"values":[[1.0]]}]}]}',
    );
    expect(formatAnswer(one, 'json', false)).toBe(
      '{"results":[{"series":[{"columns":["\\u003c"],"values":[[1.0]]}]}]}\n',
    );
    expect(formatAnswer(readAnswer('{"error":"no"}'), 'json', true)).toBe(
      '{\n    "error": "no"\n}\n',
    );
  });

  it('leaves digits in strings alone', () => {
    const { results } = readAnswer(
      '{"results":[{"series":[{"columns":["a"],"values":[["1\\" 2"]]}]}]}',
    );
    expect(results[0]?.series[0]?.values).toEqual([['1" 2']]);
  });
});

it('reads insert into with quoted names', () => {
  expect(readInsert('cpu v=1')).toEqual({ database: '', policy: '', line: 'cpu v=1' });
  expect(readInsert('into rp cpu v=1')).toEqual({ database: '', policy: 'rp', line: 'cpu v=1' });
  expect(readInsert('INTO "a.b"."r p" cpu,x=y v=1')).toEqual({
    database: 'a.b',
    policy: 'r p',
    line: 'cpu,x=y v=1',
  });
});

describe('pollux influx', () => {
  const env = nodeEnv();
  let home: string;
  let listener: Listener;
  let requests: { target: string; body: string; authorization: string }[] = [];
  let answer = '{"results":[{"statement_id":0}]}';

  beforeEach(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-influx-'));
    requests = [];
    listener = await env.net.serveHttp(
      { at: { host: '127.0.0.1', port: 0 }, maxConnections: 10, readTimeoutMs: 5_000 },
      async (request) => {
        const body = new TextDecoder().decode(await request.body(1_000_000));
        const { target, headers } = request;
        if (target === '/ping') return { status: 204, headers: { 'x-influxdb-version': '9.9' } };
        requests.push({ target, body, authorization: headers.authorization ?? '' });
        if (target.startsWith('/write')) {
          return body.includes('bad')
            ? { status: 400, body: '{"error":"unable to parse"}\n' }
            : { status: 204 };
        }
        return { status: answer.startsWith('{"error"') ? 400 : 200, body: answer };
      },
    );
  });
  afterEach(async () => {
    await listener.close();
    fs.rmSync(home, { recursive: true, force: true });
  });

  const influx = (
    args: readonly string[],
    options: { stdin?: string; typed?: readonly string[] } = {},
  ) =>
    runInPlace(command, ['-host', '127.0.0.1', '-port', String(listener.address.port), ...args], {
      env,
      variables: { HOME: home },
      ...options,
    });

  it('sends a statement with its database and precision', async () => {
    answer = CPU;
    const flags = ['-database', 'm', '-precision', 'ms', '-username', 'u', '-password', 'p'];
    const { status, stdout } = await influx([...flags, '-execute', 'select * from cpu']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^name: cpu\n/);
    expect(Object.fromEntries(new URLSearchParams(requests[0]?.body))).toEqual({
      q: 'select * from cpu',
      db: 'm',
      epoch: 'ms',
      chunked: 'true',
    });
    expect(requests[0]?.authorization).toBe(`Basic ${btoa('u:p')}`);
  });

  it('exits with 1 after a failed query and says that no database is set', async () => {
    answer = '{"error":"database name required"}';
    expect(await influx(['-execute', 'select * from cpu'])).toEqual({
      status: 1,
      stdout:
        'ERR: database name required\nWarning: It is possible this error is due to not setting a database.\n' +
        'Please set a database with the command "use <database>".\n',
      stderr: 'database name required\n',
    });
  });

  it('exits with 0 after a failed insert, as the original', async () => {
    expect(await influx(['-database', 'm', '-execute', 'insert cpu bad'])).toEqual({
      status: 0,
      stdout: 'ERR: {"error":"unable to parse"}\n\n',
      stderr: '',
    });
    const parameters = new URLSearchParams(requests[0]?.target.slice('/write?'.length));
    expect(Object.fromEntries(parameters)).toEqual({
      consistency: 'all',
      db: 'm',
      precision: 'ns',
      rp: '',
    });
  });

  it('sends all of a pipe as one query', async () => {
    answer = '{"results":[{"statement_id":0}]}';
    await influx([], { stdin: 'use m\nshow databases\n' });
    expect(requests.map(({ body }) => new URLSearchParams(body).get('q'))).toEqual([
      'use m\nshow databases\n',
    ]);
  });

  it('talks at a terminal, keeps settings and a history without passwords', async () => {
    answer = '{"results":[{"series":[{"name":"databases","columns":["name"],"values":[["m"]]}]}]}';
    const typed = [
      'use nosuch',
      'use m',
      'precision foo',
      'pretty',
      'chunk size 7',
      'clear db',
      "create user x with password 'geheim'",
      'settings',
      'exit',
    ];
    const { status, stdout } = await influx([], { typed });
    expect(status).toBe(0);
    const told = stdout.split('> ');
    expect(told[0]).toContain(`version 9.9\nInfluxDB shell version: `);
    expect(told[1]).toBe(
      "ERR: Database nosuch doesn't exist. Run SHOW DATABASES for a list of existing databases.\nDB does not exist!\n",
    );
    expect(told.slice(2, 7)).toEqual([
      'Using database m\n',
      'Unknown precision "foo". Please use rfc3339, h, m, s, ms, u or ns.\n',
      'Pretty print enabled\n',
      'chunk size set to 7\n',
      'database context cleared\n',
    ]);
    expect(told[8]).toContain(
      'Write Consistency all\nChunked           true\nChunk Size        7\n\n',
    );
    const history = fs.readFileSync(path.join(home, '.influx_history'), 'utf8');
    expect(history).toContain('create user x with password [REDACTED]\nsettings\nexit\n');
    expect(history).not.toContain('geheim');
  });

  it('says that nobody listens', async () => {
    await listener.close();
    const address = `127.0.0.1:${listener.address.port}`;
    expect(await influx(['-execute', 'show databases'])).toEqual({
      status: 1,
      stdout: '',
      stderr:
        `Failed to connect to http://${address}: Get "http://${address}/ping": dial tcp ${address}: connect: connection refused\n` +
        "Please check your connection settings and ensure 'influxd' is running.\n",
    });
  });

  it('shows the usage and exits with 2 for wrong arguments', async () => {
    const cases = [
      [['-nosuch'], 'flag provided but not defined: -nosuch\n'],
      [['-port', 'x'], 'invalid value "x" for flag -port: parse error\n'],
      [['foo'], 'unknown arguments: foo\n'],
    ] as const;
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = await influx(args);
      expect({ status, stderr }).toEqual({ status: 2, stderr: message });
      expect(stdout).toMatch(/^Usage of influx:/);
    }
    expect((await influx(['-socket'])).stderr).toContain(
      '-socket is not supported yet; supported: -host',
    );
  });
});
