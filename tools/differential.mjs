// `npm run differential -- NAME`: the same questions to us and to the original. `--help` after the name.
import path from 'node:path';
import { build, checkNode, install, root, run, step } from './prepare.mjs';

const SUITES = ['promql', 'influxql'];
const [name = '', ...rest] = process.argv.slice(2);
if (!SUITES.includes(name)) {
  step(`name what to compare: npm run differential -- ${SUITES.join('|')}`);
  process.exit(2);
}
checkNode();
install();
build();
const tsx = path.join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs');
const program = path.join('test', 'differential', name, 'main.ts');
process.exit(run(process.execPath, [tsx, '--conditions=@pollux/source', program, ...rest]));
