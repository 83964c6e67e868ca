import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ran, runInPlace } from '../../command/testing.ts';
import { command } from '../index.ts';

const env = nodeEnv();
let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-tool-tsdb-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const at = path.join(directory, name);
  fs.writeFileSync(at, text);
  return at;
}

const tsdb = (...args: string[]): Promise<Ran> => runInPlace(command, ['tsdb', ...args], { env });
const blocksIn = (at: string): string[] => (fs.existsSync(at) ? fs.readdirSync(at) : []);

/** Seconds; the start of a two-hour block. */
const T0 = 1_700_006_400;
const OPEN_METRICS = `# TYPE up gauge
up{job="b"} 1 ${T0 + 60}
up{job="a"} 0.5 ${T0 + 7200}.25
up{job="a"} 1e100 ${T0}
up{job="b"} NaN ${T0 + 30}
{"grün.value","x y"="z"} 2 ${T0}
# EOF
`;

async function imported(): Promise<string> {
  const data = path.join(directory, 'data');
  const ran = await tsdb('create-blocks-from', 'openmetrics', file('in.om', OPEN_METRICS), data);
  expect(ran.stderr).toBe('');
  expect(ran.status).toBe(0);
  return data;
}

describe('pollux tool tsdb create-blocks-from openmetrics', () => {
  it('takes samples of any order, cut into blocks of two hours, and lists each', async () => {
    const data = path.join(directory, 'data');
    const { stdout } = await tsdb(
      'create-blocks-from',
      'openmetrics',
      file('in.om', OPEN_METRICS),
      data,
    );
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/).slice(1, 7));
    expect(rows).toEqual([
      ['MIN TIME', 'MAX TIME', 'DURATION', 'NUM SAMPLES', 'NUM CHUNKS', 'NUM SERIES'],
      [`${T0}000`, `${T0 + 60}001`, '1m0.001s', '4', '3', '3'],
      [`${T0 + 7200}250`, `${T0 + 7200}251`, '1ms', '1', '1', '1'],
      [],
    ]);
    expect((await tsdb('dump', data)).stdout).toBe(
      `{__name__="grün.value", "x y"="z"} 2 ${T0}000\n` +
        `{__name__="up", job="a"} 1e+100 ${T0}000\n{__name__="up", job="a"} 0.5 ${T0 + 7200}250\n` +
        `{__name__="up", job="b"} NaN ${T0 + 30}000\n{__name__="up", job="b"} 1 ${T0 + 60}000\n`,
    );
  });

  it('puts labels on every series and makes longer blocks when asked', async () => {
    const data = path.join(directory, 'data');
    const input = file('in.om', OPEN_METRICS);
    const options = ['--label=job=x', '--label=dc=eu', '--max-block-duration=17h', '-q'];
    const ran = await tsdb('create-blocks-from', 'openmetrics', ...options, input, data);
    // up{job="a"} and up{job="b"} became one series; no two samples have the same time.
    expect(ran).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(blocksIn(data)).toHaveLength(1);
    const { stdout } = await tsdb('dump', '--format=seriesjson', data);
    expect(stdout).toBe(
      '{"__name__":"grün.value","dc":"eu","job":"x","x y":"z"}\n{"__name__":"up","dc":"eu","job":"x"}\n',
    );
  });

  it('names the line of a fault and writes nothing', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['a 1 1\n', 'data does not end with # EOF'],
      ['a 1 1\nb 2\n# EOF\n', 'line 2: expected timestamp for series got none'],
      ['a 1 1\n# EOF\na 1 2\n', 'line 3: unexpected data after # EOF'],
      ['a 1 1\na{b="c} 1 2\n# EOF\n', 'line 2: '],
      ['a 1 9e300\n# EOF\n', 'out of range'],
    ];
    for (const [text, message] of cases) {
      const data = path.join(directory, 'bad');
      const ran = await tsdb('create-blocks-from', 'openmetrics', file('bad.om', text), data);
      expect(ran.status, text).toBe(1);
      expect(ran.stderr).toContain(message);
      expect(blocksIn(data)).toEqual([]);
    }
    const missing = await tsdb('create-blocks-from', 'openmetrics', 'nosuch.om', directory);
    expect(missing.stderr).toBe('stat nosuch.om: no such file or directory\n');
  });

  it('leaves no half block when it is interrupted', async () => {
    const data = path.join(directory, 'data');
    const lines = Array.from({ length: 30_000 }, (_, i) => `m{i="${i % 50}"} ${i} ${T0 + i}\n`);
    const stop = new AbortController();
    const running = runInPlace(
      command,
      [
        'tsdb',
        'create-blocks-from',
        'openmetrics',
        file('in.om', `${lines.join('')}# EOF\n`),
        data,
      ],
      { env, signal: stop.signal },
    );
    stop.abort();
    expect(await running).toEqual({ status: 130, stdout: '', stderr: 'interrupted\n' });
    expect(blocksIn(data)).toEqual([]);
  });
});

