import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { HttpRequest, HttpResponse, Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { decodeLabels, decodeWriteRequest, snappyDecode } from '@pollux/remote';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ran, runInPlace } from '../../../command/testing.ts';
import { command } from '../../index.ts';
import { CsvReader } from './csv-reader.ts';

const env = nodeEnv();
const CONFORMANCE =
  process.env.POLLUX_CONFORMANCE ??
  path.resolve(import.meta.dirname, '../../../../../../../shared/conformance');
const REAL = path.join(CONFORMANCE, 'real/prometheus-2.42');
const hasReal = fs.existsSync(REAL);
const noReal = hasReal ? '' : ' (skipped: no conformance data; set POLLUX_CONFORMANCE)';

let directory: string;
let data: string;
let listener: Listener | null = null;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-import-'));
  data = path.join(directory, 'data');
});
afterEach(async () => {
  await listener?.close(0);
  listener = null;
  fs.rmSync(directory, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  const at = path.join(directory, name);
  fs.writeFileSync(at, text);
  return at;
}

const tsdb = (...args: string[]): Promise<Ran> => runInPlace(command, ['tsdb', ...args], { env });
const imported = (...args: string[]): Promise<Ran> => tsdb('import', ...args);
const dump = async (at: string): Promise<string[]> =>
  (await tsdb('dump', at)).stdout.split('\n').filter((line) => line !== '');

async function serve(handler: (request: HttpRequest) => Promise<HttpResponse>): Promise<string> {
  listener = await env.net.serveHttp(
    { at: { host: '127.0.0.1', port: 0 }, maxConnections: 50, readTimeoutMs: 10_000 },
    handler,
  );
  return `http://127.0.0.1:${listener.address.port}`;
}

const T0 = 1_700_006_400;

describe('CSV', () => {
  it('is split into rows whatever the pieces, with quotes, newlines in them, and empty cells', () => {
    const text = 'a,"b ""x"", y",\r\n"new\nline",,z\n\nlast,"",q';
    const rows = [
      ['a', 'b "x", y', ''],
      ['new\nline', '', 'z'],
      ['last', '', 'q'],
    ];
    for (let size = 1; size <= text.length; size++) {
      const reader = new CsvReader(',');
      const found: (readonly string[])[] = [];
      const lines: number[] = [];
      for (let at = 0; at < text.length; at += size) {
        for (const row of reader.rows(text.slice(at, at + size), at + size >= text.length)) {
          found.push(row);
          lines.push(reader.line);
        }
      }
      expect(found, `pieces of ${size}`).toEqual(rows);
      expect(lines).toEqual([1, 2, 5]);
    }
  });

  it('gives a sample for each value column, its labels from columns and flags', async () => {
    const input = file(
      'in.csv',
      `when;host;load;mem\n2023-11-15T00:00:00.25Z;a;0.5;\n2023-11-15T01:00:00+01:00;b;1;7\n`,
    );
    const ran = await imported(
      'csv',
      '--delimiter=;',
      '--time=when',
      '--value=load=node_load1',
      '--value=mem',
      '--label-column=host=instance',
      '--label=dc=eu',
      '-q',
      input,
      data,
    );
    expect(ran).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await dump(data)).toEqual([
      `{__name__="mem", dc="eu", instance="b"} 7 ${T0}000`,
      `{__name__="node_load1", dc="eu", instance="a"} 0.5 ${T0}250`,
      `{__name__="node_load1", dc="eu", instance="b"} 1 ${T0}000`,
    ]);
  });

  it('takes the metric name from a column and columns by number', async () => {
    const input = file(
      'in.csv',
      `${T0}000000001,up,1\n${T0}999999,down,NaN\n`.replace('999999', '999999999'),
    );
    const flags = [
      '--no-header',
      '--time=1',
      '--time-format=unix_ns',
      '--metric=2',
      '--value=3',
      '-q',
    ];
    expect((await imported('csv', ...flags, input, data)).stderr).toBe('');
    expect(await dump(data)).toEqual([
      `{__name__="down"} NaN ${T0}999`,
      `{__name__="up"} 1 ${T0}000`,
    ]);
  });

  it('names the line of what it cannot read', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['t,v\n1,2\n', 'line 2: "1" is no time of form rfc3339'],
      ['t,v\n2023-11-15T00:00:00Z,x\n', 'line 2: "x" is no number'],
      ['time,v\n', 'no column "t": there are time, v'],
    ];
    for (const [text, message] of cases) {
      const ran = await imported('csv', '--time=t', '--value=v', file('bad.csv', text), data);
      expect(ran.status).toBe(1);
      expect(ran.stderr).toContain(message);
    }
  });
});

