import * as fs from 'node:fs';
import * as path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { type FloatHistogram, Labels, Matcher } from '@pollux/model';
import { NO_HINTS } from '@pollux/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tsdb } from '../db.ts';
import {
  ALL_TIME,
  append,
  context,
  EVERY,
  openTsdb,
  removeDirectory,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { HistogramSource, histogramText } from '../testing/histograms.ts';

const OPTIONS = { minBlockDurationMs: 120_000, maxBlockDurationMs: 360_000, retentionMs: 0 };

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** What a sample says: its histogram but for the hint, which only neighbours give it, or its number. */
function textOf(histogram: FloatHistogram | null, value: number): string {
  if (histogram === null) return String(value);
  return histogramText({ ...histogram, counterResetHint: 'unknown' });
}

async function read(db: Tsdb): Promise<Record<string, string[]>> {
  const request = { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true };
  const source = db.select(request, context());
  const answer: Record<string, string[]> = {};
  for (let batch = await source.next(); batch !== null; batch = await source.next()) {
    for (const { labels, count, timestampsMs, values, histograms } of batch) {
      answer[labels.toString()] = Array.from(
        { length: count },
        (_, i) => `${timestampsMs[i]} ${textOf(histograms?.[i] ?? null, values[i]!)}`,
      );
    }
  }
  return answer;
}

/** A directory with blocks of 500 s: histograms of all kinds, and one series with floats among them. */
async function writeSource(name: string, phaseMs: number, seed: number): Promise<string> {
  const data = path.join(directory, name);
  const random = new SeededRandom(seed);
  const sources = [0, 1, 2, 3].map((i) => ({
    labels: Labels.from({ __name__: 'h', i: String(i) }),
    source: new HistogramSource(random, {
      isInteger: i !== 1,
      isCustom: i === 2,
      isGauge: i === 3,
    }),
  }));
  const mixed = Labels.from({ __name__: 'h', i: '0' });
  const db = await openTsdb(data, { options: { ...OPTIONS, maxBlockDurationMs: 120_000 } });
  for (let step = 0; step < 250; step++) {
    const timestampMs = T0 + step * 2000 + phaseMs;
    const isFloat = step % 40 > 30;
    if (isFloat) await append(db, [{ labels: mixed, timestampMs, value: step }]);
    const appender = db.appender();
    for (const [i, { labels, source }] of sources.entries()) {
      if (i === 0 && isFloat) continue;
      appender.appendHistogram(appender.series(labels), timestampMs, source.next(), 0);
    }
    await appender.commit();
    if (step % 20 === 0) await db.tick();
  }
  await db.close();
  return data;
}

describe('blocks with native histograms', () => {
  it('are merged sample by sample where they overlap, and lose what was deleted', async () => {
    const target = await writeSource('a', 0, 1);
    const other = await writeSource('b', 700, 2);
    fs.rmSync(path.join(target, 'wal'), { recursive: true });
    fs.rmSync(path.join(target, 'chunks_head'), { recursive: true, force: true });
    for (const name of fs.readdirSync(other)) {
      if (name.length === 26) {
        fs.cpSync(path.join(other, name), path.join(target, name), { recursive: true });
      }
    }
    const lines: string[] = [];
    const db = await openTsdb(target, { options: OPTIONS, lines });
    const blocks = (): string[] => fs.readdirSync(target).filter((name) => name.length === 26);
    const count = blocks().length;
    const before = await read(db);
    expect(before['{__name__="h", i="3"}']!.length).toBeGreaterThan(300);
    await db.tick();
    expect(blocks().length).toBeLessThanOrEqual(count / 2);
    expect(lines.filter((line) => line.includes('level=ERROR'))).toEqual([]);
    expect(await read(db)).toEqual(before);

    const gone = { minMs: T0 + 51_000, maxMs: T0 + 199_000 };
    await db.deleteSamples(gone, [new Matcher('i', '=~', '0|3')]);
    const hidden = await read(db);
    expect(hidden).not.toEqual(before);
    await db.cleanTombstones();
    expect(await read(db)).toEqual(hidden);
    await db.close();
  });
});
