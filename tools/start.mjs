// `npm start`: the whole pair on this machine, from a fresh clone.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { build, checkNode, install, root } from './prepare.mjs';

checkNode();
install();
build();
const child = spawn(
  process.execPath,
  [path.join(root, 'bin', 'pollux'), 'up', ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);
// The terminal sends Ctrl-C to both; `up` stops its roles and ends by itself.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
