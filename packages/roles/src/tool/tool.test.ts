import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { HttpRequest, Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runInPlace } from '../command/testing.ts';
import { command } from './index.ts';

const CONFORMANCE =
  process.env.POLLUX_CONFORMANCE ??
  path.resolve(import.meta.dirname, '../../../../../shared/conformance');
const REAL = path.join(CONFORMANCE, 'real/prometheus-2.42');
const hasReal = fs.existsSync(REAL);
const noReal = hasReal ? '' : ' (skipped: no conformance data; set POLLUX_CONFORMANCE)';

const env = nodeEnv();
const tool = (args: readonly string[], stdin = '') => runInPlace(command, args, { env, stdin });
let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-tool-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const at = path.join(directory, name);
  fs.writeFileSync(at, text);
  return at;
}

const RULES = `groups:
- name: g
  rules:
  - {record: a, expr: up}
  - {alert: B, expr: up == 0, labels: {severity: page}}
`;

describe('pollux tool check', () => {
  it('counts the rules of a good file and goes on after a bad one', async () => {
    const good = file('good.yml', RULES);
    const bad = file('bad.yml', 'groups: [{name: g, rules: [{record: a, expr: "up{"}]}]');
    const { status, stdout, stderr } = await tool(['check', 'rules', bad, good]);
    expect(status).toBe(1);
    expect(stdout).toBe(`Checking ${bad}\n\nChecking ${good}\n  SUCCESS: 2 rules found\n\n`);
    expect(stderr).toContain(`${bad}:1:`);
    expect(stderr).toContain('1:4: parse error: unexpected end of input inside braces');
  });

  it('reads rules from standard input', async () => {
    expect(await tool(['check', 'rules'], RULES)).toEqual({
      status: 0,
      stdout: 'Checking standard input\n  SUCCESS: 2 rules found\n\n',
      stderr: '',
    });
  });

  it('names duplicate rules as promtool does, fatally only when asked', async () => {
    const twice = file('twice.yml', `${RULES}  - {alert: B, expr: up, labels: {severity: page}}\n`);
    const found = await tool(['check', 'rules', twice]);
    expect(found).toEqual({
      status: 0,
      stdout: `Checking ${twice}\n\n`,
      stderr:
        '  FAILED:\nlint error 1 duplicate rule(s) found.\nMetric: B\nLabel(s):\n\tseverity: page\n' +
        'Might cause inconsistency while recording expressions\n',
    });
    expect((await tool(['check', 'rules', '--lint-fatal', twice])).status).toBe(3);
    expect((await tool(['check', 'rules', '--lint=none', twice])).stdout).toContain(
      '3 rules found',
    );
  });

  it('checks a configuration with its rule files', async () => {
    file('r1.yml', RULES);
    const config = file('prometheus.yml', 'rule_files: ["r*.yml"]\n');
    const { status, stdout } = await tool(['check', 'config', config]);
    expect(status).toBe(0);
    expect(stdout).toBe(
      `Checking ${config}\n  SUCCESS: 1 rule files found\n SUCCESS: ${config} is valid prometheus config file syntax\n\n` +
        `Checking ${directory}/r1.yml\n  SUCCESS: 2 rules found\n\n`,
    );
  });

  it('refuses missing rule and credential files unless only the syntax is asked for', async () => {
    const rules = file('a.yml', 'rule_files: [nosuch.yml]\n');
    const missing = await tool(['check', 'config', rules]);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toBe(
      `  FAILED: "${directory}/nosuch.yml" does not point to an existing file\n`,
    );
    expect((await tool(['check', 'config', '--syntax-only', rules])).status).toBe(0);
    const secret = file(
      'b.yml',
      'scrape_configs: [{job_name: a, authorization: {credentials_file: nosuch}}]\n',
    );
    expect((await tool(['check', 'config', secret])).stderr).toBe(
      `  FAILED: error checking authorization credentials or bearer token file "${directory}/nosuch": stat ${directory}/nosuch: no such file or directory\n`,
    );
  });

  it('says what is wrong with a metric, in promtool’s words and order', async () => {
    const { status, stdout, stderr } = await tool(
      ['check', 'metrics'],
      'x 1\ny_total{a="b"} 2\n# TYPE z counter\nz 1\n# HELP w foo\n# TYPE w gauge\nw_total 1\n',
    );
    // Recorded from promtool 2.42.
    expect({ status, stdout, stderr }).toEqual({
      status: 3,
      stdout: '',
      stderr:
        'w_total no help text\nx no help text\ny_total no help text\n' +
        'z counter metrics should have "_total" suffix\nz no help text\n',
    });
    const bad = await tool(['check', 'metrics'], 'x{ 1\n');
    expect(bad.status).toBe(1);
    expect(bad.stderr).toMatch(/^error while linting: line 1: /);
  });

  it('prints the cardinality of good metrics', async () => {
    const text = '# HELP a_total a\n# TYPE a_total counter\na_total{x="1"} 1\na_total{x="2"} 1\n';
    expect(await tool(['check', 'metrics', '--extended'], text)).toEqual({
      status: 0,
      stdout:
        'Metric     Cardinality    Percentage    \na_total    2              100.00%       \nTotal      2              100%          \n',
      stderr: '',
    });
  });

  it('runs unit tests of rules', async () => {
    file('r.yml', 'groups: [{name: g, rules: [{record: doubled, expr: x * 2}]}]\n');
    const suite = (value: number): string =>
      `rule_files: [r.yml]\ntests:\n- input_series: [{series: x, values: '1'}]\n  promql_expr_test:\n` +
      `  - {expr: doubled, eval_time: 0, exp_samples: [{labels: doubled, value: ${value}}]}\n`;
    const good = file('good.yml', suite(2));
    expect(await tool(['test', 'rules', good])).toEqual({
      status: 0,
      stdout: `Unit Testing:  ${good}\n  SUCCESS\n\n`,
      stderr: '',
    });
    const bad = await tool(['test', 'rules', file('bad.yml', suite(3))]);
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain('expr: "doubled"');
  });
});

