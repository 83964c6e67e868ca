import { parseArgs } from 'node:util';
import { SeededRandom } from '@pollux/base';
import { World } from '../drill/world.ts';
import {
  type Cycle,
  type Growth,
  growthsOf,
  type Look,
  MAX_GROWTH,
  medianOf,
  offendingCycles,
  SETTLING_CYCLES,
  settledGrowth,
} from './memory-cycles.ts';
import { processMemory } from './process-memory.ts';

/**
 * The whole pair under 1 s scrapes, its heads truncated every two minutes, watched for memory that grows. Cycles are cut
 * where both servers have truncated; the time before the first truncation is no cycle.
 */
const HELP = `usage: npm run soak -- memory [--cycles=6] [--every=5] [--csv]
  --cycles  head truncations to see after the first
  --every   seconds between two questions for the engines' own figures
  --csv     print these looks`;

const MB = 1e6;
/**
 * Resident memory is looked at each second: garbage makes it swing by some percent between collections 20 s apart, and few
 * looks would meet now the crest and now the trough.
 */
const LOOK_MS = 1_000;
const IDLE_AFTER_MS = 60_000;
const MAX_PAIR_BYTES = 1e9;
const MAX_NODE_EXPORTER_BYTES = 60e6;
/** A truncation is due every two minutes; later than this something is wrong. */
const CYCLE_TIMEOUT_MS = 300_000;

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '6' },
    every: { type: 'string', default: '5' },
    csv: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const world = await World.start(new SeededRandom(1), {
  server: ['--storage.tsdb.min-block-duration=2m'],
});
let failures: string[];
try {
  failures = await watch(Number(values.cycles), Math.max(1, Math.round(Number(values.every))));
} finally {
  await world.end();
}
for (const failure of failures) console.log(`FAILED: ${failure}`);
if (failures.length === 0) console.log('memory: every figure holds');
process.exit(failures.length === 0 ? 0 : 1);

async function watch(cycleCount: number, engineEvery: number): Promise<string[]> {
  const { clock } = world.env;
  const startMs = clock.monotonic();
  console.log('memory: the pair is up, 1 s scrapes, heads of 2 minutes');
  const failures: string[] = [];
  const cycles: Map<string, Look[]>[] = [];
  let current = emptyCycle();
  let truncations = 0;
  let cutMs = startMs;
  let isIdleKnown = false;
  for (let tick = 1; ; tick++) {
    await world.sleep(Math.max(0, startMs + tick * LOOK_MS - clock.monotonic()));
    const elapsedSeconds = Math.round((clock.monotonic() - startMs) / 1_000);
    const isWhole = tick % engineEvery === 0;
    const looks = await lookAtAll(isWhole);
    for (const [name, look] of looks) {
      current.get(name)?.push(look);
      if (values.csv && isWhole) console.log(csvRow(elapsedSeconds, name, look));
    }
    if (!isWhole) continue;
    if (!isIdleKnown && clock.monotonic() - startMs >= IDLE_AFTER_MS) {
      isIdleKnown = true;
      failures.push(...judgeIdle(looks));
    }
    const seen = await truncationsOfBoth();
    if (seen === truncations) {
      if (clock.monotonic() - cutMs > CYCLE_TIMEOUT_MS)
        return [...failures, `no head truncation within ${CYCLE_TIMEOUT_MS / 1_000} s`];
      continue;
    }
    console.log(`${String(elapsedSeconds).padStart(5)} s  head truncation ${seen}`);
    if (truncations > 0) cycles.push(current);
    truncations = seen;
    cutMs = clock.monotonic();
    current = emptyCycle();
    if (cycles.length >= cycleCount) return [...failures, ...judgeCycles(cycles)];
  }
}

function emptyCycle(): Map<string, Look[]> {
  return new Map(world.commands.map(({ name }) => [name, []]));
}

/** The engines' own figures are left out where not all is asked for. */
async function lookAtAll(isWhole: boolean): Promise<ReadonlyMap<string, Look>> {
  const entries = await Promise.all(
    world.commands.map(async ({ name }): Promise<[string, Look] | null> => {
      const pid = world.pid(name);
      const memory = pid === null ? null : processMemory(pid);
      if (memory === null) throw new Error(`${name} is not running`);
      const text = isWhole ? await metricsText(name) : '';
      const metric = (key: string): number => metricOf(text, `nodejs_${key}_bytes`);
      return [
        name,
        {
          ...memory,
          heapUsed: metric('heap_size_used'),
          heapTotal: metric('heap_size_total'),
          external: metric('external_memory'),
        },
      ];
    }),
  );
  return new Map(entries.filter((entry) => entry !== null));
}

