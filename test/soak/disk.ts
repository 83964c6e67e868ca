import { parseArgs } from 'node:util';
import {
  allCases,
  caseName,
  caseOfName,
  downsamplingSubject,
  type FaultCase,
  type FaultSubject,
  runCase,
  sampleCases,
  shardsSubject,
  tsdbSubject,
} from '@pollux/sim';

/**
 * Each database plays its script on a simulated disk, again and again: with each kind of fault at each operation of the disk,
 * and a power cut after each. What was wrong is printed with the case and the seed that show it again.
 */
const HELP = `usage: npm run soak -- disk [--subject=N] [--seed=N] [--cases=N] [--case=NAME]
  --subject  only this database (their numbers stand in the report)
  --seed     decides what tears and what survives, default random
  --from     without the first so many of its cases, to go on where a run was ended
  --cases    only so many of each database's cases, chosen by the seed
  --case     only this one, as power:60:none or EIO:7:while`;

const MAX_PRINTED = 20;
const PROGRESS_MS = 10_000;

const SUBJECTS = [
  plan(tsdbSubject('always')),
  plan(tsdbSubject('interval')),
  plan(tsdbSubject('always', { outOfOrderWindowMs: 15_000 })),
  plan(shardsSubject(null)),
  plan(shardsSubject('/wal')),
  plan(downsamplingSubject()),
  plan(downsamplingSubject({ outOfOrderWindowMs: 15_000 })),
];
type Plan = (typeof SUBJECTS)[number];

const { values } = parseArgs({
  options: {
    subject: { type: 'string' },
    seed: { type: 'string' },
    cases: { type: 'string' },
    from: { type: 'string', default: '0' },
    case: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const one = values.case === undefined ? null : caseOfName(values.case);
if (values.case !== undefined && one === null) {
  console.log(HELP);
  process.exit(2);
}
let failures = 0;
for (const [number, subject] of SUBJECTS.entries()) {
  if (values.subject !== undefined && Number(values.subject) !== number) continue;
  failures += await run(number, subject);
}
console.log(failures === 0 ? 'disk: nothing lost, nothing invented' : `disk: ${failures} broken`);
process.exit(failures === 0 ? 0 : 1);

function plan<Db>(subject: FaultSubject<Db>) {
  return {
    name: subject.name,
    all: () => allCases(subject),
    play: (fault: FaultCase) => runCase(subject, fault, seed),
  };
}

async function run(number: number, subject: Plan): Promise<number> {
  const all = one === null ? await subject.all() : [one];
  const wanted = all.slice(one === null ? Number(values.from) : 0);
  const cases =
    values.cases === undefined ? wanted : sampleCases(wanted, Number(values.cases), seed);
  const operations = new Set(all.map(({ at }) => at)).size;
  console.log(
    `${number}. ${subject.name}: ${operations} operations, ${cases.length} of ${all.length} cases, seed ${seed}`,
  );
  const startMs = performance.now();
  let toldMs = startMs;
  let broken = 0;
  for (const [done, fault] of cases.entries()) {
    const problems = await subject.play(fault);
    if (problems.length > 0 && ++broken <= MAX_PRINTED) {
      console.log(`FAILED: --subject=${number} --case=${caseName(fault)} --seed=${seed}`);
      for (const text of problems.slice(0, 3)) console.log(`  ${text}`);
    }
    if (performance.now() - toldMs < PROGRESS_MS) continue;
    toldMs = performance.now();
    console.log(`   ${done + 1} of ${cases.length} cases, ${broken} broken`);
  }
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
  console.log(`   ${cases.length} cases in ${seconds} s, ${broken} broken`);
  return broken;
}
