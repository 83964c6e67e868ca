import * as fs from 'node:fs';
import { SeededRandom } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import { append, openTsdb, removeDirectory, T0, temporaryDirectory } from '../testing/fixtures.ts';
import { HistogramSource } from '../testing/histograms.ts';
import { analyseBlock } from './analyse-block.ts';
import { verifyDirectory } from './verify-directory.ts';

const env = nodeEnv();
const sumOf = (spread: ReadonlyMap<number, number>): number =>
  [...spread].reduce((sum, [value, count]) => sum + value * count, 0);

describe('blocks with native histograms', () => {
  it('are analysed, and verified without a false alarm', async () => {
    const directory = temporaryDirectory();
    try {
      const db = await openTsdb(directory, {
        options: { minBlockDurationMs: 120_000, retentionMs: 0 },
      });
      const source = new HistogramSource(new SeededRandom(2), { isInteger: true });
      const written = new Map<number, number>();
      for (let second = 0; second < 400; second++) {
        const timestampMs = T0 + second * 1000;
        const histogram = source.next();
        const appender = db.appender();
        const ref = appender.series(Labels.from({ __name__: 'h' }));
        appender.appendHistogram(ref, timestampMs, histogram, 0);
        await appender.commit();
        written.set(
          timestampMs,
          histogram.positiveBuckets.length + histogram.negativeBuckets.length,
        );
        await append(db, [{ labels: Labels.from({ __name__: 'f' }), timestampMs, value: second }]);
        if (second % 50 === 0) await db.tick();
      }
      await db.close();
      const found = await verifyDirectory({
        ...env,
        directory,
        signal: new AbortController().signal,
      });
      expect(found.findings).toEqual([]);
      expect(found.blocks).toBeGreaterThan(1);
      for (const name of fs.readdirSync(directory).filter((one) => one.length === 26)) {
        const block = await analyseBlock({
          ...env,
          directory: `${directory}/${name}`,
          matchers: [],
          top: 5,
          readsChunks: true,
        });
        const { floatSamples, histogramSamples, histogramBuckets, count } = block.chunks!;
        expect(sumOf(floatSamples)).toBe(sumOf(histogramSamples));
        expect(count).toBeGreaterThanOrEqual(2);
        // A chunk has one layout, which may be wider than a histogram in it.
        let least = 0;
        for (const [timestampMs, buckets] of written) {
          if (timestampMs >= block.minMs && timestampMs < block.maxMs) least += buckets;
        }
        expect(least).toBeGreaterThan(0);
        expect(sumOf(histogramBuckets)).toBeGreaterThanOrEqual(least);
      }
    } finally {
      removeDirectory(directory);
    }
  });
});
