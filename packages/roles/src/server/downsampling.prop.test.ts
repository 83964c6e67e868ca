import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { SeededRandom, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { MemorySeries } from '@pollux/promql/script';
import type { Queryable, SeriesSource } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BLOCK_MS,
  clockSamples,
  expectEqual,
  fill,
  MINUTE_MS,
  matrixOf,
  QUERIES,
  rare,
  type Sample,
  samplesOf,
  steps,
} from './testing/downsampled-history.ts';

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-downsampling-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** Notes whether answers came as buckets. */
class Watched implements Queryable {
  buckets = 0;
  readonly #inner: Queryable;
  readonly labelNames: Queryable['labelNames'];
  readonly labelValues: Queryable['labelValues'];

  constructor(inner: Queryable) {
    this.#inner = inner;
    this.labelNames = inner.labelNames.bind(inner);
    this.labelValues = inner.labelValues.bind(inner);
  }

  select(...args: Parameters<Queryable['select']>): SeriesSource {
    const source = this.#inner.select(...args);
    return {
      next: async () => {
        const batch = await source.next();
        for (const { buckets } of batch ?? []) if (buckets !== undefined) this.buckets++;
        return batch;
      },
      get warnings() {
        return source.warnings;
      },
      close: () => source.close(),
    };
  }
}

describe('down-sampled data', () => {
  for (const mode of ['beside samples', 'after the samples were dropped'] as const) {
    it(`answer ${mode} as the samples do, for each function`, async () => {
      let isUsed = false;
      const shape = fc.tuple(
        fc.array(fc.tuple(steps, rare), { minLength: 12, maxLength: 12 }),
        fc.integer({ min: 1, max: 1 << 30 }),
      );
      await fc.assert(
        fc.asyncProperty(shape, async ([shapes, seed]) => {
          const all = new Map<Labels, Sample[]>([
            [Labels.from({ __name__: 'clock' }), clockSamples()],
            ...shapes.map(([shape, odd], i): [Labels, Sample[]] => [
              Labels.from({ __name__: 's_total', i: String(i) }),
              samplesOf(shape, odd),
            ]),
          ]);
          const memory = new MemorySeries();
          let scale = 1;
          for (const [labels, samples] of all) {
            let sum = 0;
            for (const sample of samples) {
              memory.add(labels, sample);
              const { value } = sample;
              if (Number.isFinite(value) && !labels.toString().includes('clock')) {
                sum += Math.abs(value);
              }
            }
            scale = Math.max(scale, sum);
          }
          const own = path.join(directory, String(seed));
          const db = await Tsdb.open({
            directory: own,
            env: { ...nodeEnv(), clock: new VirtualClock(), random: new SeededRandom(seed) },
            log: Log.silent(),
            registry: new Registry(),
            options: {
              minBlockDurationMs: BLOCK_MS,
              fsync: 'none',
              retentionMs: mode === 'beside samples' ? 0 : BLOCK_MS,
              bucketsPerSlice: 8,
              downsampling: [{ resolutionMs: MINUTE_MS, afterMs: 0, retentionMs: 0 }],
            },
          });
          try {
            await fill(db, all);
            const watched = new Watched(db);
            for (const { query, stepMs } of QUERIES) {
              const expected = await matrixOf(memory, query, stepMs);
              const actual = await matrixOf(watched, query, stepMs);
              expectEqual(actual, expected, scale, query);
            }
            isUsed ||= watched.buckets > 0;
          } finally {
            await db.close();
            fs.rmSync(own, { recursive: true, force: true });
          }
        }),
        { numRuns: 2, endOnFailure: true },
      );
      expect(isUsed).toBe(true);
    });
  }
});
