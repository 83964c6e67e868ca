import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { PHASES } from './crash/phases.ts';
import { killRounds } from './crash/rounds.ts';

const HELP = `usage: npm run soak -- crash [--rounds=200] [--seed=N] [--canary]
  A server is killed (SIGKILL) at random moments under writes, some of them late, deletions and scrapes, and started again.
  --rounds  kills
  --seed    of the moments, default random
  --canary  something in front of the server acknowledges before it writes; the run must find losses`;

/** From so many rounds on every phase must have been hit. */
const ROUNDS_FOR_ALL_PHASES = 200;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string' },
    canary: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const rounds = Number(values.rounds);
console.log(`crash: ${rounds} rounds, seed ${seed}${values.canary ? ', canary' : ''}`);
const startMs = Date.now();
const { kills, writes, problems } = await killRounds({
  directory: mkdtempSync(path.join(tmpdir(), 'pollux-crash-')),
  rounds,
  seed,
  canary: values.canary,
  lifeMs: 8_000,
  phaseChance: 0.7,
  onRound: (round, phase, { writes: written, readyMs, compared }) => {
    const seconds = ((Date.now() - startMs) / 1_000).toFixed(0).padStart(5);
    console.log(
      `${seconds} s  round ${round}: ready in ${readyMs.toFixed(0)} ms, ${compared} samples compared, ${written} writes, killed in ${phase}`,
    );
  },
});
const counts = PHASES.map((phase) => `${phase} ${kills[phase]}`).join(', ');
console.log(`${writes} acknowledged writes; kills in ${counts}`);
for (const problem of problems.slice(0, 10)) console.log(`FOUND: ${problem}`);
const missed = PHASES.filter((phase) => phase !== 'idle' && kills[phase] === 0);
const isHit = missed.length === 0 || rounds < ROUNDS_FOR_ALL_PHASES || values.canary;
if (!isHit) console.log(`FAILED: no kill fell in ${missed.join(', ')}`);
const isRight = isHit && (values.canary ? problems.length > 0 : problems.length === 0);
if (values.canary)
  console.log(isRight ? 'crash: the canary was caught' : 'crash: the canary lived');
else console.log(isRight ? 'crash: everything acknowledged was there' : 'crash: broken');
process.exit(isRight ? 0 : 1);
