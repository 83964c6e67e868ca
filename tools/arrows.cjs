// The arrows between rooms, as dependency-cruiser reads them. A room imports only what its package.json lists; that list is
// the table of allowed arrows, and this file checks what the list cannot: floors, cycles, and the machine's own modules.
const { readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');

const rooms = path.join(__dirname, '..', 'packages');
const SIDE_ROOMS = ['testkit', 'sim'];
/** Tests, and the fixtures that only they may import. */
const TEST_CODE = '\\.test\\.ts$|^packages/[^/]+/(test|src/testing)/';

/** One rule a room: anything in packages/ that its package.json does not list is forbidden. */
const arrows = readdirSync(rooms).map((room) => {
  const manifest = JSON.parse(readFileSync(path.join(rooms, room, 'package.json'), 'utf8'));
  const listed = Object.keys(manifest.dependencies ?? {})
    .filter((name) => name.startsWith('@pollux/'))
    .map((name) => name.slice('@pollux/'.length));
  return {
    name: `${room}-imports-only-what-it-lists`,
    severity: 'error',
    comment: `packages/${room}/package.json lists the rooms below it`,
    from: { path: `^packages/${room}/src/`, pathNot: '\\.test\\.ts$|\\.bench\\.ts$' },
    to: { path: '^packages/', pathNot: `^packages/(${[room, ...listed].join('|')})/` },
  };
});

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'a cycle means two files are one thing cut in the wrong place; types included',
      from: {},
      to: { circular: true },
    },
    {
      name: 'promql-and-tsdb-meet-in-storage',
      severity: 'error',
      from: { path: '^packages/(promql|tsdb)/src/', pathNot: '\\.test\\.ts$' },
      to: { path: '^packages/(promql|tsdb)/', pathNot: ['^packages/$1/'] },
    },
    {
      name: 'the-machine-only-through-env',
      severity: 'error',
      comment: 'time, disk, network and threads come in through Env',
      from: {
        path: '^packages/',
        pathNot: `^packages/base/src/node/|${TEST_CODE}|\\.bench\\.ts$|^packages/(roles|testkit|sim)/|^packages/kernels/build-wasm\\.mjs$`,
      },
      to: {
        path: '^(node:)?(fs|fs/promises|net|dgram|http|https|tls|dns|dns/promises|worker_threads|child_process|cluster|os|process)$',
      },
    },
    {
      name: 'side-rooms-only-in-tests',
      severity: 'error',
      from: { path: '^(packages|apps)/', pathNot: `\\.(test|bench)\\.ts$|^packages/(${SIDE_ROOMS.join('|')})/` },
      to: { path: `^packages/(${SIDE_ROOMS.join('|')})/` },
    },
    {
      name: 'fixtures-only-in-tests',
      severity: 'error',
      from: { path: '^(packages|apps)/', pathNot: `${TEST_CODE}|\\.bench\\.ts$` },
      to: { path: '^packages/[^/]+/(test|src/testing)/' },
    },
    {
      name: 'nothing-imports-roles-or-apps',
      severity: 'error',
      from: { path: '^packages/', pathNot: '^packages/(roles|sim)/|\\.test\\.ts$' },
      to: { path: '^(packages/roles|apps)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|testdata)/' },
    tsConfig: { fileName: 'tsconfig.check.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['@pollux/source', 'import', 'default'] },
  },
};
