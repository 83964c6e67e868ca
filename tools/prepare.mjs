// Brings a fresh clone to the point where the program runs: packages installed, sources built. Plain JavaScript because
// it must run before anything is installed. Does nothing that is already done.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const MIN_NODE = [20, 19];

export function step(text) {
  process.stderr.write(`pollux: ${text}\n`);
}

export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  return result.status ?? 1;
}

function mustRun(what, command, args) {
  const startMs = Date.now();
  step(`${what} …`);
  const status = run(command, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    step(`${what} failed with status ${status}; the lines above say why`);
    process.exit(status);
  }
  step(`${what}: done in ${((Date.now() - startMs) / 1000).toFixed(1)} s`);
}

export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1])) {
    step(`Node ${MIN_NODE.join('.')} or newer is needed, this is ${process.versions.node}`);
    process.exit(1);
  }
}

/**
 * Installs what the lock file names, when it differs from what was installed last. `npm ci` would refuse where a registry
 * has not every platform's build of a native tool; `npm install` takes the locked versions and leaves those out. The lock
 * file stays as it is. No package may run a script of its own.
 */
export function install() {
  const lockFile = path.join(root, 'package-lock.json');
  const mark = path.join(root, 'node_modules', '.pollux-lock');
  const lock = readFileSync(lockFile);
  const hash = createHash('sha256').update(lock).digest('hex');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === hash) return;
  const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  mustRun('installing packages (the first time takes a minute)', 'npm', ['install', ...options]);
  if (!readFileSync(lockFile).equals(lock)) writeFileSync(lockFile, lock);
  writeFileSync(mark, hash);
}

/** Type-checks and builds the rooms and their WebAssembly, the bundle of them, then the console. All are incremental. */
export function build() {
  const compiler = path.join(root, 'node_modules', 'typescript-native', 'bin', 'tsc');
  mustRun('building the program', process.execPath, [compiler, '-b']);
  mustRun('building the kernels', process.execPath, [
    path.join(root, 'packages', 'kernels', 'build-wasm.mjs'),
  ]);
  // Only quicker to start: the rooms run as they are without.
  const bundled = run(process.execPath, [path.join(root, 'apps', 'pollux', 'bundle.mjs')], {
    stdio: ['ignore', 2, 2],
  });
  if (bundled !== 0) step('the program could not be bundled and starts from its rooms');
  if (!existsSync(path.join(root, 'apps', 'console', 'package.json'))) return;
  mustRun('building the console', process.execPath, [
    path.join(root, 'tools', 'build-console.mjs'),
  ]);
}
