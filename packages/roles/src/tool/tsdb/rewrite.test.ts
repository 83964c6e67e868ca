import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { OperatingError } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ran, runInPlace } from '../../command/testing.ts';
import { command } from '../index.ts';

const env = nodeEnv();
const T0 = 1_700_006_400;
let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-rewrite-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const tsdb = (...args: string[]): Promise<Ran> => runInPlace(command, ['tsdb', ...args], { env });

/** Two blocks of two hours, one series with a hundredth as unit. */
async function dataDirectory(): Promise<string> {
  const lines = Array.from(
    { length: 900 },
    (_, i) => `up{job="a"} ${(1234 + ((i * 37) % 100)) / 100} ${T0 + i * 15}`,
  );
  const input = path.join(directory, 'in.om');
  fs.writeFileSync(input, `# TYPE up gauge\n${lines.join('\n')}\n# EOF\n`);
  const data = path.join(directory, 'data');
  await tsdb('create-blocks-from', 'openmetrics', '-q', input, data);
  return data;
}

describe('pollux tool tsdb rewrite', () => {
  it('makes all blocks dense and turns one back, telling the bytes, and changes no sample', async () => {
    const data = await dataDirectory();
    const before = await tsdb('dump', data);
    const dense = await tsdb('rewrite', '--encoding=dense', data);
    expect(dense.stderr).toBe('');
    expect(dense.stdout.split('\n').slice(0, -1)).toEqual([
      expect.stringMatching(/^\w{26} -> \w{26}: \d+ bytes \(\d\.\d\d a sample\) -> \d+ bytes/),
      expect.stringMatching(/^\w{26} -> \w{26}: \d+ bytes/),
    ]);
    expect(await tsdb('dump', data)).toEqual(before);
    expect((await tsdb('verify', data)).stdout).toMatch(': no fault');
    const [first, second] = fs.readdirSync(data).filter((name) => name.length === 26);
    const xor = await tsdb('rewrite', '--encoding=xor', `${data}/${first}`);
    expect(xor.stdout).toMatch(new RegExp(`^${first} -> \\w{26}: .*\n$`));
    expect(fs.existsSync(`${data}/${second}`)).toBe(true);
    expect(await tsdb('dump', data)).toEqual(before);
  });

  it('leaves a directory alone that is in use, and says when there is nothing to do', async () => {
    const data = await dataDirectory();
    const names = fs.readdirSync(data);
    const lock = (): never => {
      throw new OperatingError('BASE.LOCKED', 'in use by process 7');
    };
    const ran = await runInPlace(command, ['tsdb', 'rewrite', data], { env, lock });
    expect([ran.status, ran.stderr]).toEqual([1, 'in use by process 7\n']);
    expect(fs.readdirSync(data)).toEqual(names);
    const empty = await tsdb('rewrite', directory);
    expect([empty.status, empty.stderr]).toEqual([1, `no blocks in ${directory}\n`]);
    const absent = await tsdb('rewrite', `${directory}/absent`);
    expect(absent.stderr).toMatch('no such file or directory');
    expect((await tsdb('rewrite', '--encoding=zip', data)).status).not.toBe(0);
  });
});
