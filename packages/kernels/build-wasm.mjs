// Compiles each file of `assembly` to WebAssembly, when it has changed, into a module that holds it as text: rooms read no
// files. Run by the build of the workspace.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const room = import.meta.dirname;
const folder = path.join(room, 'dist', 'wasm');
/** Modules, with what their compilation takes beside the common options. */
const MODULES = {
  kernels: [],
  // Each instance works on a memory of its own, whose size its owner chooses.
  'write-requests': ['--importMemory', '--initialMemory', '1'],
};
const SOURCES = readdirSync(path.join(room, 'assembly'))
  .filter((name) => name.endsWith('.ts'))
  .sort()
  .map((name) => path.join(room, 'assembly', name));
const manifest = compilerManifest();
if (manifest === null) {
  process.stderr.write(
    'pollux: assemblyscript is not installed (npm install); until it is, the kernels run as TypeScript\n',
  );
  process.exit(0);
}
const compiler = path.join(path.dirname(manifest), 'bin', 'asc.js');
const options = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd', '--use', 'abort='];

for (const [name, own] of Object.entries(MODULES)) compile(name, [...options, ...own]);

function compile(name, options) {
  const source = path.join(room, 'assembly', `${name}.ts`);
  const target = path.join(folder, `${name}.js`);
  const binary = path.join(folder, `${name}.wasm`);
  const hash = createHash('sha256');
  // Sources import one another, so a change of one builds all.
  for (const file of [...SOURCES, manifest, import.meta.filename]) hash.update(readFileSync(file));
  const head = `// Built of ${hash.digest('hex')}\n`;
  if (existsSync(target) && readFileSync(target, 'utf8').startsWith(head)) return;
  mkdirSync(folder, { recursive: true });
  const args = [compiler, source, '--outFile', binary, ...options];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
  const wasm = readFileSync(binary).toString('base64');
  writeFileSync(target, `${head}export const wasm = '${wasm}';\n`);
}

function compilerManifest() {
  try {
    return createRequire(import.meta.url).resolve('assemblyscript/package.json');
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}
