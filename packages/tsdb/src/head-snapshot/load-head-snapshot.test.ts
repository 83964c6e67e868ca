import { rmSync } from 'node:fs';
import { SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { createHashKey } from '@pollux/index';
import { Matcher } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ExemplarRing } from '../head/exemplar-ring.ts';
import { openHeadChunks } from '../head/found-chunks.ts';
import { Head } from '../head/head.ts';
import { matchHead } from '../head/read.ts';
import { tsdbMetrics } from '../metrics.ts';
import {
  append,
  chunksInMemory,
  openTsdb,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { HistogramSource } from '../testing/histograms.ts';
import { Expiries } from '../wal/expiries.ts';
import { loadHeadSnapshot } from './load-head-snapshot.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

it('gives series that are found by their labels, also those of which blocks have all samples by now', async () => {
  const options = { snapshotIntervalMs: 1, snapshotLogBytes: 0 };
  const db = await openTsdb(directory, { options });
  await append(db, [
    { labels: series(0), timestampMs: T0, value: 1 },
    { labels: series(0, 'new'), timestampMs: T0 + 60_000, value: 1 },
  ]);
  const appender = db.appender();
  const histogram = new HistogramSource(new SeededRandom(3), { isInteger: true }).next(true);
  appender.appendHistogram(appender.series(series(1)), T0, histogram, 0);
  await appender.commit();
  await db.close();
  rmSync(`${directory}/chunks_head`, { recursive: true });

  const files = new NodeFiles();
  const clock = new VirtualClock();
  const log = Log.silent();
  const metrics = tsdbMetrics(new Registry());
  const chunkFiles = chunksInMemory();
  const head = new Head({
    chunkRangeMs: 7_200_000,
    samplesPerChunk: 120,
    slabBytes: 64 * 1024,
    metrics,
    exemplars: new ExemplarRing(0),
    hasStartTimes: false,
    chunkFiles,
    hashKey: createHashKey(new SeededRandom(1)),
  });
  head.raiseMinimum(T0 + 30_000);
  const chunks = { files, clock, log, metrics, directory: `${directory}/chunks_head` };
  const found = await openHeadChunks(chunks, head, chunkFiles);
  const { signal } = new AbortController();
  const start = { files, clock, log, metrics, head, found, signal, expiries: new Expiries() };
  const walDirectory = `${directory}/wal`;
  const loaded = await loadHeadSnapshot({ ...start, walDirectory, directory });
  const labels = [...matchHead(head, [new Matcher('__name__', '=~', '.+')])].map((ref) =>
    head.table.labelsOf(head.table.slotOf(ref)).toString(),
  );
  expect(loaded?.seriesCount).toBe(3);
  const named = [series(0), series(0, 'new'), series(1)].map((one) => one.toString());
  expect(labels.sort()).toEqual(named.sort());
});
