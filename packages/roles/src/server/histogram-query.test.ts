import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { type FloatHistogram, Labels } from '@pollux/model';
import { Engine, writeResultJson } from '@pollux/promql';
import { MemorySeries } from '@pollux/promql/script';
import type { Queryable } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import { expect, it } from 'vitest';

const STEP_MS = 15_000;
const START_MS = 1_700_006_400_000;
const STEPS = 80;

/** Latencies that grow, widen by a bucket at step 30, and start again at step 50. */
function histogramAt(step: number, isInteger: boolean): FloatHistogram {
  const n = step < 50 ? step : step - 50;
  const buckets = [3 * n, 5 * n, 2 * n, n, ...(n > 30 ? [n - 30] : [])];
  const unit = isInteger ? 1 : 0.5;
  const positiveBuckets = Float64Array.from(buckets, (count) => count * unit);
  const count = positiveBuckets.reduce((sum, bucket) => sum + bucket, n * unit);
  return {
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: n * unit,
    count,
    sum: count * 0.7,
    positiveSpans: [{ offset: -2, length: buckets.length }],
    negativeSpans: [],
    positiveBuckets,
    negativeBuckets: new Float64Array(0),
    customValues: null,
    isInteger,
    isStale: false,
  };
}

const QUERIES = [
  'histogram_quantile(0.9, sum by (job) (rate(latency[2m])))',
  'histogram_fraction(0, 1, rate(latency[90s]))',
  'histogram_count(increase(latency[5m]))',
  'histogram_avg(latency)',
  'resets(latency[20m])',
  'latency',
];

it('a query over native histograms answers as from memory: from the head, and after a block and a restart', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-histograms-'));
  const env = { ...nodeEnv(), clock: new VirtualClock() };
  const options = { minBlockDurationMs: 5 * 60_000, retentionMs: 0 };
  const log = Log.silent();
  const open = (): Promise<Tsdb> =>
    Tsdb.open({ directory, env, log, registry: new Registry(), options });
  const memory = new MemorySeries();
  let db = await open();
  try {
    for (let step = 0; step < STEPS; step++) {
      const timestampMs = START_MS + step * STEP_MS;
      const appender = db.appender();
      for (const job of ['integer', 'float']) {
        const labels = Labels.from({ __name__: 'latency', job });
        const histogram = histogramAt(step, job === 'integer');
        memory.add(labels, { timestampMs, value: 0, histogram });
        appender.appendHistogram(appender.series(labels), timestampMs, histogram, 0);
      }
      await appender.commit();
    }
    const expected = await answers(memory);
    expect(expected.join()).not.toContain('"result":[]');
    expect(await answers(db)).toEqual(expected);
    await db.tick();
    expect(fs.readdirSync(directory).filter((name) => name.length === 26).length).toBeGreaterThan(
      1,
    );
    await db.close();
    db = await open();
    expect(await answers(db)).toEqual(expected);
  } finally {
    await db.close();
    fs.rmSync(directory, { recursive: true });
  }
});

async function answers(queryable: Queryable): Promise<string[]> {
  const engine = new Engine({
    clock: new VirtualClock(),
    registry: new Registry(),
    log: Log.silent(),
  });
  const times = { startMs: START_MS, endMs: START_MS + STEPS * STEP_MS, stepMs: 20_000 };
  const texts: string[] = [];
  for (const query of QUERIES) {
    const { result } = await engine.range({ query, ...times, queryable });
    let text = `${query}: `;
    writeResultJson(result, {
      write: (piece) => {
        text += Buffer.from(piece).toString();
      },
    });
    texts.push(text);
  }
  return texts;
}
