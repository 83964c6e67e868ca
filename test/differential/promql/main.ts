import { parseArgs } from 'node:util';
import { peerOf } from './peer.ts';
import { failuresOf, run, summaryOf } from './run.ts';

const HELP = `usage: npm run differential -- promql [--seed=1] [--queries=5000] [--only=N] [--prometheus=FILE]
  --seed        of the data and of the queries
  --queries     how many to ask
  --only        asks the query of this number alone
  --prometheus  the Prometheus that judges; the environment's POLLUX_PROMETHEUS, else the installed one.
                Of a 3.x all that it has is asked, and remarks, errors, syntax trees and formatted queries are compared too.`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    queries: { type: 'string', default: '5000' },
    only: { type: 'string' },
    prometheus: { type: 'string' },
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
  peer: peerOf(values.prometheus ?? process.env.POLLUX_PROMETHEUS ?? 'prometheus'),
  only: values.only === undefined ? undefined : Number(values.only),
});
const failures =
  values.only === undefined ? failuresOf(report) : failuresOf({ ...report, byFeature: new Map() });
for (const failure of failures) console.log(`FAILED ${failure}`);
for (const line of summaryOf(report)) console.log(line);
process.exit(failures.length === 0 ? 0 : 1);
