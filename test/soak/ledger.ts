import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { programPath } from '@pollux/roles/up';
import { Child, freePort } from './child-process.ts';
import { differences, sampleCount, staleCount, withoutStale } from './compare.ts';
import { type Book, bookOf, type Served } from './ledger-book.ts';
import { isAnsweredAlike, quietInstant, SAME_QUERIES } from './same-answers.ts';
import { type JobName, Target } from './target.ts';
import { apiData, promtoolDump, queriedSamples, readDirectory } from './witnesses.ts';

/**
 * A server scrapes a target that remembers all it exposed, until several blocks exist. A copy of its data directory must
 * then hold exactly that: as our own reader sees it (bit for bit), as `promtool tsdb dump` prints it, and as a real
 * Prometheus started on it answers.
 */
const HELP = `usage: npm run soak -- ledger [--blocks=3] [--seed=N] [--keep]
  --blocks  end when so many blocks exist
  --seed    of the exposed values
  --keep    leave the directory in place`;

const JOBS: readonly JobName[] = ['scheduled', 'timed'];
const BLOCK = '2m';
const BLOCKS_TIMEOUT_MS = 20 * 60_000;
/** A server may call a sample by the time when it began the scrape, which is a little before the target heard of it. */
const MAX_SCRAPE_TIME_ERROR_MS = 500;
/** Samples with a time of their own come at most so late; what is older can no longer change. */
const SETTLED_MS = 10_000;