describe('InfluxDB line protocol', () => {
  it('gives a metric for each field of a measurement; the last write of a field wins', async () => {
    const input = file(
      'in.lp',
      '# DDL\nCREATE DATABASE x WITH NAME y\n# DML\n' +
        `cpu,host=a,my\\ tag=x usage=0.5,cores=8i,on=true,text="two\nlines" ${T0}000000000\n` +
        `cpu,host=a,my\\ tag=x usage=0.75 ${T0}000000999\n` +
        `disk.io value=1u ${T0 + 1}000000000\n`.replace('1u', '1'),
    );
    const ran = await imported('influx', '-q', input, data);
    expect(ran).toEqual({ status: 0, stdout: '', stderr: expect.any(String) });
    expect(ran.stderr.split('\n').slice(0, -1)).toEqual([
      'left out 1 values of text fields',
      'left out 1 samples of a series that has another value at the same time',
    ]);
    expect(await dump(data)).toEqual([
      `{__name__="cpu_cores", host="a", my_tag="x"} 8 ${T0}000`,
      `{__name__="cpu_on", host="a", my_tag="x"} 1 ${T0}000`,
      `{__name__="cpu_usage", host="a", my_tag="x"} 0.75 ${T0}000`,
      `{__name__="disk_io_value"} 1 ${T0 + 1}000`,
    ]);
    const kept = path.join(directory, 'kept');
    await imported('influx', '-q', '--keep-names', '--label=src=old', input, kept);
    expect((await dump(kept))[3]).toBe(`{__name__="disk.io_value", src="old"} 1 ${T0 + 1}000`);
  });

  it('says which line is none', async () => {
    const ran = await imported('influx', file('bad.lp', 'cpu usage=1 1\ncpu usage=oops 1\n'), data);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain("unable to parse 'cpu usage=oops 1'");
    expect(fs.readdirSync(data)).toEqual([]);
  });
});

