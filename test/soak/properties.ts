import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import path from 'node:path';
import { parseArgs } from 'node:util';

/**
 * `npm run soak -- properties`: the properties with fresh cases, round after round, until one fails or the rounds are over.
 * The failing round's seed repeats it: `POLLUX_PROPERTY_SEED=N npx vitest run FILE`.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(
    'npm run soak -- properties [--rounds=10] [--seed=N] [FILE...]\n  each round tries fresh cases; --seed runs one round of that seed\n',
  );
  process.exit(0);
}
const rounds = values.seed === undefined ? Number(values.rounds) : 1;
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(`--rounds: a whole number from 1, not "${values.rounds}"\n`);
  process.exit(2);
}
const vitest = path.join('node_modules', '.bin', 'vitest');
const files = positionals.length > 0 ? positionals : ['.prop.test.ts', 'fuzz', 'yaml.test.ts'];
const MAX_SEED = 2 ** 31;
let failed = 0;
for (let round = 1; round <= rounds; round++) {
  const seed = values.seed ?? String(randomInt(MAX_SEED));
  process.stdout.write(`round ${round} of ${rounds}: seed ${seed}\n`);
  const { status } = spawnSync(vitest, ['run', '--project', 'unit', '--reporter=dot', ...files], {
    stdio: 'inherit',
    env: { ...process.env, POLLUX_PROPERTY_SEED: seed },
  });
  if (status !== 0) {
    failed++;
    process.stdout.write(`seed ${seed} failed\n`);
    break;
  }
}
process.stdout.write(`${failed === 0 ? rounds : 0} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
