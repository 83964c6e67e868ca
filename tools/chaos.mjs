// `npm run chaos`: real processes, faults from a seed, what a user saw of them. `--help` tells its arguments.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { build, checkNode, install, root, run } from './prepare.mjs';

checkNode();
// A test that runs it has been built already.
if (!process.argv.includes('--built')) {
  install();
  build();
}
const tsx = path.join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs');
const { enter, missing } = namespaces();
const words = [
  ...enter,
  process.execPath,
  tsx,
  '--conditions=@pollux/source',
  'test/chaos/main.ts',
  ...process.argv.slice(2).filter((word) => word !== '--built'),
  `--isolation-missing=${missing}`,
];
process.exit(run(words[0], words.slice(1)));

/** What starts a program in network and mount namespaces of its own, or why that cannot be. */
function namespaces() {
  if (process.argv.includes('--no-namespaces'))
    return { enter: [], missing: '--no-namespaces was given' };
  for (const program of ['ip', 'bridge', 'nsenter', 'mount'])
    if (
      spawnSync(program, ['--version']).error !== undefined &&
      spawnSync(program, ['-V']).error !== undefined
    )
      return { enter: [], missing: `${program} is not installed` };
  // As root without a user namespace: in one a process has no other users to change to.
  const flags =
    process.getuid?.() === 0 ? ['--net', '--mount'] : ['--map-root-user', '--net', '--mount'];
  const enter = ['unshare', ...flags, '--'];
  const trial = 'ip link set lo up && ip link add trial type bridge && mount -t tmpfs tmpfs /mnt';
  const tried = spawnSync(enter[0], [...enter.slice(1), 'sh', '-c', trial], { encoding: 'utf8' });
  if (tried.status === 0) return { enter, missing: '' };
  const why = tried.error?.message ?? tried.stderr.trim().split('\n')[0];
  return { enter: [], missing: `namespaces are not permitted here (${why})` };
}
