import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { afterAll, describe, expect, it } from 'vitest';
import { runInPlace } from '../command/testing.ts';
import { command } from './index.ts';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-promqltest-'));
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

const tool = (...args: readonly string[]) =>
  runInPlace(command, ['promqltest', ...args], { env: nodeEnv() });

function script(name: string, text: string): string {
  const file = path.join(directory, name);
  fs.writeFileSync(file, text);
  return file;
}

const LOAD = `load 1m
  g{job="a"} 1 2 3
  g{job="b"} 4+1x2

`;

describe('pollux tool promqltest', () => {
  it('counts what passed, and names file and line of what failed', async () => {
    const file = script(
      'sums.test',
      `${LOAD}eval instant at 2m sum(g)
  {} 9

eval instant at 2m sum(g)
  {} 10

eval instant at 2m 1 + 1
  2

eval instant at 2m 1 + 1
`,
    );
    const { status, stdout, stderr } = await tool(file);
    expect(status).toBe(1);
    expect(stdout).toBe('2 passed, 2 failed\n');
    expect(stderr).toContain(`${file}:8: sum(g): {}: expected 10, got 9\n`);
    expect(stderr).toContain(`${file}:14: 1 + 1: got scalar 2\n`);
  });

  it('has experimental functions in test mode only', async () => {
    const file = script(
      'mad.test',
      `${LOAD}eval instant at 2m mad_over_time(g{job="a"}[3m])\n  {job="a"} 1\n`,
    );
    expect(await tool('--mode=test', file)).toEqual({
      status: 0,
      stdout: '1 passed, 0 failed\n',
      stderr: '',
    });
    expect((await tool(file)).stderr).toContain('function "mad_over_time" is not enabled');
  });

  it('says where a text is no script, and goes on with the next', async () => {
    const bad = script('bad.test', 'load 1m\n  g 1x1000000000\n');
    const none = path.join(directory, 'none.test');
    const good = script('good.test', 'eval instant at 0 vector(1)\n  {} 1\n');
    const { status, stdout, stderr } = await tool(bad, none, good);
    expect([status, stdout]).toEqual([1, '1 passed, 2 failed\n']);
    expect(stderr).toContain(`${bad}: line 1: more than 100000 repetitions: x1000000000\n`);
    expect(stderr).toContain('no such file');
  });
});
