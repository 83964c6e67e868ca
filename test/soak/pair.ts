import { parseArgs } from 'node:util';
import { describePairFailure, LONG_PAIR, runPair, SHORT_PAIR } from '@pollux/sim';

/**
 * Whole servers, twins that never fail, targets and a gateway in one simulated world, each drawn from its seed and held to
 * what the design promises of answers.
 */
const HELP = `usage: npm run soak -- pair [--seeds=10000] [--first=1] [--short]
  --seeds  so many worlds
  --first  the seed of the first; a failed run prints its own
  --short  worlds as in the unit tests: minutes, few targets and few questions`;

const PROGRESS_MS = 30_000;
const MAX_PRINTED = 5;
const LEAST_SHARE = 0.05;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    first: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const first = Number(values.first);
const end = first + Number(values.seeds);
const failed: number[] = [];
const cases = { alone: 0, spliced: 0, gap: 0 };
let questions = 0;
const startMs = performance.now();
let toldMs = startMs;
for (let seed = first; seed < end; seed++) {
  const report = await runPair(seed, values.short ? SHORT_PAIR : LONG_PAIR);
  questions += report.questions;
  for (const [name, count] of Object.entries(report.cases))
    cases[name as keyof typeof cases] += count;
  if (report.problems.length > 0) {
    failed.push(seed);
    console.log(`FAILED: seed ${seed}, ${report.problems.length} problems`);
    if (failed.length <= MAX_PRINTED) console.log(describePairFailure(report));
  }
  if (performance.now() - toldMs < PROGRESS_MS) continue;
  toldMs = performance.now();
  console.log(`${seed - first + 1} worlds, ${questions} questions, ${failed.length} failed`);
}
const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
const total = cases.alone + cases.spliced + cases.gap;
const share = (count: number): string => `${((100 * count) / total).toFixed(1)} %`;
console.log(`${end - first} worlds in ${seconds} s, ${questions} questions`);
console.log(
  `one replica covers ${share(cases.alone)}, a splice ${share(cases.spliced)}, nobody ${share(cases.gap)}`,
);
const isThin = Object.values(cases).some((count) => count / total < LEAST_SHARE);
if (isThin) console.log(`pair: some case is less than ${100 * LEAST_SHARE} % of all`);
console.log(
  failed.length === 0
    ? 'pair: every promise kept'
    : `pair: ${failed.length} failed: ${failed.join(' ')}`,
);
process.exit(failed.length === 0 && !isThin ? 0 : 1);
