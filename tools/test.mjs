// `npm test`: set-up, checks, tests. Ends with `N passed, N failed`. Suites whose real peer or browser is missing are
// listed with the remedy; with POLLUX_REQUIRE_PEERS=1 (as CI sets) they fail the run.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build, checkNode, install, root, step } from './prepare.mjs';

checkNode();
install();
build();

const bin = (name) => path.join(root, 'node_modules', '.bin', name);
const compiler = path.join(root, 'node_modules', 'typescript-native', 'bin', 'tsc');
/** The longest first: two at a time, each of them keeps one core busy. */
const CHECKS = [
  ['promises and exhaustiveness', bin('eslint'), ['--max-warnings=0', 'packages', 'apps']],
  ['references follow the manifests', process.execPath, ['tools/references.mjs', '--check']],
  ['generated pages are current', process.execPath, ['tools/compatibility.mjs', '--check']],
  ['types of tests and tools', process.execPath, [compiler, '-p', 'tsconfig.check.json']],
  ['format and lint', bin('biome'), ['check', '--error-on-warnings', '.']],
  [
    'arrows between rooms',
    bin('depcruise'),
    ['--config', 'tools/arrows.cjs', 'packages', 'apps/pollux/src'],
  ],
  ['dead code', bin('knip'), ['--no-progress']],
];

let passed = 0;
let failed = 0;
const checksLeft = [...CHECKS];
await Promise.all([checkInTurn(), checkInTurn()]);

async function checkInTurn() {
  for (let next = checksLeft.shift(); next !== undefined; next = checksLeft.shift()) {
    const [what, command, args] = next;
    const startMs = Date.now();
    const { isGood, output } = await outputOf(command, args);
    const seconds = ((Date.now() - startMs) / 1000).toFixed(1);
    if (isGood) {
      passed++;
      step(`${what}: ok (${seconds} s)`);
    } else {
      failed++;
      step(`${what}: FAILED (${seconds} s)`);
      process.stdout.write(`${output}\n`);
    }
  }
}

/** What a program printed, and why it could not be started if it could not. */
function outputOf(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => printed.push(chunk));
    }
    child.on('error', (error) => resolve({ isGood: false, output: `${error}` }));
    child.on('close', (status) =>
      resolve({ isGood: status === 0, output: Buffer.concat(printed).toString() }),
    );
  });
}

const scratch = mkdtempSync(path.join(tmpdir(), 'pollux-test-'));
const counts = path.join(scratch, 'conformance');
const report = path.join(scratch, 'report.json');
const vitest = spawnSync(
  bin('vitest'),
  [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, POLLUX_CONFORMANCE_COUNTS: counts } },
);
const skipped = [];
/** Conformance cases that are tests of their own, by the names of their suites. */
const CONFORMANCE =
  /OpenMetrics' own parser cases|real expositions|the fixtures of the original|form of the original's fixtures|rule files of the conformance data|Prometheus' own configurations/;
let conforming = 0;
let conformance = 0;
if (existsSync(report)) {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  for (const file of testResults) {
    // A file that failed to load has no tests of its own, and must not pass for an empty one.
    if (file.status === 'failed' && file.assertionResults.length === 0) failed++;
    for (const test of file.assertionResults) {
      if (CONFORMANCE.test(test.fullName) && test.status !== 'skipped') {
        conformance++;
        if (test.status === 'passed') conforming++;
      }
      if (test.status === 'passed') passed++;
      else if (test.status === 'failed') failed++;
      else skipped.push(`${path.relative(root, file.name)}: ${test.fullName}`);
    }
  }
} else {
  step('the test runner wrote no report');
  failed++;
}
if (existsSync(counts)) {
  for (const line of readFileSync(counts, 'utf8').split('\n').filter(Boolean)) {
    const { passed: suitePassed, total } = JSON.parse(line);
    conforming += suitePassed;
    conformance += total;
  }
}
rmSync(scratch, { recursive: true, force: true });

// A skipped test names what it needs, as "(needs promtool: npm run peers)", or why it cannot run, as "(skipped: …)".
const wantPeers = skipped.filter((name) => name.includes('npm run peers'));
const explained = skipped.filter((name) => /\((?:needs|skipped)\b/.test(name));
for (const name of skipped) step(`skipped: ${name}`);
if (skipped.length > explained.length) {
  step('a skipped test must say what it needs, as "(needs promtool: npm run peers)"');
  failed += skipped.length - explained.length;
}
if (wantPeers.length > 0) {
  step(
    `${wantPeers.length} tests were skipped for want of a peer; \`npm run peers\` installs them`,
  );
  if (process.env.POLLUX_REQUIRE_PEERS === '1') failed += wantPeers.length;
}
if (vitest.status !== 0 && failed === 0) failed = 1;
// Only a whole run with the data beside it can be held to the committed figure.
if (conformance > 0 && process.argv.length === 2) {
  const least = Number(readFileSync(path.join(root, 'test', 'conformance.min'), 'utf8'));
  process.stdout.write(`conformance: ${conforming} of ${conformance}\n`);
  if (conforming < least) {
    step(`conformance fell below the committed ${least}`);
    failed++;
  }
}
process.stdout.write(
  `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}\n`,
);
process.exit(failed === 0 ? 0 : 1);
