/**
 * How long moving the head to a block, late samples to blocks of their own, and writing a head snapshot hold the thread that appends,
 * in time on the processor, so that other load on the machine does not count. Of each fiftieth series the samples of an hour come late. Linux only. Run with `node --expose-gc --conditions=@pollux/source --import tsx`
 * and this file; the argument is the number of series (100,000).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from './db.ts';

const SERIES = Number(process.argv[2] ?? 100_000);
const BATCH = 1000;
const STEP_MS = 60_000;
const ROUNDS = 190;
/** In this round a third of the series is replaced by others. */
const CHURN_ROUND = 100;
/** From this round on, of some series, samples of so many rounds ago come, half a step beside those in order. */
const LATE_ROUND = 130;
const LATE_ROUNDS = 60;
const LATE_EVERY = Number(process.argv[3] ?? 50);
const T0 = 1_700_006_400_000;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-hold-'));
const db = await Tsdb.open({
  directory,
  env: nodeEnv(),
  log: Log.silent(),
  registry: new Registry(),
  options: { snapshotIntervalMs: 1, outOfOrderWindowMs: 2 * 3_600_000 },
});
const refs = new Uint32Array(SERIES);
const timestampsMs = new Float64Array(BATCH);
const values = new Float64Array(BATCH);
const outcomes = new Uint8Array(BATCH);

for (let round = 0; round < ROUNDS; round++) {
  for (let start = 0; start < SERIES; start += BATCH) {
    const appender = db.appender();
    const count = Math.min(BATCH, SERIES - start);
    for (let i = 0; i < count; i++) {
      const index = start + i;
      const isNew = round === 0 || (round === CHURN_ROUND && index % 3 === 0);
      if (isNew) refs[index] = appender.series(labelsOf(index, round));
      timestampsMs[i] = T0 + round * STEP_MS + (i % 5);
      values[i] = index % 3 === 0 ? index : round * 15 * (1 + (i % 9));
    }
    const slice = refs.subarray(start, start + count);
    appender.appendFloats(slice, timestampsMs, values, null, count, outcomes);
    await appender.commit();
  }
  if (round >= LATE_ROUND) await appendLate(round - LATE_ROUNDS);
  await new Promise((resolve) => setImmediate(resolve));
}
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
await db.tick();
isWatching = false;
process.stdout.write(`thread time of the whole: ${(onProcessorMs() - begunMs).toFixed(0)} ms\n`);
holdsMs.sort((a, b) => b - a);
process.stdout.write(`longest holds: ${holdsMs.slice(0, 8).map((ms) => ms.toFixed(1))} ms\n`);
await db.close();
fs.rmSync(directory, { recursive: true });

async function appendLate(round: number): Promise<void> {
  const late = refs.filter((_, i) => i % LATE_EVERY === 0);
  for (let start = 0; start < late.length; start += BATCH) {
    const slice = late.subarray(start, start + BATCH);
    const appender = db.appender();
    timestampsMs.fill(T0 + round * STEP_MS + STEP_MS / 2);
    appender.appendFloats(slice, timestampsMs, values, null, slice.length, outcomes);
    await appender.commit();
  }
}

function labelsOf(index: number, round: number): Labels {
  return Labels.from({
    __name__: `node_metric_${index % 500}`,
    instance: `10.0.${(index >> 9) & 255}.7:9100`,
    job: 'node',
    device: `sd${index % 7}`,
    mode: `mode${index % 11}`,
    id: `${index}-${round}`,
  });
}

/** Time that the main thread has had a processor. */
function onProcessorMs(): number {
  const text = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[0]) / 1e6;
}