async function truncationsOfBoth(): Promise<number> {
  const counts = await Promise.all(
    ['A/server', 'B/server'].map(async (name) =>
      metricOf(await metricsText(name), 'prometheus_tsdb_head_truncations_total'),
    ),
  );
  return Math.min(...counts);
}

async function metricsText(name: string): Promise<string> {
  const url = `${world.url(name)}/metrics`;
  const response = await world.env.net.request({ method: 'GET', url, timeoutMs: 5_000 });
  return response.status === 200 ? new TextDecoder().decode(response.body) : '';
}

function metricOf(text: string, name: string): number {
  const match = new RegExp(`^${name} (\\S+)`, 'm').exec(text);
  return match === null ? Number.NaN : Number(match[1]);
}

function judgeIdle(looks: ReadonlyMap<string, Look>): string[] {
  const failures: string[] = [];
  console.log('\nafter one minute, MB');
  console.log(`${'process'.padEnd(18)}${columns(['rss', 'pss', 'heap used', 'heap', 'external'])}`);
  const sum = { rss: 0, pss: 0 };
  for (const [name, look] of looks) {
    const { rss, pss, heapUsed, heapTotal, external } = look;
    sum.rss += rss;
    sum.pss += pss;
    console.log(
      name.padEnd(18) + columns([rss, pss, heapUsed, heapTotal, external].map(megabytes)),
    );
    if (name.endsWith('/node-exporter') && rss > MAX_NODE_EXPORTER_BYTES)
      failures.push(
        `${name} takes ${megabytes(rss)} MB resident; ${megabytes(MAX_NODE_EXPORTER_BYTES)} are allowed`,
      );
  }
  console.log(`${'whole pair'.padEnd(18)}${columns([megabytes(sum.rss), megabytes(sum.pss)])}\n`);
  // Resident memory counts shared pages once per process, so this is the harder of the two figures.
  if (sum.rss > MAX_PAIR_BYTES)
    failures.push(
      `the pair takes ${megabytes(sum.rss)} MB resident; ${megabytes(MAX_PAIR_BYTES)} are allowed`,
    );
  return failures;
}

function judgeCycles(cycles: readonly Cycle[]): string[] {
  const growths = growthsOf(cycles);
  const heads = cycles.map((_, i) => `cycle ${i + 1}`);
  const growthText = (growth: number): string => `${(growth * 100).toFixed(2)} %`;
  console.log('\nmedian resident memory of each cycle, MB');
  console.log(`${'process'.padEnd(18)}${columns(heads)}`);
  for (const { name, medians } of growths)
    console.log(name.padEnd(18) + columns(medians.map(megabytes)));
  console.log('\ngrowth over the cycle before');
  console.log(`${'process'.padEnd(18)}${columns(heads)}`);
  for (const { name, growths: list } of growths)
    console.log(name.padEnd(18) + columns(list.map((g, i) => (i === 0 ? '' : growthText(g)))));
  console.log(`\ngrowth a cycle behind cycle ${SETTLING_CYCLES}, by the line through all of them`);
  for (const growth of growths)
    console.log(growth.name.padEnd(18) + columns([growthText(settledGrowth(growth))]));
  for (const key of ['heapUsed', 'heapTotal', 'external'] as const) {
    console.log(`\nmedian ${key} of each cycle, MB`);
    for (const { name } of growths) {
      const medians = cycles.map((cycle) => medianOf((cycle.get(name) ?? []).map((l) => l[key])));
      console.log(name.padEnd(18) + columns(medians.map(megabytes)));
    }
  }
  console.log('');
  return growths.flatMap((growth: Growth) =>
    offendingCycles(growth).map(
      (cycle) =>
        `${growth.name} grew by ${growthText(growth.growths[cycle - 1]!)} in cycle ${cycle}; after cycle ${SETTLING_CYCLES} at most ${growthText(MAX_GROWTH)} is allowed`,
    ),
  );
}

function csvRow(seconds: number, name: string, look: Look): string {
  const { rss, pss, heapUsed, heapTotal, external } = look;
  return ['csv', seconds, name, ...[rss, pss, heapUsed, heapTotal, external].map(megabytes)].join();
}

function columns(cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(11)).join('');
}

function megabytes(bytes: number): string {
  return Number.isNaN(bytes) ? '-' : (bytes / MB).toFixed(1);
}