describe('pollux tool tsdb dump', () => {
  it('gives a series that several selectors match once', async () => {
    const data = await imported();
    const both = await tsdb('dump', '--match=up', '--match={job="a"}', data);
    expect(both.stdout.split('\n')).toHaveLength(5);
    const late = await tsdb('dump', `--min-time=${T0 + 7200}000`, data);
    expect(late.stdout).toBe(`{__name__="up", job="a"} 0.5 ${T0 + 7200}250\n`);
  });

  it('writes OpenMetrics that can be imported again', async () => {
    const data = await imported();
    const { stdout } = await tsdb('dump-openmetrics', data);
    expect(stdout).toBe(
      `{"grün.value","x y"="z"} 2 ${T0}.000\nup{job="a"} 1e+100 ${T0}.000\n` +
        `up{job="a"} 0.5 ${T0 + 7200}.250\nup{job="b"} NaN ${T0 + 30}.000\nup{job="b"} 1 ${T0 + 60}.000\n# EOF\n`,
    );
    const again = path.join(directory, 'again');
    await tsdb('create-blocks-from', 'openmetrics', file('out.om', stdout), again);
    expect((await tsdb('dump', again)).stdout).toBe((await tsdb('dump', data)).stdout);
  });
});

describe('pollux tool tsdb analyze', () => {
  it('counts pairs, names and churn of the block made last', async () => {
    const data = path.join(directory, 'data');
    const text = `m{a="1"} 1 ${T0}\nm{a="1"} 1 ${T0 + 100}\nm{a="2"} 1 ${T0}\nn{a="2"} 1 ${T0}\n# EOF\n`;
    await tsdb('create-blocks-from', 'openmetrics', file('in.om', text), data);
    const { stdout } = await tsdb('analyze', '--limit=2', '--extended', data);
    expect(stdout).toMatch(
      /^Block ID: \w{26}\nDuration: 1m40.001s\nTotal Series: 3\nLabel names: 2\n/,
    );
    const lists = stdout.split('\n\n');
    expect(lists).toContain('Label pairs most involved in churning:\n2 a=2\n1 __name__=m');
    expect(lists).toContain('Most common label pairs:\n2 __name__=m\n2 a=2');
    expect(lists).toContain('Highest cardinality metric names:\n2 m\n1 n');
    expect(lists).toContain(
      'samples per float chunk (min/avg/max): 1/1/2\n[ 1, 10]: 3 ' +
        '#'.repeat(100) +
        '\n[11, 20]: 0 ',
    );
    const matched = await tsdb('analyze', '--match=n', data);
    expect(matched.stdout).toContain('Matcher: n\nLabel names: 2\nMatched series: 1\n');
    expect(matched.stdout).not.toContain('Compaction');
  });

  it('says what is missing', async () => {
    expect((await tsdb('analyze', directory)).stderr).toBe('no blocks found\n');
    expect((await tsdb('analyze', directory, 'x')).stderr).toContain('no such file or directory');
    expect((await tsdb('analyze', 'nosuch')).status).toBe(1);
  });
});

