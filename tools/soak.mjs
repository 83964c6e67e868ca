// `npm run soak -- NAME`: long proofs, minutes each. `--help` after the name.
import path from 'node:path';
import { build, checkNode, install, root, run, step } from './prepare.mjs';

const PROGRAMS = [
  'alertmanager',
  'cluster',
  'crash',
  'disk',
  'ledger',
  'memory',
  'pair',
  'properties',
];
const [name = '', ...rest] = process.argv.slice(2);
if (!PROGRAMS.includes(name)) {
  step(`name what to run: npm run soak -- ${PROGRAMS.join('|')}`);
  process.exit(2);
}
checkNode();
install();
build();
const tsx = path.join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs');
const program = path.join('test', 'soak', `${name}.ts`);
process.exit(run(process.execPath, [tsx, '--conditions=@pollux/source', program, ...rest]));
