import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { nodeEnv } from '@pollux/base/node';
import { missingPrograms } from './hand-made-pair.ts';
import { planOf, shortPlanOf } from './plan.ts';
import type { ChaosRecord, SetUpName } from './record.ts';
import { figuresOf, type Judged, reportOf } from './report.ts';
import { runChaos } from './run.ts';
import { verdictOf } from './verdict.ts';

const HELP = `npm run chaos -- --setup=pollux|hand-made|both --seed=N --minutes=M --out=DIR
       npm run chaos -- --short
Real processes, faults drawn from a seed, and what a user saw of them. Writes report.md, figures.json and a
record of all that was seen of each set-up to DIR. The status is 1 when of Pollux anything was seen that its
invariants do not allow.
Where the system lets it (unshare, ip, bridge and nsenter; root is not needed where users may have namespaces) each host
has a network and a disk of its own: then hosts are also cut off, the way between them is cut, and disks are full.
  --short               half a minute with one fault, for --setup
  --no-namespaces       leaves those faults out
  --judge=FILE[,FILE]   judges earlier records again and runs nothing
`;

const { values } = parseArgs({
  options: {
    setup: { type: 'string', default: 'pollux' },
    seed: { type: 'string' },
    minutes: { type: 'string', default: '30' },
    out: { type: 'string', default: 'chaos-report' },
    short: { type: 'boolean', default: false },
    'no-namespaces': { type: 'boolean', default: false },
    /** Set by tools/chaos.mjs: why there are no namespaces; empty inside of them. */
    'isolation-missing': { type: 'string', default: 'this was not started by npm run chaos' },
    judge: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
process.exit(await main());

async function main(): Promise<number> {
  const setUps = setUpsOf(values.setup);
  if (values.help || setUps === null) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  const earlier = values.judge === '' ? null : values.judge.split(',');
  const records = earlier === null ? await runAll(setUps) : earlier.map(readRecord);
  const runs = records.map((record): Judged => ({ record, verdict: verdictOf(record) }));
  const given = process.argv.slice(2).filter((word) => !word.startsWith('--isolation-missing'));
  const command = `npm run chaos -- ${given.join(' ')}`;
  const report = reportOf(runs, command);
  mkdirSync(values.out, { recursive: true });
  writeFileSync(path.join(values.out, 'report.md'), report);
  const figures = { command, runs: runs.map(figuresOf) };
  writeFileSync(path.join(values.out, 'figures.json'), `${JSON.stringify(figures, null, 1)}\n`);
  console.log(report);
  const isBroken = runs.some(
    ({ record, verdict }) =>
      record.setUp === 'pollux' && verdict.findings.some(({ isAllowed }) => !isAllowed),
  );
  return isBroken ? 1 : 0;
}

async function runAll(setUps: readonly SetUpName[]): Promise<ChaosRecord[]> {
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const durationMs = Number(values.minutes) * 60_000;
  const isolationMissing = values['isolation-missing'] || null;
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
  mkdirSync(values.out, { recursive: true });
  const records: ChaosRecord[] = [];
  for (const setUp of setUps) {
    if (setUp === 'hand-made') {
      const missing = missingPrograms();
      if (missing.length > 0)
        throw new Error(`${missing.join(', ')} must be installed: npm run peers`);
    }
    const env = nodeEnv();
    console.log(
      `chaos, ${setUp}, seed ${seed}, ${values.short ? 'short' : `${values.minutes} minutes`}`,
    );
    if (isolationMissing !== null)
      console.log(`no host is cut off, no disk is full: ${isolationMissing}`);
    const record = await runChaos({
      env,
      setUp,
      seed,
      planOf: (random, isIsolated) =>
        values.short ? shortPlanOf(random, isIsolated) : planOf(random, durationMs, isIsolated),
      isolationMissing,
      say: (line) => console.log(line),
      signal: stop.signal,
    });
    await env.net.close();
    writeFileSync(path.join(values.out, `record-${setUp}.json`), JSON.stringify(record));
    records.push(record);
  }
  return records;
}

function readRecord(file: string): ChaosRecord {
  return JSON.parse(readFileSync(file, 'utf8')) as ChaosRecord;
}

function setUpsOf(name: string): SetUpName[] | null {
  if (name === 'both') return ['hand-made', 'pollux'];
  return name === 'pollux' || name === 'hand-made' ? [name] : null;
}