describe('pollux tool with down-sampled data', () => {
  it('lists and verifies them behind the blocks', async () => {
    const data = await imported();
    const before = (await tsdb('list', data)).stdout;
    const db = await Tsdb.open({
      directory: data,
      env,
      log: Log.silent(),
      registry: new Registry(),
      options: {
        retentionMs: 0,
        downsampling: [{ resolutionMs: 60_000, afterMs: 0, retentionMs: 0 }],
      },
    });
    await db.tick();
    await db.close();
    const [blocks, slices = ''] = (await tsdb('list', data)).stdout.split('\n\n');
    expect(`${blocks}\n`).toBe(before);
    const [header, ...lines] = slices.trimEnd().split('\n');
    expect(header).toMatch(/^RESOLUTION +SLICE ULID +MIN TIME .* SAMPLES DROPPED UNTIL/);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(/^1m +[0-9A-Z]{26} +\d+ .* - *$/);
    expect((await tsdb('verify', data)).stdout).toContain(
      `2 blocks, ${lines.length} slices of down-sampled data, `,
    );
    const [name = ''] = fs.readdirSync(path.join(data, 'downsampled', '1m'));
    fs.rmSync(path.join(data, 'downsampled', '1m', name, 'index'));
    const broken = await tsdb('verify', data);
    expect([broken.status, broken.stdout]).toEqual([
      1,
      expect.stringContaining('index: is missing'),
    ]);
  });
});

describe('pollux tool tsdb verify', () => {
  it('says that nothing is wrong, or what is, in words and as JSON', async () => {
    const data = await imported();
    expect(await tsdb('verify', data)).toEqual({
      status: 0,
      stdout: '2 blocks, 0 head chunks, 0 log records: no fault\n',
      stderr: '',
    });
    const [block = ''] = blocksIn(data);
    const index = path.join(data, block, 'index');
    const bytes = fs.readFileSync(index);
    bytes[10] = bytes[10]! ^ 1;
    fs.writeFileSync(index, bytes);
    const lines = await tsdb('verify', data);
    expect(lines.status).toBe(1);
    expect(lines.stdout).toMatch(/^\S+index at 5: wrong checksum of the symbols\n/);
    const json = JSON.parse((await tsdb('verify', '--json', data)).stdout);
    expect(json.findings[0]).toEqual({
      file: index,
      offset: 5,
      text: 'wrong checksum of the symbols',
    });
    expect(json.blocks).toBe(2);
    expect((await tsdb('verify', 'nosuch')).stderr).toContain('no such directory');
  });
});

describe('pollux tool tsdb repair', () => {
  it('says what it would do, does it under the lock when told to, and is done then', async () => {
    const data = await imported();
    expect(await tsdb('repair', data)).toEqual({
      status: 0,
      stdout: 'nothing to mend\n',
      stderr: '',
    });
    const [block = ''] = blocksIn(data);
    const meta = path.join(data, block, 'meta.json');
    const before = fs.readFileSync(meta, 'utf8');
    fs.writeFileSync(meta, before.replace('"numSeries": 3', '"numSeries": 4'));
    const would = await tsdb('repair', data);
    expect(would.status).toBe(1);
    expect(would.stdout).toBe(
      `${meta}: would write anew from the index and the chunks\nnothing was changed; --apply does it\n`,
    );
    const locked: string[] = [];
    const lock = (at: string): (() => void) => {
      locked.push(`lock ${at}`);
      return () => locked.push('unlock');
    };
    const args = ['tsdb', 'repair', '--apply', data];
    expect((await runInPlace(command, args, { env, lock })).status).toBe(0);
    expect(locked).toEqual([`lock ${data}`, 'unlock']);
    expect(fs.readFileSync(meta, 'utf8')).toBe(before);
    expect((await tsdb('verify', data)).status).toBe(0);
  });

  it('tells what cannot be mended', async () => {
    const data = await imported();
    fs.writeFileSync(path.join(data, blocksIn(data)[0]!, 'index'), 'x');
    const ran = await tsdb('repair', '--apply', data);
    expect(ran.status).toBe(1);
    expect(ran.stdout).toMatch(/index at 0: is too short \(cannot be mended\)\n/);
  });
});
