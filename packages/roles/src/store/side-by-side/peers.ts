import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import * as path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '..', '..', '..', '..', '..');
export const DATABASE = 'prometheus';

/** A store, or one of those it is measured beside: a process of its own on an empty directory. */
export type Peer = {
  readonly name: string;
  readonly url: string;
  /** Paths that take Prometheus' remote write and line protocol. */
  readonly write: string;
  readonly lines: string;
  readonly speaksInflux: boolean;
  readonly child: ChildProcess;
  readonly directory: string;
};

export type Usage = { readonly cpuS: number; readonly rssMb: number; readonly peakMb: number };

export async function startStore(directory: string): Promise<Peer> {
  const port = await freePort();
  const own = path.join(directory, 'store');
  const args = [
    path.join(ROOT, 'bin', 'pollux'),
    'store',
    `--data.dir=${own}`,
    `--http.bind-address=127.0.0.1:${port}`,
  ];
  return opened('store', port, '/ping', own, spawn(process.execPath, args, { stdio: 'ignore' }));
}

/** It syncs each request as we do (its default). Null where it is not installed. */
export async function startInfluxd(
  directory: string,
  index: 'tsi1' | 'inmem' = 'tsi1',
): Promise<Peer | null> {
  if (spawnSync('influxd', ['version']).error !== undefined) return null;
  const port = await freePort();
  const own = path.join(directory, 'influxd');
  const config = path.join(directory, 'influxdb.conf');
  fs.writeFileSync(
    config,
    `reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "${own}/meta"
[data]
dir = "${own}/data"
wal-dir = "${own}/wal"
index-version = "${index}"
max-series-per-database = 0
max-values-per-tag = 0
cache-snapshot-write-cold-duration = "10s"
compact-full-write-cold-duration = "20s"
[http]
bind-address = "127.0.0.1:${port}"
log-enabled = false
[monitor]
store-enabled = false
`,
  );
  const child = spawn('influxd', ['-config', config], { stdio: 'ignore' });
  return opened(index === 'tsi1' ? 'influxd' : 'influxd (inmem)', port, '/ping', own, child);
}

/** Null where it is not installed. */
export async function startVictoria(directory: string): Promise<Peer | null> {
  if (spawnSync('victoria-metrics', ['-version']).error !== undefined) return null;
  const port = await freePort();
  const own = path.join(directory, 'victoria');
  const args = [`-storageDataPath=${own}`, `-httpListenAddr=127.0.0.1:${port}`];
  const child = spawn('victoria-metrics', args, { stdio: 'ignore' });
  return opened('victoria-metrics', port, '/health', own, child);
}

async function opened(
  name: string,
  port: number,
  health: string,
  own: string,
  child: ChildProcess,
): Promise<Peer> {
  const url = `http://127.0.0.1:${port}`;
  const speaksInflux = name !== 'victoria-metrics';
  const lines = `/write?db=${DATABASE}`;
  const peer = { name, url, lines, child, directory: own, speaksInflux };
  const endMs = performance.now() + 30_000;
  for (;;) {
    try {
      if ((await fetch(url + health)).ok) break;
    } catch (error) {
      // Not there yet.
      if (performance.now() > endMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!speaksInflux) return { ...peer, write: '/api/v1/write' };
  const q = `CREATE DATABASE ${DATABASE}`;
  await fetch(`${url}/query?${new URLSearchParams({ q })}`, { method: 'POST' });
  return { ...peer, write: `/api/v1/prom/write?db=${DATABASE}` };
}

/** Ends a process, by its own. */
export async function stop({ child }: Peer): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
}

export async function post(url: string, body: Uint8Array, isSnappy = true): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: isSnappy
      ? { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' }
      : {},
    body: new Uint8Array(body),
  });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

export function usageOf({ child }: Peer): Usage {
  const stat = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return {
    cpuS: (Number(fields[11]) + Number(fields[12])) / 100,
    rssMb: Math.round(kilobytes('VmRSS') / 1024),
    peakMb: Math.round(kilobytes('VmHWM') / 1024),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
