import { parseArgs } from 'node:util';
import { describeFailure, planOf, runCluster } from '@pollux/sim';

/**
 * Whole clusters of alertmanagers on a simulated network, each run drawn from its seed and held to what the design promises
 * of notifying.
 */
const HELP = `usage: npm run soak -- alertmanager [--seeds=10000] [--first=1]
  --seeds  so many runs
  --first  the seed of the first; a failed run prints its own`;

const PROGRESS_MS = 10_000;
const MAX_PRINTED = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    first: { type: 'string', default: '1' },
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
const excused = new Map<string, number>();
let messages = 0;
const startMs = performance.now();
let toldMs = startMs;
for (let seed = first; seed < end; seed++) {
  const report = await runCluster(seed);
  messages += report.messages;
  for (const text of report.excused) {
    const cause = `${report.plan.kind}: ${text.slice(0, text.indexOf(':'))}`;
    excused.set(cause, (excused.get(cause) ?? 0) + 1);
  }
  if (report.problems.length > 0) {
    failed.push(seed);
    const { kind, members } = planOf(seed);
    console.log(`FAILED: seed ${seed} (${kind}, ${members} members)`);
    if (failed.length <= MAX_PRINTED) console.log(describeFailure(report));
    else for (const problem of report.problems) console.log(`  ${problem}`);
  }
  if (performance.now() - toldMs < PROGRESS_MS) continue;
  toldMs = performance.now();
  console.log(`${seed - first + 1} runs, ${messages} messages, ${failed.length} failed`);
}
const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
console.log(`${end - first} runs in ${seconds} s, ${messages} messages accepted`);
for (const [cause, count] of [...excused].sort()) console.log(`  doubles, ${cause} ${count}`);
console.log(
  failed.length === 0
    ? 'alertmanager: every promise kept'
    : `alertmanager: ${failed.length} failed: ${failed.join(' ')}`,
);
process.exit(failed.length === 0 ? 0 : 1);
