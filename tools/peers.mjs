// `npm run peers`: installs the real programs that tests compare against, from Debian's packages. Needs root (or sudo).
// Nothing is started: tests start what they need on loopback ports of their own.
import { spawnSync } from 'node:child_process';
import { step } from './prepare.mjs';

/** Debian package and the program in it that tests look for. */
const PEERS = [
  ['prometheus', 'prometheus'],
  ['prometheus-alertmanager', 'prometheus-alertmanager'],
  ['prometheus-node-exporter', 'prometheus-node-exporter'],
  ['influxdb', 'influxd'],
  ['influxdb-client', 'influx'],
  ['nginx-light', 'nginx'],
  ['victoria-metrics', 'victoria-metrics'],
  ['chromium', 'chromium'],
];

function has(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}

const missing = PEERS.filter(([, program]) => !has(program)).map(([name]) => name);
if (missing.length === 0) {
  step('all peers are installed');
  process.exit(0);
}
if (!has('apt-get')) {
  step(`this system has no apt-get; install these by hand: ${missing.join(', ')}`);
  process.exit(1);
}
const prefix = process.getuid?.() === 0 ? [] : ['sudo'];
// A daemon that the package starts by itself would hold the ports that users expect to be free.
const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
for (const args of [
  ['apt-get', 'update', '-q'],
  ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...missing],
]) {
  step([...prefix, ...args].join(' '));
  const [command, ...rest] = [...prefix, ...args];
  const { status } = spawnSync(command, rest, { stdio: ['ignore', 2, 2], env });
  if (status !== 0) {
    step(`failed with status ${status}; suites that need ${missing.join(', ')} will be skipped`);
    process.exit(1);
  }
}
