import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { eventually, type Scratch } from '../system/running-role.ts';

export const hasNginx = spawnSync('nginx', ['-v']).error === undefined;
export const NO_NGINX = hasNginx ? '' : ' (skipped: no nginx here; run `npm run peers`)';

export type RunningNginx = { readonly port: number; stop(): Promise<void> };

/** Starts an nginx of one process, whose `http` block is `http(port)`, on a free port of the loopback. */
export async function startNginx(
  scratch: Scratch,
  name: string,
  http: (port: number) => string,
): Promise<RunningNginx> {
  const port = await freePort();
  const at = (path: string): string => scratch.at(`${name}/${path}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${at(kind)};`)
    .join(' ');
  const file = scratch.file(
    `${name}/nginx.conf`,
    `daemon off; master_process off; pid ${at('pid')}; error_log ${at('error.log')} info;
     events { worker_connections 1024; }
     http { access_log off; ${temporary} ${http(port)} }`,
  );
  const child = spawn('nginx', ['-p', at(''), '-c', file, '-e', at('error.log')], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await eventually('nginx that listens', 20_000, async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    await answer?.arrayBuffer();
    return answer === null ? null : true;
  });
  return {
    port,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
