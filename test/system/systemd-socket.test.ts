import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, runToEnd, Scratch } from './running-role.ts';

const PROGRAM = path.resolve(fileURLToPath(import.meta.url), '..', '..', '..', 'bin', 'pollux');
const ACTIVATE = 'systemd-socket-activate';

function hasActivate(): boolean {
  try {
    execFileSync(ACTIVATE, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isThere = hasActivate();
const needs = isThere ? '' : ` (needs ${ACTIVATE}, of systemd)`;

describe('sockets of systemd', () => {
  const scratch = new Scratch();
  const children: ChildProcess[] = [];
  const alertmanager = (name: string): string[] => [
    'alertmanager',
    `--config.file=${scratch.file('am.yml', 'route: {receiver: a}\nreceivers: [{name: a}]\n')}`,
    `--storage.path=${scratch.at(name)}`,
    '--cluster.listen-address=',
    '--web.systemd-socket',
    '--web.listen-address=127.0.0.1:1',
  ];

  afterAll(async () => {
    for (const child of children) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      if (child.kill()) await ended;
    }
    scratch.remove();
  });

  it.skipIf(!isThere).each([
    ['alertmanager', () => alertmanager('data')],
    ['node-exporter', () => ['node-exporter', '--web.systemd-socket']],
  ])(`are listened on by the %s, where systemd opened them${needs}`, async (_name, args) => {
    const ports = [await freePort(), await freePort()];
    const listens = ports.map((port) => `--listen=127.0.0.1:${port}`);
    children.push(spawn(ACTIVATE, [...listens, process.execPath, PROGRAM, ...args()]));
    for (const port of ports) {
      // The first connection starts the program, and is answered by it.
      await eventually('an answer', 45_000, async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/-/healthy`);
        return answer.status === 200 ? true : null;
      });
    }
  });

  it('are refused with the remedy where there are none, or they are of another process', async () => {
    const alone = await runToEnd(alertmanager('none'));
    expect([alone.status, alone.stderr]).toEqual([
      1,
      expect.stringContaining('systemd handed no socket over'),
    ]);
    const others = await runToEnd(alertmanager('none'), { LISTEN_PID: '1', LISTEN_FDS: '1' });
    expect([others.status, others.stderr]).toEqual([
      1,
      expect.stringContaining('of process 1 (LISTEN_PID)'),
    ]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
