import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { SeededRandom } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSampleColumns } from '../format/wal-record.ts';
import {
  answerLines,
  append,
  dumpLines,
  openTsdb,
  type Point,
  query,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
  type Write,
} from '../testing/fixtures.ts';
import { decodeRecord } from '../wal/records.ts';
import { SegmentReader } from '../wal/segment-reader.ts';
import { SegmentWriter } from '../wal/segment-writer.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const files = new NodeFiles();
const FOREIGN = path.resolve(import.meta.dirname, '../../testdata/head-of-prometheus-2.42');
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const REASON = hasPromtool ? '' : ' (needs promtool: npm run peers)';
const OPTIONS = { retentionMs: 0, headChunkFileBytes: 40_000 };

/** Leaves of the log the series records alone: what is answered then comes from the head chunk files. */
async function forgetSamples(data: string): Promise<void> {
  const wal = path.join(data, 'wal');
  const kept: Uint8Array[] = [];
  for (const name of fs.readdirSync(wal)) {
    const file = files.open(path.join(wal, name), 'r');
    const reader = new SegmentReader(file, name);
    for (;;) {
      const record = reader.next(file.size());
      if (record === null) break;
      if (decodeRecord(record, createSampleColumns(8), name).kind === 'series')
        kept.push(record.slice());
    }
    file.close();
    fs.rmSync(path.join(wal, name));
  }
  const writer = new SegmentWriter({ files, directory: wal }, 0);
  for (const record of kept) writer.write([record]);
  await writer.close();
}

/** A database of 20 series with 500 samples each, closed. Returns all samples. */
async function written(data = directory): Promise<Map<string, Point[]>> {
  const random = new SeededRandom(3);
  const db = await openTsdb(data, { options: OPTIONS });
  for (let step = 0; step < 500; step++) {
    const writes: Write[] = [];
    for (let i = 0; i < 20; i++) {
      writes.push({ labels: series(i), timestampMs: T0 + step * 5000 + i, value: random.below(9) });
    }
    await append(db, writes);
  }
  const answer = await query(db);
  await db.close();
  return answer;
}

function figure(registry: Registry, name: string): number {
  return registry.gather().find((family) => family.name === name)!.samples[0]!.value;
}

describe('head chunk files', () => {
  it('of Prometheus 2.42 are read exactly as promtool dumps them', async () => {
    fs.cpSync(FOREIGN, directory, { recursive: true });
    const dump = gunzipSync(fs.readFileSync(path.join(FOREIGN, 'dump.txt.gz'))).toString();
    const expected = dumpLines(dump);
    expect(expected.length).toBeGreaterThan(6000);
    const db = await openTsdb(directory, { options: OPTIONS });
    expect(answerLines(await query(db))).toEqual(expected);
    await db.close();
    await forgetSamples(directory);
    const again = await openTsdb(directory, { options: OPTIONS });
    const fromChunks = answerLines(await query(again));
    // Two chunks of 120 of each series.
    expect(fromChunks.length).toBeGreaterThanOrEqual(18 * 2 * 115);
    expect(new Set(expected)).toEqual(new Set([...expected, ...fromChunks]));
    await again.close();
  });

  it('hold all but the newest samples, so that the log is needed for those alone', async () => {
    const all = await written();
    await forgetSamples(directory);
    const registry = new Registry();
    const db = await openTsdb(directory, { options: OPTIONS, registry });
    const answer = await query(db);
    for (const [key, points] of all) {
      const kept = answer.get(key)!;
      expect(kept.length).toBeGreaterThanOrEqual(360);
      expect(points.slice(0, kept.length)).toEqual(kept);
    }
    expect(figure(registry, 'prometheus_tsdb_head_chunks')).toBeGreaterThanOrEqual(60);
    await db.close();
  });

  it('that are gone, cut off, or damaged in the middle cost nothing but time', async () => {
    const all = await written(path.join(directory, 'whole'));
    const damage: ((chunks: string, names: string[]) => void)[] = [
      (chunks) => fs.rmSync(chunks, { recursive: true }),
      (chunks, names) => fs.truncateSync(path.join(chunks, names.at(-1)!), 1000),
      (chunks, names) => fs.truncateSync(path.join(chunks, names[0]!), 1000),
      (chunks, names) => fs.rmSync(path.join(chunks, names[0]!)),
      (chunks, names) => {
        const file = path.join(chunks, names[0]!);
        const bytes = fs.readFileSync(file);
        bytes[Math.floor(bytes.length / 2)]! ^= 4;
        fs.writeFileSync(file, bytes);
      },
    ];
    for (const [i, harm] of damage.entries()) {
      const data = path.join(directory, String(i));
      fs.cpSync(path.join(directory, 'whole'), data, { recursive: true });
      const chunks = path.join(data, 'chunks_head');
      const names = fs.readdirSync(chunks);
      expect(names.length).toBeGreaterThanOrEqual(1);
      harm(chunks, names);
      for (let life = 0; life < 2; life++) {
        const registry = new Registry();
        const db = await openTsdb(data, { options: OPTIONS, registry });
        expect(await query(db)).toEqual(all);
        const corruptions = figure(registry, 'prometheus_tsdb_mmap_chunk_corruptions_total');
        if (life === 1) expect(corruptions).toBe(0);
        await db.close();
      }
    }
  });

  it('of a series whose record the log has lost never become those of another', async () => {
    await written();
    fs.rmSync(path.join(directory, 'wal'), { recursive: true });
    const lines: string[] = [];
    for (let life = 0; life < 3; life++) {
      const db = await openTsdb(directory, { options: OPTIONS, lines });
      await append(db, [{ labels: series(100 + life), timestampMs: T0 + 10_000_000, value: life }]);
      const answer = await query(db);
      expect([...answer.values()].map((points) => points.length)).toEqual(Array(life + 1).fill(1));
      await db.close();
    }
    expect(lines.join('\n')).toContain('head chunks without a series in the log');
  });
});

describe.skipIf(!hasPromtool)(`promtool${REASON}`, () => {
  it('reads our head chunk files', async () => {
    const all = await written();
    await forgetSamples(directory);
    const dump = execFileSync('promtool', ['tsdb', 'dump', directory], { maxBuffer: 1 << 28 });
    const lines = dumpLines(dump.toString());
    expect(lines.length).toBeGreaterThanOrEqual(20 * 360);
    const expected = new Set(answerLines(all));
    for (const line of lines) expect(expected.has(line)).toBe(true);
    const db = await openTsdb(directory, { options: OPTIONS });
    expect(answerLines(await query(db))).toEqual(lines);
    await db.close();
  });
});