describe('pollux tool query', () => {
  let listener: Listener;
  let server: string;
  let asked: { target: string; body: string; headers: HttpRequest['headers'] } | null = null;
  let answer: unknown;

  beforeEach(async () => {
    listener = await env.net.serveHttp(
      { at: { host: '127.0.0.1', port: 0 }, maxConnections: 10, readTimeoutMs: 5_000 },
      async (request) => {
        const body = new TextDecoder().decode(await request.body(1_000_000));
        asked = { target: request.target, body, headers: request.headers };
        const isError = (answer as { status: string }).status === 'error';
        return { status: isError ? 400 : 200, body: JSON.stringify(answer) };
      },
    );
    server = `http://127.0.0.1:${listener.address.port}`;
  });
  afterEach(() => listener.close());

  const success = (resultType: string, result: unknown) => ({
    status: 'success',
    data: { resultType, result },
  });
  const metric = { __name__: 'up', job: 'a', instance: 'x"y' };

  it('prints vectors, matrices and scalars as promtool does', async () => {
    answer = success('vector', [{ metric, value: [1795346890.011, '1e+22'] }]);
    expect(await tool(['query', 'instant', '--time=5', '--header', 'X-A=b', server, 'up'])).toEqual(
      {
        status: 0,
        stdout: 'up{instance="x\\"y", job="a"} => 10000000000000000000000 @[1795346890.011]\n',
        stderr: '',
      },
    );
    expect(asked).toMatchObject({ target: '/api/v1/query', body: 'query=up&time=5' });
    expect(asked?.headers['x-a']).toBe('b');
    answer = success('matrix', [
      {
        metric: {},
        values: [
          [1, 'NaN'],
          [2.5, '+Inf'],
        ],
      },
    ]);
    const range = ['query', 'range', '--start=0', '--end=1000', server, 'up'];
    expect((await tool(range)).stdout).toBe('{} =>\nNaN @[1]\n+Inf @[2.5]\n');
    // 1000 s over 250 points.
    expect(asked?.body).toBe('query=up&start=0&end=1000&step=4');
    answer = success('scalar', [7, '2']);
    expect((await tool(['query', 'instant', server, '1+1'])).stdout).toBe('scalar: 2 @[7]\n');
  });

  it('prints JSON with members in order and large values in full', async () => {
    answer = success('vector', [{ value: [7, '1e+22'], metric: { b: '<', a: 'x' } }]);
    const { stdout } = await tool(['query', 'instant', '-o', 'json', server, 'up']);
    expect(stdout).toBe(
      '[{"metric":{"a":"x","b":"\\u003c"},"value":[7,"10000000000000000000000"]}]\n',
    );
  });

  it('prints series and label values', async () => {
    answer = { status: 'success', data: [metric], warnings: ['store is behind'] };
    const series = await tool(['query', 'series', '--match=up', '--match=down', server]);
    expect(series.stdout).toBe('{__name__="up", instance="x\\"y", job="a"}\n');
    expect(series.stderr).toBe('query warning: store is behind\n');
    expect(asked?.body).toBe('match%5B%5D=up&match%5B%5D=down');
    answer = { status: 'success', data: ['a', 'b'] };
    expect((await tool(['query', 'labels', server, 'job'])).stdout).toBe('a\nb\n');
    expect(asked?.target).toBe('/api/v1/label/job/values');
  });

  it('tells refusals and unreachable servers on stderr and exits with 1', async () => {
    answer = { status: 'error', errorType: 'bad_data', error: 'invalid parameter "query"' };
    expect(await tool(['query', 'instant', server, 'up{'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'query error: bad_data: invalid parameter "query"\n',
    });
    await listener.close();
    expect((await tool(['query', 'instant', server, 'up'])).stderr).toBe(
      `query error: Post "${server}/api/v1/query": dial tcp ${server.slice(7)}: connect: connection refused\n`,
    );
  });

  it('refuses wrong arguments in promtool’s words', async () => {
    const message = async (...args: string[]): Promise<string> => {
      const { status, stderr } = await tool(args);
      expect(status).toBe(1);
      return stderr;
    };
    const end = ', try --help\n';
    const range = ['query', 'range', server, 'up'];
    expect(await message('query', 'instant', server)).toBe(
      `promtool: error: required argument 'expr' not provided${end}`,
    );
    expect(await message('query', 'series', server)).toBe(
      `promtool: error: required flag --match not provided${end}`,
    );
    expect(await message(...range, '--step=1')).toBe(
      `promtool: error: time: missing unit in duration "1"${end}`,
    );
    expect(await message('query', '-o', 'xml', 'instant', server, 'up')).toBe(
      `promtool: error: enum value must be one of promql,json, got 'xml'${end}`,
    );
    expect(await message(...range, '--nosuch')).toBe(
      `promtool: error: unknown long flag '--nosuch'${end}`,
    );
    expect(await message(...range, '--start=foo')).toBe(
      'error parsing start time: cannot parse "foo" to a valid timestamp\n',
    );
    expect(await message(...range, '--start=5', '--end=4')).toBe(
      'start time is not before end time\n',
    );
  });

  it('asks for health', async () => {
    answer = 'fine';
    expect(await tool(['check', 'healthy', '--url', server])).toEqual({
      status: 0,
      stdout: '',
      stderr: '  SUCCESS:  "fine"\n',
    });
    expect(asked?.target).toBe('/-/healthy');
  });
});

it('names what is supported when a subcommand is not, with its own exit status', async () => {
  const unknown = await tool(['tsdb', 'nosuch', 'write']);
  expect(unknown.status).toBe(2);
  expect(unknown.stderr).toContain(
    'expected command but got "nosuch"; supported: tsdb analyze, tsdb list, tsdb dump',
  );
  expect((await tool([])).stdout).toContain('query instant <server> <expr>');
});

describe.skipIf(!hasReal)(`pollux tool tsdb on a real Prometheus’ directory${noReal}`, () => {
  it('dumps blocks byte by byte as promtool does', async () => {
    const { status, stdout } = await tool(['tsdb', 'dump', path.join(REAL, 'blocks')]);
    expect(status).toBe(0);
    expect(stdout === fs.readFileSync(path.join(REAL, 'blocks.dump.txt'), 'utf8')).toBe(true);
  });

  it('dumps a log that was cut by a crash, and changes nothing in the directory', async () => {
    const copy = path.join(directory, 'copy');
    fs.cpSync(path.join(REAL, 'data-dir-after-kill'), copy, { recursive: true });
    const before = fs.readdirSync(copy, { recursive: true }).sort();
    const { stdout } = await tool(['tsdb', 'dump', copy]);
    const recorded = fs.readFileSync(path.join(REAL, 'data-dir-after-kill.dump.txt'), 'utf8');
    expect(stdout === recorded).toBe(true);
    expect(fs.readdirSync(copy, { recursive: true }).sort()).toEqual(before);
  });

  it('dumps only what matches', async () => {
    const blocks = path.join(REAL, 'blocks');
    const range = ['--min-time=1700000015000', '--max-time=1700000030000'];
    const { stdout } = await tool(['tsdb', 'dump', '--match={kind="inf"}', ...range, blocks]);
    expect(stdout).toBe(
      '{__name__="edge", kind="inf"} -Inf 1700000015000\n{__name__="edge", kind="inf"} +Inf 1700000030000\n',
    );
  });

  it('lists blocks in columns', async () => {
    const { stdout } = await tool(['tsdb', 'list', path.join(REAL, 'blocks')]);
    const [head, ...lines] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^BLOCK ULID {18}MIN TIME {7}MAX TIME {7}DURATION/);
    expect(lines.length).toBe(fs.readdirSync(path.join(REAL, 'blocks')).length);
  });
});

it('says which directory is not there', async () => {
  expect(await tool(['tsdb', 'list', 'nosuch'])).toEqual({
    status: 1,
    stdout: '',
    stderr: 'opening the db dir: stat nosuch: no such file or directory\n',
  });
});
