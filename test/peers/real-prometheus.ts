import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { eventually } from '../system/running-role.ts';

export const hasPrometheus = spawnSync('prometheus', ['--version']).error === undefined;
export const NO_PROMETHEUS = hasPrometheus
  ? ''
  : ' (skipped: no prometheus here; run `npm run peers`)';

/** A server under test. */
export type Server = {
  readonly url: string;
  /** As a power cut. */
  kill(): Promise<void>;
  /** As an operator does. */
  stop(): Promise<void>;
};

/** Starts a Prometheus, the installed one unless a binary is named, ready to answer on a free port. */
export async function startPrometheus(
  flags: readonly string[],
  binary = 'prometheus',
): Promise<Server> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(binary, [...flags, `--web.listen-address=127.0.0.1:${port}`], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  await eventually('ready Prometheus', 30_000, async () =>
    (await fetch(`${url}/-/ready`)).ok ? true : null,
  );
  return { url, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
