import { assert, type Env } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { Appender } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';

const STEP_MS = 15_000;
/** Two and a half hours: with blocks of one, some of them lie in a block, some in closed chunks of the head, some in open ones. */
const STEPS = 600;
const STEPS_A_BATCH = 30;
const BLOCK_MS = 60 * 60 * 1_000;
const SLAB_BYTES = 256 * 1024;
const BUCKETS = ['0.05', '0.1', '0.5', '1', '5', '+Inf'];

/** A database of some dozen series that end at `endMs`, in a directory that is its own: files, log, blocks and head as a server has them. */
export async function openMadeUpData(env: Env, directory: string, endMs: number): Promise<Tsdb> {
  const db = await Tsdb.open({
    directory,
    env,
    // What fails here is told by who asked for it.
    log: Log.silent(),
    registry: new Registry(),
    options: {
      minBlockDurationMs: BLOCK_MS,
      retentionMs: 0,
      fsync: 'none',
      snapshotIntervalMs: 0,
      slabBytes: SLAB_BYTES,
    },
  });
  try {
    await fill(db, endMs);
    await db.tick();
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function fill(db: Tsdb, endMs: number): Promise<void> {
  const series = madeUpSeries();
  const startMs = endMs - (STEPS - 1) * STEP_MS;
  const refs = new Uint32Array(series.length);
  const timestampsMs = new Float64Array(series.length);
  const values = new Float64Array(series.length);
  const outcomes = new Uint8Array(series.length);
  for (let first = 0; first < STEPS; first += STEPS_A_BATCH) {
    const appender: Appender = db.appender();
    for (const [s, labels] of series.entries()) refs[s] = appender.series(labels);
    for (let step = first; step < first + STEPS_A_BATCH; step++) {
      timestampsMs.fill(startMs + step * STEP_MS);
      for (let s = 0; s < series.length; s++) values[s] = madeUpValue(series[s]!, s, step);
      const taken = appender.appendFloats(
        refs,
        timestampsMs,
        values,
        null,
        series.length,
        outcomes,
      );
      assert(taken === series.length, 'BUG: made-up samples are in order');
    }
    await appender.commit();
  }
}

function madeUpSeries(): Labels[] {
  const series: Labels[] = [];
  const add = (name: string, rest: Readonly<Record<string, string>>): void => {
    series.push(Labels.from({ __name__: name, job: 'made-up', ...rest }));
  };
  for (let host = 0; host < 4; host++) {
    const instance = `host-${host}:9100`;
    add('load1', { instance });
    add('load5', { instance });
    for (const cpu of ['0', '1']) {
      for (const mode of ['user', 'system', 'idle']) {
        add('cpu_seconds_total', { instance, cpu, mode });
      }
    }
    for (const handler of ['/', '/metrics']) {
      add('requests_total', { instance, handler, code: '200' });
      for (const le of BUCKETS) add('duration_seconds_bucket', { instance, handler, le });
    }
  }
  return series;
}

/** Whole and broken numbers, such as grow and such as go up and down. */
function madeUpValue(labels: Labels, series: number, step: number): number {
  const name = labels.metricName;
  if (name.startsWith('load')) return Math.round(100 + 90 * Math.sin(step / 9 + series)) / 100;
  if (name === 'cpu_seconds_total') return step * (series + 1) * 0.137;
  return step * (series + 3);
}