describe('a data directory', () => {
  it.skipIf(!hasReal)(`of Prometheus is copied block by block, byte by byte${noReal}`, async () => {
    const source = path.join(REAL, 'blocks');
    const ran = await imported('prometheus', source, data);
    expect(ran.status).toBe(0);
    expect(ran.stdout.split('\n')).toHaveLength(6);
    for (const name of fs.readdirSync(source)) {
      for (const part of ['index', 'meta.json', 'chunks/000001']) {
        const copy = fs.readFileSync(path.join(data, name, part));
        expect(copy.equals(fs.readFileSync(path.join(source, name, part))), part).toBe(true);
      }
    }
    const again = await imported('prometheus', source, data);
    expect(again.stderr.split('\n')[0]).toMatch(/^block \w{26} is there already$/);
    expect((await tsdb('verify', data)).stdout).toContain('no fault');
  });

  it.skipIf(!hasReal)(`that a crash left gives its log too${noReal}`, async () => {
    const source = path.join(REAL, 'data-dir-after-kill');
    const ran = await imported('prometheus', '-q', source, data);
    expect(ran.status).toBe(0);
    const floats = (lines: readonly string[]): string[] =>
      lines.filter((line) => !/ \{count:/.test(line)).sort();
    expect(floats(await dump(data))).toEqual(floats(await dump(source)));
    expect((await dump(data)).length).toBeGreaterThan(100);
  });

  it('of a running server takes blocks that reach into the time of its log without losing the log', async () => {
    const open = (): Promise<Tsdb> =>
      Tsdb.open({
        directory: data,
        env,
        log: Log.silent(),
        registry: new Registry(),
        options: { retentionMs: 0, lockDirectory: null },
      });
    const server = await open();
    const appender = server.appender();
    const ref = appender.series(Labels.from({ __name__: 'live' }));
    const times = Float64Array.of(T0 * 1_000, T0 * 1_000 + 60_000);
    appender.appendFloats(
      Uint32Array.of(ref, ref),
      times,
      Float64Array.of(1, 2),
      null,
      2,
      new Uint8Array(2),
    );
    await appender.commit();
    const input = file('in.om', `old 1 ${T0 - 86_400}\nold 2 ${T0 + 30}\n# EOF\n`);
    expect((await imported('openmetrics', '-q', input, data)).status).toBe(0);
    await server.close();
    // What the server finds when it starts again.
    await (await open()).close();
    expect(await dump(data)).toEqual([
      `{__name__="live"} 1 ${T0}000`,
      `{__name__="live"} 2 ${T0 + 60}000`,
      `{__name__="old"} 1 ${T0 - 86_400}000`,
      `{__name__="old"} 2 ${T0 + 30}000`,
    ]);
  });
});

describe('remote write', () => {
  it('gets samples of any order sorted by time in slices, and again after it was away', async () => {
    const times: number[] = [];
    const rows: string[] = [];
    let calls = 0;
    const url = await serve(async (request) => {
      calls++;
      if (calls === 1) return { status: 503, headers: { 'retry-after': '0' } };
      const body = await snappyDecode(await request.body(1e6));
      const written = decodeWriteRequest(body);
      const labels = Array.from({ length: written.seriesCount }, (_, i) =>
        decodeLabels(written.labelData, written.labelStarts[i]!, written.labelEnds[i]!),
      );
      for (let i = 0; i < written.sampleCount; i++) {
        times.push(written.timestampsMs[i]!);
        rows.push(
          `${labels[written.sampleSeries[i]!]!.labels} ${written.values[i]} ${written.timestampsMs[i]}`,
        );
      }
      return { status: 204 };
    });
    const lines = Array.from({ length: 400 }, (_, i) => {
      const second = (i * 7919) % 1200;
      return `m{i="${i % 3}"} ${i} ${T0 + second}\n`;
    });
    const ran = await imported(
      'openmetrics',
      `--url=${url}/api/v1/write`,
      file('in.om', `${lines.join('')}# EOF\n`),
      directory,
    );
    expect(ran).toEqual({ status: 0, stdout: 'sent 400 samples\n', stderr: '' });
    await tsdb('create-blocks-from', 'openmetrics', '-q', path.join(directory, 'in.om'), data);
    expect(rows.sort()).toEqual((await dump(data)).sort());
    // No sample is more than a slice behind one that went before it.
    let newest = 0;
    for (const time of times) {
      expect(time).toBeGreaterThan(newest - 300_000);
      newest = Math.max(newest, time);
    }
  });

  it('says what the server says when it refuses', async () => {
    const url = await serve(async () => ({ status: 400, body: 'out of bounds\n' }));
    const ran = await imported(
      'openmetrics',
      `--url=${url}`,
      file('in.om', 'a 1 1\n# EOF\n'),
      data,
    );
    expect(ran.status).toBe(1);
    expect(ran.stderr).toBe(
      'server returned HTTP status 400: out of bounds (0 samples were taken before)\n',
    );
  });
});

describe('create-blocks-from rules', () => {
  it('asks for each recording rule, window by window, on the grid of its group', async () => {
    const asked: URLSearchParams[] = [];
    const url = await serve(async (request) => {
      const form = new URLSearchParams(new TextDecoder().decode(await request.body(1e6)));
      asked.push(form);
      const start = Number(form.get('start'));
      const values = [
        [start, '1.5'],
        [start + Number(form.get('step')), 'NaN'],
      ];
      const result = [{ metric: { __name__: 'x', job: 'a', drop: 'me' }, values }];
      return {
        status: 200,
        body: JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } }),
      };
    });
    const rules = file(
      'rules.yml',
      'groups:\n- name: g\n  interval: 5m\n  rules:\n  - {record: "r:x", expr: "sum( x )", labels: {drop: "", by: rule}}\n  - {alert: A, expr: up == 0}\n',
    );
    const ran = await tsdb(
      'create-blocks-from',
      'rules',
      `--url=${url}`,
      `--start=${T0}`,
      `--end=${T0 + 3 * 3600}`,
      `--output-dir=${data}`,
      rules,
    );
    expect(ran).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(asked.map((form) => form.get('query'))).toEqual(['sum(x)', 'sum(x)']);
    const starts = asked.map((form) => Number(form.get('start')));
    expect(starts[0]! - T0).toBeLessThan(300);
    expect((starts[1]! - starts[0]!) % 300).toBe(0);
    expect(starts[1]!).toBeGreaterThanOrEqual(T0 + 7200);
    expect(starts[1]! - 300).toBeLessThan(T0 + 7200);
    expect(await dump(data)).toEqual(
      starts.flatMap((start) => [
        `{__name__="r:x", by="rule", job="a"} 1.5 ${start * 1000}`,
        `{__name__="r:x", by="rule", job="a"} NaN ${(start + 300) * 1000}`,
      ]),
    );
    expect(fs.readdirSync(data)).toHaveLength(2);
  });

  it('refuses times that make no sense and files that are not there', async () => {
    const rules = file('rules.yml', 'groups: []\n');
    const run = (...args: string[]): Promise<Ran> => tsdb('create-blocks-from', 'rules', ...args);
    expect((await run('--start=2', '--end=1', rules)).stderr).toBe(
      'start time is not before end time\n',
    );
    expect((await run(rules)).stderr).toContain('required flag --start not provided');
    expect((await run('--start=1', 'nosuch.yml')).stderr).toContain(
      "path 'nosuch.yml' does not exist",
    );
  });
});

describe('bench write', () => {
  it('writes to a database of its own and counts what was taken', async () => {
    const out = path.join(directory, 'bench');
    const ran = await tsdb('bench', 'write', `--out=${out}`, '--metrics=1200', '--scrapes=5');
    expect(ran.status).toBe(0);
    expect(ran.stdout).toMatch(
      /^>> start stage=readData\n>> completed stage=readData duration=\S+\n>> start stage=ingestScrapes\n(?:.|\n)* > total samples: 6000\n > samples\/sec: \d+/,
    );
    expect(await dump(`${out}/storage`)).toHaveLength(6000);
    const again = await tsdb('bench', 'write', `--out=${directory}`, '--metrics=1', '--scrapes=1');
    expect(again.stderr).toContain('not only an earlier benchmark');
  });
});
