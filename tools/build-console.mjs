// Type-checks and builds the console; skipped when no source is newer than the last build.
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { root, run, step } from './prepare.mjs';

const folder = path.join(root, 'apps', 'console');
const built = path.join(folder, 'dist', 'index.html');

function newestMs(directory) {
  let newest = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile())
      newest = Math.max(newest, statSync(path.join(entry.parentPath, entry.name)).mtimeMs);
  }
  return newest;
}

const sources = [path.join(folder, 'src'), path.join(root, 'packages', 'api-types', 'src')];
const files = ['index.html', 'alertmanager.html', 'package.json', 'vite.config.ts'].map(
  (name) => statSync(path.join(folder, name)).mtimeMs,
);
if (existsSync(built) && statSync(built).mtimeMs > Math.max(...files, ...sources.map(newestMs))) {
  step('the console is up to date');
  process.exit(0);
}
const compiler = path.join(root, 'node_modules', 'typescript-native', 'bin', 'tsc');
const typed = run(process.execPath, [compiler, '-p', folder]);
if (typed !== 0) process.exit(typed);
process.exit(
  run(
    process.execPath,
    [path.join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn'],
    { cwd: folder },
  ),
);
