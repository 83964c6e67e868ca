import { parseArgs } from 'node:util';
import { failuresOf, run, summaryOf } from './run.ts';

const HELP = `usage: npm run differential -- influxql [--seed=1] [--batches=1000] [--queries=3000] [--only=N]
  --seed     of the batches and of the queries
  --batches  how many requests to write, of 1 to 8 lines each
  --queries  how many to ask
  --only     asks the query of this number alone`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    batches: { type: 'string', default: '1000' },
    queries: { type: 'string', default: '3000' },
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
  batches: Number(values.batches),
  queries: Number(values.queries),
  only: values.only === undefined ? undefined : Number(values.only),
});
const failures = values.only === undefined ? failuresOf(report) : report.findings;
for (const failure of failures) console.log('FAILED', failure);
for (const line of summaryOf(report)) console.log(line);
process.exit(failures.length === 0 ? 0 : 1);
