import { spawn, spawnSync } from 'node:child_process';
import { eventually, Scratch } from '../system/running-role.ts';
import { freePort } from './real-prometheus.ts';

export const hasInfluxd = spawnSync('influxd', ['version']).error === undefined;
export const NO_INFLUXD = hasInfluxd ? '' : ' (skipped: no influxd here; run `npm run peers`)';

export type RealInfluxd = { readonly url: string; end(): Promise<void> };

/** Starts the installed influxd on free ports, over an empty directory. */
export async function startInfluxd(): Promise<RealInfluxd> {
  const scratch = new Scratch();
  const [port, backup] = [await freePort(), await freePort()];
  const file = scratch.file(
    'influxdb.conf',
    `reporting-disabled = true
bind-address = "127.0.0.1:${backup}"
[meta]
  dir = "${scratch.at('meta')}"
[data]
  dir = "${scratch.at('data')}"
  wal-dir = "${scratch.at('wal')}"
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
[monitor]
  store-enabled = false
`,
  );
  const child = spawn('influxd', ['run', '-config', file], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  await eventually('ready influxd', 30_000, async () =>
    (await fetch(`${url}/ping`)).ok ? true : null,
  );
  const end = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    scratch.remove();
  };
  return { url, end };
}
