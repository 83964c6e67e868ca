import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const POLLUX = path.resolve(import.meta.dirname, '../../bin/pollux');
const isBuilt = fs.existsSync(path.resolve(import.meta.dirname, '../../apps/pollux/dist/main.js'));
const MAX_OUTPUT_BYTES = 1 << 28;

function missing(): string {
  if (!isBuilt) return ' (needs a build: npm run build)';
  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
  return hasPromtool ? '' : ' (needs promtool: npm run peers)';
}

type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

function run(program: string, args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT_BYTES,
    env: { ...process.env, TZ: 'UTC' },
  });
  return { status: status ?? -1, stdout, stderr };
}

const theirs = (...args: string[]): Ran => run('promtool', ['tsdb', ...args]);
const ours = (...args: string[]): Ran => run(POLLUX, ['tool', 'tsdb', ...args]);

/** Start of a two-hour block, in seconds. */
const T0 = 1_700_006_400;

/** Series of different lengths and intervals, with gaps, odd numbers and odd texts; sorted by time as promtool needs it. */
function openMetrics(): string {
  const random = new SeededRandom(42);
  const rows: (readonly [number, string])[] = [];
  const add = (
    series: string,
    start: number,
    step: number,
    count: number,
    value: (i: number) => string,
  ): void => {
    for (let i = 0; i < count; i++) {
      if (random.below(20) > 0) rows.push([start + i * step, `${series} ${value(i)}`]);
    }
  };
  add('http_requests_total{code="200",instance="a:9100"}', T0 - 3_600, 15, 1_600, (i) =>
    String(i * 7),
  );
  add('http_requests_total{code="500",instance="a:9100"}', T0 + 100, 15, 900, (i) =>
    String(i >> 3),
  );
  add('odd{city="Köln",path="C:\\\\x\\"y\\""}', T0, 60, 300, (i) => String((i % 7) * 1e-9));
  add('special', T0 + 5_000, 30, 200, (i) => ['NaN', '+Inf', '-Inf', '-0', '1e300'][i % 5]!);
  // Two of a block: promtool 2.42 writes an empty byte behind a chunk of one.
  for (let day = 0; day < 4; day++) {
    const time = T0 - 200_000 + day * 86_400;
    rows.push([time, 'rare{job="x"} 1'], [time + 30, 'rare{job="x"} 1']);
  }
  add('steady', T0, 1, 4_000, () => '42');
  rows.sort(([a], [b]) => a - b);
  return `${rows.map(([time, text]) => `${text} ${time}\n`).join('')}# EOF\n`;
}

const reason = missing();

describe.skipIf(reason !== '')(
  `pollux tool tsdb and Debian's promtool${reason}`,
  { timeout: 60_000 },
  () => {
    let directory: string;
    let input: string;
    let made: { readonly theirs: Ran; readonly ours: Ran };
    const at = (name: string): string => path.join(directory, name);

    beforeAll(() => {
      directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-promtool-'));
      input = at('in.om');
      fs.writeFileSync(input, openMetrics());
      made = {
        theirs: theirs('create-blocks-from', 'openmetrics', input, at('theirs')),
        ours: ours('create-blocks-from', 'openmetrics', input, at('ours')),
      };
      // Without a log promtool refuses a directory.
      for (const name of ['theirs', 'ours']) fs.mkdirSync(at(`${name}/wal`));
    }, 60_000);
    afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

    /** Without the ULID, which is random, and the size: promtool 2.42 writes label indices that nobody reads any more. */
    const table = (text: string): readonly (readonly string[])[] =>
      text.split('\n').map((line) => line.split(/ {2,}/).slice(1, 7));

    it('make the same blocks of OpenMetrics, chunk files byte for byte', () => {
      expect(made.theirs.status).toBe(0);
      expect(made.ours).toMatchObject({ status: 0, stderr: '' });
      expect(table(made.ours.stdout)).toEqual(table(made.theirs.stdout));
      const chunks = (name: string): readonly string[] =>
        fs
          .readdirSync(at(name))
          .filter((block) => block.length === 26)
          .map((block) => fs.readFileSync(at(`${name}/${block}/chunks/000001`)).toString('base64'));
      expect(chunks('ours')).toEqual(chunks('theirs'));
      expect(chunks('ours').length).toBeGreaterThanOrEqual(7);
    });

    it('dump and list the same of each other’s blocks', () => {
      const [whole, ...others] = [
        theirs('dump', at('theirs')),
        theirs('dump', at('ours')),
        ours('dump', at('theirs')),
        ours('dump', at('ours')),
      ];
      expect(whole!.stdout.length).toBeGreaterThan(100_000);
      // Not compared as texts: a difference would print all of them.
      expect(others.map((other) => other.stdout === whole!.stdout)).toEqual([true, true, true]);
      for (const name of ['theirs', 'ours']) {
        for (const flags of [[], ['-r']])
          expect(ours('list', ...flags, at(name))).toEqual(theirs('list', ...flags, at(name)));
      }
      const part = [`--min-time=${T0}123`, `--max-time=${T0 + 4_000}000`, '--match={job!="x"}'];
      const ofPart = ours('dump', ...part, at('ours'));
      expect(ofPart.stdout === theirs('dump', ...part, at('ours')).stdout).toBe(true);
      expect(ofPart.stdout.length).toBeGreaterThan(10_000);
    });

    it('write OpenMetrics that promtool reads back', () => {
      const text = ours('dump-openmetrics', at('ours'));
      fs.writeFileSync(at('again.om'), text.stdout);
      // promtool wants the samples of a block in the order of time within each series, as a dump has them.
      const made = theirs('create-blocks-from', 'openmetrics', '-q', at('again.om'), at('again'));
      expect(made).toEqual({ status: 0, stdout: '', stderr: '' });
      fs.mkdirSync(at('again/wal'));
      const again = theirs('dump', at('again')).stdout;
      expect(again === theirs('dump', at('ours')).stdout).toBe(true);
    });

    it('analyse a block alike', () => {
      /** Lines of a list that have equal counts come in any order in promtool; 2.42 calls the number of series otherwise. */
      const canonical = (text: string): readonly (readonly string[])[] =>
        text
          .replace('Total Series:', 'Series:')
          .split('\n\n')
          .map((list) => list.split('\n'))
          .map(([title = '', ...lines]) => [title, ...lines.sort()]);
      const blocks = fs.readdirSync(at('ours')).filter((name) => name.length === 26);
      // Blocks of three and more series, in the middle of the time.
      for (const block of blocks.slice(3, 6)) {
        const args = ['analyze', '--limit=1000', at('ours'), block];
        expect(canonical(ours(...args).stdout)).toEqual(canonical(theirs(...args).stdout));
      }
    });

    it('find no fault in what promtool wrote', () => {
      expect(ours('verify', at('theirs'))).toMatchObject({ status: 0, stderr: '' });
    });

    it('refuse the same inputs', () => {
      for (const text of ['a 1 1\n', 'a 1\n# EOF\n', 'a{b} 1 1\n# EOF\n', 'a x 1\n# EOF\n']) {
        fs.writeFileSync(at('bad.om'), text);
        for (const tool of [theirs, ours]) {
          const ran = tool('create-blocks-from', 'openmetrics', at('bad.om'), at('bad'));
          expect(ran.status, text).toBe(1);
        }
      }
    });
  },
);
