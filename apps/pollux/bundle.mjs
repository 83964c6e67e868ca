// Puts the built rooms together in few files, from which the program starts: loading the six hundred files of a server takes
// 0.5 s of processor time, loading its bundle 0.15. Packages of others stay outside. Run by the build of the workspace.
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { freshBundle } from '../../bin/fresh-bundle.mjs';

const root = path.resolve(import.meta.dirname, '..', '..');
const folder = path.join(import.meta.dirname, 'dist', 'bundle');
/** Packages that load files of their own: native code, WebAssembly. */
const OUTSIDE = ['snappy', '@bokuweb/zstd-wasm', '@platformatic/kafka'];
/** Threads find their first module beside the module that starts them, which lies in the bundle too. */
const THREADS = path.join(root, 'packages', 'base', 'dist', 'node');

/** What threads load by themselves: their first module and the workers, by their names in the bundle. */
function threadEntries() {
  const entries = { 'thread-main': path.join(THREADS, 'thread-main.js') };
  for (const room of readdirSync(path.join(root, 'packages'))) {
    const dist = path.join(root, 'packages', room, 'dist');
    for (const file of filesOf(dist)) {
      if (file.endsWith('.worker.js')) entries[path.basename(file, '.js')] = path.join(dist, file);
    }
  }
  return entries;
}

function filesOf(directory) {
  try {
    return readdirSync(directory, { recursive: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

/** A module that asks where it lies is told where it lay before, but what threads load is in the bundle. */
function keepingUrls(entries) {
  const bundled = new Set(Object.values(entries));
  return {
    name: 'keeping-urls',
    setup(build) {
      build.onLoad({ filter: /\/(packages|apps)\/[^/]+\/dist\/.*\.js$/ }, ({ path: file }) => {
        const contents = readFileSync(file, 'utf8');
        if (!contents.includes('import.meta.url') || path.dirname(file) === THREADS) return null;
        const seen = bundled.has(file) ? path.basename(file) : path.relative(folder, file);
        const url = `new URL(${JSON.stringify(`./${seen}`)}, import.meta.url).href`;
        return { contents: contents.replaceAll('import.meta.url', url), loader: 'js' };
      });
    },
  };
}

const esbuild = await import('esbuild').catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  process.stderr.write(
    'pollux: esbuild is not installed (npm install); the program is not bundled\n',
  );
  process.exit(0);
});
if (freshBundle(root) !== null) process.exit(0);
const program = { main: path.join(import.meta.dirname, 'dist', 'main.js') };
const threads = threadEntries();
// Whole before it has its name: a build that is cut short must not leave a program that is newer than its rooms.
const unfinished = `${folder}.${process.pid}.tmp`;
for (const name of readdirSync(path.dirname(folder))) {
  if (/^bundle\.\d+\.tmp$/.test(name))
    rmSync(path.join(path.dirname(folder), name), { recursive: true });
}
// Apart, since what is built together shares its files: a thread would load all of a room of which the program needs all.
for (const entryPoints of [program, threads]) {
  await esbuild.build({
    entryPoints,
    outdir: unfinished,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
    // The engine keeps the text of what it has loaded, for each thread: with comments it is twice as long, and one sign in them
    // that is not of Latin-1 doubles it once more. Names stay as they are, also those in a stack trace.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'external',
    // For those who read a stack trace: run with --enable-source-maps.
    sourcemap: true,
    external: OUTSIDE,
    // What packages of CommonJS ask Node for.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);",
    },
    plugins: [keepingUrls(threads)],
  });
}
rmSync(folder, { recursive: true, force: true });
renameSync(unfinished, folder);
