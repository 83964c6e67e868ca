// `npm run chaos`: real processes, faults from a seed, what a user saw of them. `--help` tells its arguments.
import path from 'node:path';
import { build, checkNode, install, root, run } from './prepare.mjs';

checkNode();
install();
build();
const tsx = path.join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs');
process.exit(
  run(process.execPath, [
    tsx,
    '--conditions=@pollux/source',
    'test/chaos/main.ts',
    ...process.argv.slice(2),
  ]),
);
