// `npm run drill`: the acceptance drill on free ports. Arguments: --seed N, --runs N, --only a,c.
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
    'test/drill/main.ts',
    ...process.argv.slice(2),
  ]),
);
