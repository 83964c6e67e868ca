import { parseArgs } from 'node:util';
import { failuresOf, run, summaryOf } from './run.ts';

const HELP = `usage: npm run differential -- promql [--seed=1] [--queries=5000] [--only=N]
  --seed     of the data and of the queries
  --queries  how many to ask
  --only     asks the query of this number alone`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    queries: { type: 'string', default: '5000' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const report = await run({
  seed: Number(values.seed),
  queries: Number(values.queries),
  only: values.only === undefined ? undefined : Number(values.only),
});
const failures =
  values.only === undefined ? failuresOf(report) : failuresOf({ ...report, byFeature: new Map() });
for (const failure of failures) console.log(`FAILED ${failure}`);
for (const line of summaryOf(report)) console.log(line);
process.exit(failures.length === 0 ? 0 : 1);
