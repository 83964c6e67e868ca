import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { RunningRole, runToEnd, Scratch } from './running-role.ts';

const scratch = new Scratch();
afterAll(() => scratch.remove());
const config = scratch.file('prometheus.yml', 'global: {scrape_interval: 1s}\n');

/** MALLOC_* in the environment that the process was begun with. */
function mallocOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  const pairs = lines.filter((line) => line.startsWith('MALLOC_')).map((line) => line.split('='));
  return Object.fromEntries(pairs);
}

function start(
  directory: string,
  variables: Readonly<Record<string, string>>,
): Promise<RunningRole> {
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${scratch.at(directory)}`];
  return RunningRole.start(['server', ...args, '--web.listen-address=127.0.0.1:0'], variables);
}

describe('a server that is started without settings of malloc', () => {
  it('has its own, and is the process that was started: log, signals and exit status as ever', async () => {
    const server = await start('without', {});
    expect(mallocOf(server.pid)).toEqual({
      MALLOC_ARENA_MAX: '1',
      MALLOC_TRIM_THRESHOLD_: '4194304',
      MALLOC_MMAP_THRESHOLD_: '1048576',
    });
    const { status, stderr } = await server.end();
    expect(status).toBe(0);
    expect(stderr).toContain('msg=stopped');
  });

  it('leaves those alone that somebody has set', async () => {
    const server = await start('with', { MALLOC_ARENA_MAX: '3' });
    expect(mallocOf(server.pid)).toEqual({ MALLOC_ARENA_MAX: '3' });
    await server.end();
  });

  it('hands arguments and standard output over', async () => {
    const { status, stdout } = await runToEnd(['server', '--version']);
    expect(status).toBe(0);
    expect(stdout).toContain('prometheus, version');
  });
});