const { values } = parseArgs({
  options: {
    blocks: { type: 'string', default: '3' },
    seed: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
for (const peer of ['promtool', 'prometheus']) {
  if (spawnSync(peer, ['--version']).error !== undefined) {
    console.log(`ledger: ${peer} is missing here; npm run peers installs it`);
    process.exit(2);
  }
}
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const directory = mkdtempSync(path.join(tmpdir(), 'pollux-ledger-'));
const failures: string[] = [];
const startMs = Date.now();
try {
  await run();
} catch (error) {
  failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  if (values.keep) console.log(`ledger: the directories are in ${directory}`);
  else rmSync(directory, { recursive: true, force: true });
}
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(failures.length === 0 ? 'ledger: every witness agrees' : 'ledger: broken');
process.exit(failures.length === 0 ? 0 : 1);

async function run(): Promise<void> {
  const target = new Target(seed);
  await target.start();
  say(`seed ${seed}; ${target.seriesCount} series at ${target.address}, scraped every second`);
  const data = path.join(directory, 'data');
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const config = path.join(directory, 'prometheus.yml');
  writeFileSync(config, serverConfig(target.address));
  const server = new Child(process.execPath, [
    programPath(),
    'server',
    `--config.file=${config}`,
    `--storage.tsdb.path=${data}`,
    `--storage.tsdb.min-block-duration=${BLOCK}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  try {
    await server.ready(base);
    await untilBlocks(data, Number(values.blocks));
    const served = await copyAtRest(target, server, base, data);
    await judge(target, served, base);
  } finally {
    const status = await server.stop();
    if (status !== 0) failures.push(`the server ended with status ${status}`);
    const complaints = server.lines.filter((line) => /level=(?:warn|error)/.test(line));
    for (const line of complaints.slice(0, 10)) failures.push(`the server logged ${line}`);
    await target.close();
  }
}

function serverConfig(address: string): string {
  const jobs = JOBS.map(
    (job) =>
      `  - {job_name: ${job}, metrics_path: /${job}, static_configs: [{targets: ['${address}']}]}\n`,
  );
  return `global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n${jobs.join('')}`;
}

async function untilBlocks(data: string, wanted: number): Promise<void> {
  let seen = 0;
  while (seen < wanted) {
    if (Date.now() - startMs > BLOCKS_TIMEOUT_MS)
      throw new Error(`only ${seen} blocks after ${BLOCKS_TIMEOUT_MS / 60_000} minutes`);
    await pause(500);
    const count = blocksIn(data);
    if (count > seen) say(`block ${count} is written`);
    seen = count;
  }
}

function blocksIn(data: string): number {
  return readdirSync(data).filter(
    (name) => name.length === 26 && existsSync(path.join(data, name, 'meta.json')),
  ).length;
}

/**
 * Copies the directory at an instant when the server has stored all that the target served: it is stopped with SIGSTOP
 * after its newest scrapes are visible to a query (what is visible is in the log) and before the next begins.
 */
async function copyAtRest(
  target: Target,
  server: Child,
  base: string,
  data: string,
): Promise<Readonly<Record<JobName, readonly Served[]>>> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { answers } = target;
    while (target.answers === answers) await pause(10);
    const before = target.answers;
    await pause(50);
    const counts = await Promise.all(JOBS.map((job) => storedScrapes(base, job)));
    const isAllStored = JOBS.every((job, i) => counts[i] === target.served[job].length);
    if (!isAllStored || target.answers !== before) continue;
    server.signal('SIGSTOP');
    await pause(20);
    if (target.answers === before) {
      for (const name of ['copy', 'copy-for-prometheus'])
        cpSync(data, path.join(directory, name), { recursive: true });
      server.signal('SIGCONT');
      say(`copied: ${blocksIn(path.join(directory, 'copy'))} blocks, ${before} scrapes`);
      return servedUpTo(target, before);
    }
    server.signal('SIGCONT');
  }
  throw new Error('no instant found at which all that was served is stored');
}

function servedUpTo(target: Target, answers: number): Readonly<Record<JobName, readonly Served[]>> {
  if (target.answers !== answers) throw new Error('the stopped server scraped');
  return { scheduled: [...target.served.scheduled], timed: [...target.served.timed] };
}

async function storedScrapes(base: string, job: JobName): Promise<number> {
  const query = `count_over_time(up{job="${job}"}[1h])`;
  const { result } = (await apiData(base, 'query', { query })) as {
    readonly result: readonly { readonly value: readonly [number, string] }[];
  };
  return Number(result[0]?.value[1] ?? 0);
}

async function judge(
  target: Target,
  served: Readonly<Record<JobName, readonly Served[]>>,
  base: string,
): Promise<void> {
  const copy = path.join(directory, 'copy');
  const own = await readDirectory(copy);
  const expected = new Map(
    JOBS.flatMap((job) => [
      ...bookOf({ job, instance: target.address }, served[job], scrapeTimes(own, job, served[job])),
    ]),
  );
  say(
    `ledger: ${expected.size} series, ${sampleCount(expected)} samples, ${staleCount(expected)} of them stale markers`,
  );
  verdict('our own reader, every bit', own, differences(expected, own, 'bits'));
  const dump = promtoolDump(copy);
  verdict('promtool tsdb dump', dump, differences(expected, dump, 'decimals'));
  await judgeByPrometheus(expected, base);
}

/** The times that the server gave to its scrapes: those of `up`, one for each answer of the target. */
function scrapeTimes(own: Book, job: JobName, served: readonly Served[]): readonly number[] {
  const up = [...own.values()].find(
    ({ labels }) => labels.metricName === 'up' && labels.get('job') === job,
  );
  const timesMs = up?.timesMs ?? [];
  if (timesMs.length !== served.length)
    throw new Error(`${job}: ${served.length} scrapes were answered, up has ${timesMs.length}`);
  for (const [i, { receivedMs }] of served.entries()) {
    const lateMs = receivedMs - timesMs[i]!;
    if (lateMs < -5 || lateMs > MAX_SCRAPE_TIME_ERROR_MS)
      failures.push(`${job}: scrape ${i} came at ${receivedMs} and is stored at ${timesMs[i]}`);
  }
  return timesMs;
}

function verdict(witness: string, found: Book, wrong: readonly string[]): void {
  const outcome = wrong.length === 0 ? 'equal' : 'DIFFERENT';
  say(`${witness}: ${found.size} series, ${sampleCount(found)} samples: ${outcome}`);
  failures.push(...wrong.map((text) => `${witness}: ${text}`));
}

/** Starts a real Prometheus on the other copy; it must hold the same and answer as our server does. */
async function judgeByPrometheus(expected: Book, base: string): Promise<void> {
  const port = await freePort();
  const peerBase = `http://127.0.0.1:${port}`;
  const config = path.join(directory, 'empty.yml');
  writeFileSync(config, 'global: {}\n');
  const peer = new Child('prometheus', [
    `--config.file=${config}`,
    `--storage.tsdb.path=${path.join(directory, 'copy-for-prometheus')}`,
    `--storage.tsdb.min-block-duration=${BLOCK}`,
    `--storage.tsdb.max-block-duration=${BLOCK}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  try {
    await peer.ready(peerBase);
    const newestMs = Math.max(...[...expected.values()].map(({ timesMs }) => timesMs.at(-1) ?? 0));
    const held = await queriedSamples(peerBase, '{__name__=~".+"}[1h]', newestMs);
    verdict('real Prometheus', held, differences(withoutStale(expected), held, 'decimals'));
    const endMs = quietInstant(expected, newestMs - SETTLED_MS);
    for (const query of SAME_QUERIES) {
      if (!(await isAnsweredAlike(query, [base, peerBase], endMs)))
        failures.push(`query_range ${query} is answered differently by the real Prometheus`);
    }
    say(`${SAME_QUERIES.length} range queries put to both`);
    const complaints = peer.lines.filter((line) => /level=error|orrupt/.test(line));
    for (const line of complaints.slice(0, 10)) failures.push(`the real Prometheus logged ${line}`);
  } finally {
    await peer.stop();
  }
}

function say(text: string): void {
  console.log(`${((Date.now() - startMs) / 1_000).toFixed(0).padStart(5)} s  ${text}`);
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
