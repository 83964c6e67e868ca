/**
 * How long calls for series, label names and label values hold the thread that appends, in time on the processor: over series that are
 * all in the head, a part of which are in a block, too. Linux only. Run with `node --expose-gc --conditions=@pollux/source
 * --import tsx` and this file; the argument is the number of series (1,000,000).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { MemoryBudget, NO_HINTS } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from './db.ts';

const SERIES = Number(process.argv[2] ?? 1_000_000);
const IN_BLOCK = Math.floor(SERIES / 3);
const BATCH = 1_000;
const HOUR_MS = 3_600_000;
const T0 = 1_700_006_400_000;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-label-hold-'));
const db = await Tsdb.open({
  directory,
  env: nodeEnv(),
  log: Log.silent(),
  registry: new Registry(),
  options: {},
});
const refs = new Uint32Array(SERIES);
for (const [hour, count] of [
  [0, IN_BLOCK],
  [1, IN_BLOCK],
  [4, SERIES],
] as const) {
  for (let start = 0; start < count; start += BATCH) {
    const appender = db.appender();
    const size = Math.min(BATCH, count - start);
    for (let i = start; i < start + size; i++)
      if (refs[i] === 0) refs[i] = appender.series(labelsOf(i));
    const timestampsMs = new Float64Array(size).fill(T0 + hour * HOUR_MS);
    const values = new Float64Array(size).fill(hour);
    const slice = refs.subarray(start, start + size);
    appender.appendFloats(slice, timestampsMs, values, null, size, new Uint8Array(size));
    await appender.commit();
  }
}
await db.tick();
const blocks = fs.readdirSync(directory).filter((name) => name.length === 26).length;
process.stdout.write(`${SERIES} series, ${IN_BLOCK} of them in ${blocks} block(s) too\n`);

const range = { minMs: T0, maxMs: T0 + 5 * HOUR_MS };
const context = { signal: new AbortController().signal, budget: MemoryBudget.unlimited() };
const all = [new Matcher('__name__', '=~', '.+')];
const some = [new Matcher('instance', '=~', 'host-[0-4].*')];
const names = async (matchers: Matcher[]): Promise<number> =>
  (await db.labelNames(range, matchers, 0, context)).values.length;
const values = async (name: string, matchers: Matcher[]): Promise<number> =>
  (await db.labelValues(name, range, matchers, 0, context)).values.length;
const series = async (matchers: Matcher[]): Promise<number> => {
  const hints = { ...NO_HINTS, func: 'series' };
  const source = db.select({ range, matchers, hints, sorted: true }, context);
  let count = 0;
  for (let batch = await source.next(); batch !== null; batch = await source.next())
    count += batch.length;
  return count;
};
await measure('label names', () => names([]));
await measure('label names of all by a matcher', () => names(all));
await measure('label names of half', () => names(some));
await measure('values of a label, 8 of them', () => values('mode', []));
await measure('values of a label, 8, of half', () => values('mode', some));
await measure('values of a label, very many', () => values('id', []));
await measure('values of a label, very many, of half', () => values('id', some));
await measure('values of a label, one for each series, by a matcher of it', () =>
  values('id', [new Matcher('id', '=~', '.*7.*')]),
);
await measure('series of half', () => series(some));
await measure('series of all', () => series(all));
await db.close();
fs.rmSync(directory, { recursive: true });

async function measure(name: string, call: () => Promise<number>): Promise<void> {
  globalThis.gc?.();
  const holdsMs: number[] = [];
  let isWatching = true;
  let lastMs = onProcessorMs();
  const watch = (): void => {
    const nowMs = onProcessorMs();
    holdsMs.push(nowMs - lastMs);
    lastMs = nowMs;
    if (isWatching) setImmediate(watch);
  };
  setImmediate(watch);
  const begunMs = onProcessorMs();
  const found = await call();
  isWatching = false;
  const wholeMs = onProcessorMs() - begunMs;
  await new Promise((resolve) => setImmediate(resolve));
  const longest = holdsMs
    .sort((a, b) => b - a)
    .slice(0, 3)
    .map((ms) => ms.toFixed(1));
  process.stdout.write(
    `${name}: ${found} in ${wholeMs.toFixed(0)} ms, longest holds ${longest.join(', ')} ms\n`,
  );
}

function labelsOf(i: number): Labels {
  return Labels.from({
    __name__: `metric_${i % 400}`,
    id: `id-${i}`,
    instance: `host-${i % 1_000}`,
    job: `job-${i % 20}`,
    mode: `mode-${i % 8}`,
  });
}

/** Of this thread: its garbage is collected on others, too. */
function onProcessorMs(): number {
  const [ran = '0'] = fs.readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ');
  return Number(ran) / 1e6;
}
