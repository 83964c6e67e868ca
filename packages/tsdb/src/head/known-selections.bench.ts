/**
 * What it takes to begin to read a selection of the head, and the newest sample of each of its series, when the selection is known and when
 * it has to be looked for: `npx vitest bench --run --project unit packages/tsdb/src/head/known-selections.bench.ts`.
 */
import { Labels, Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { bench, describe } from 'vitest';
import { append, openTsdb, T0, temporaryDirectory } from '../testing/fixtures.ts';

const HOSTS = 31;
const MODES = ['idle', 'user', 'system', 'iowait', 'nice', 'irq', 'softirq', 'steal'];
const db = await openTsdb(temporaryDirectory());
const writes = Array.from({ length: HOSTS * 4 * MODES.length }, (_, i) => ({
  labels: Labels.from({
    __name__: 'node_cpu_seconds_total',
    cpu: String(Math.floor(i / MODES.length) % 4),
    instance: `host-${String(Math.floor(i / 4 / MODES.length)).padStart(4, '0')}:9100`,
    job: 'bench',
    mode: MODES[i % MODES.length]!,
  }),
  timestampMs: T0,
  value: i,
}));
for (let step = 0; step < 100; step++) {
  await append(
    db,
    writes.map((write) => ({ ...write, timestampMs: T0 + step * 15_000 })),
  );
}
const maxMs = T0 + 99 * 15_000;
const MANY = 9_920;
await append(
  db,
  Array.from({ length: MANY }, (_, i) => ({
    labels: Labels.from({
      __name__: `metric_${i % 40}`,
      instance: `host-${Math.floor(i / 320)}:9100`,
      id: String(i),
      job: 'many',
    }),
    timestampMs: maxMs,
    value: i,
  })),
);
const never = new AbortController().signal;
let asked = 0;

function read(instances: string, isNewestOnly: boolean): Promise<void> {
  const matchers = [
    new Matcher('__name__', '=', 'node_cpu_seconds_total'),
    new Matcher('mode', '=~', 'user|sys.*'),
    new Matcher('instance', '=~', instances),
  ];
  return readAll(matchers, isNewestOnly);
}

async function readAll(matchers: readonly Matcher[], isNewestOnly: boolean): Promise<void> {
  const source = db.select(
    {
      range: { minMs: maxMs - 300_000, maxMs },
      matchers,
      hints: NO_HINTS,
      sorted: true,
      isLent: true,
      isNewestOnly,
    },
    { signal: never, budget: MemoryBudget.unlimited() },
  );
  while ((await source.next()) !== null);
}

describe('40 of 992 series by two regular expressions', () => {
  bench('known, the newest samples', () => read('host-000[0-4].*', true));
  bench('known, samples of 5 minutes', () => read('host-000[0-4].*', false));
  bench('looked for, the newest samples', () => read(`host-000[0-4].*|none-${asked++}`, true));
  bench('looked for, samples of 5 minutes', () => read(`host-000[0-4].*|none-${asked++}`, false));
});

describe('all of 9,920 series, the newest samples', () => {
  const readMany = (...more: Matcher[]): Promise<void> =>
    readAll([new Matcher('job', '=', 'many'), ...more], true);
  bench('known in order', () => readMany());
  bench('looked for and sorted', () => readMany(new Matcher(`none_${asked++}`, '=', '')));
});
