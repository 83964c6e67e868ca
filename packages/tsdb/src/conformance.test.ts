import * as fs from 'node:fs';
import * as path from 'node:path';
import { ByteReader, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Block } from './block/block.ts';
import { FileCache } from './block/file-cache.ts';
import { IndexReader } from './format/index-read.ts';
import { IndexWriter, symbolsOf } from './format/index-write.ts';
import { decodeMeta, encodeMeta } from './format/meta.ts';
import { decodeTombstonesFile, encodeTombstonesFile } from './format/tombstones.ts';
import * as record from './format/wal-record.ts';
import { Slices } from './slices.ts';
import {
  answerLines,
  dumpLines,
  hasConformance,
  NO_CONFORMANCE,
  openTsdb,
  query,
  REAL,
  removeDirectory,
  temporaryDirectory,
} from './testing/fixtures.ts';
import { SegmentReader } from './wal/segment-reader.ts';

const BLOCKS = path.join(REAL, 'blocks');
const files = new NodeFiles();
let directory: string;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

function copyWritable(from: string): void {
  fs.cpSync(from, directory, { recursive: true });
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
    fs.chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
}

describe.skipIf(!hasConformance)(`data of Prometheus 2.42${NO_CONFORMANCE}`, () => {
  it('in blocks is read exactly as promtool dumps it', async () => {
    copyWritable(BLOCKS);
    const db = await openTsdb(directory, { options: { retentionMs: 0 } });
    const expected = dumpLines(fs.readFileSync(path.join(REAL, 'blocks.dump.txt'), 'utf8'));
    expect(expected.length).toBeGreaterThan(10_000);
    expect(answerLines(await query(db))).toEqual(expected);
    await db.close();
  });

  it('takes no room in the cache when a block is only opened', () => {
    const cache = new FileCache(1 << 24);
    const [name = ''] = fs.readdirSync(BLOCKS);
    const block = Block.open(files, path.join(BLOCKS, name), cache);
    expect(cache.bytes).toBe(0);
    expect(block.index.all().length).toBeGreaterThan(0);
    expect(cache.bytes).toBeGreaterThan(0);
    block.release();
  });

  it('in the log of a killed process is read exactly as promtool dumps it', async () => {
    copyWritable(path.join(REAL, 'data-dir-after-kill'));
    const db = await openTsdb(directory);
    const expected = dumpLines(
      fs.readFileSync(path.join(REAL, 'data-dir-after-kill.dump.txt'), 'utf8'),
    );
    expect(expected.length).toBeGreaterThan(4_000);
    expect(answerLines(await query(db))).toEqual(expected);
    await db.close();
  });

  it('in index files is written back to the same symbols, series and postings', async () => {
    for (const block of fs.readdirSync(BLOCKS)) {
      const original = fs.readFileSync(path.join(BLOCKS, block, 'index'));
      const ours = await rewriteIndex(path.join(BLOCKS, block, 'index'), `${directory}/${block}`);
      const theirToc = tocOf(original);
      const ourToc = tocOf(ours);
      // Version 2.42 has a label index, now gone, between series and postings.
      expect(ours.subarray(0, ourToc.postings)).toEqual(
        original.subarray(0, alignUp(theirToc.labelIndices, 4)),
      );
      expect(ours.subarray(ourToc.postings, ourToc.postingsTable)).toEqual(
        original.subarray(theirToc.postings, theirToc.labelIndexTable),
      );
    }
  });

  it('in log records is encoded back to the same bytes', () => {
    const walPath = path.join(REAL, 'data-dir-after-kill/wal/00000000');
    const file = files.open(walPath, 'r');
    const reader = new SegmentReader(file, walPath);
    const seen = new Set<number>();
    for (;;) {
      const bytes = reader.next(file.size());
      if (bytes === null) break;
      const again = reencode(bytes);
      seen.add(bytes[0]!);
      if (again !== null) expect(again).toEqual(new Uint8Array(bytes));
    }
    file.close();
    expect([...seen]).toEqual(
      expect.arrayContaining([record.RECORD.series, record.RECORD.samples]),
    );
  });

  it('in tombstones and meta.json is written back to the same bytes', () => {
    for (const block of fs.readdirSync(BLOCKS)) {
      const stones = fs.readFileSync(path.join(BLOCKS, block, 'tombstones'));
      expect(Buffer.from(encodeTombstonesFile(decodeTombstonesFile(stones, block)))).toEqual(
        stones,
      );
      const meta = fs.readFileSync(path.join(BLOCKS, block, 'meta.json'), 'utf8');
      expect(encodeMeta(decodeMeta(meta, block))).toBe(meta);
    }
  });
});

function reencode(bytes: Uint8Array): Uint8Array | null {
  const source = new ByteReader(bytes, 1);
  switch (bytes[0]) {
    case record.RECORD.series: {
      const decoded = record.decodeSeries(source);
      return record.recordBytes((target) => record.encodeSeries(target, decoded));
    }
    case record.RECORD.samples: {
      const columns = record.createSampleColumns(4);
      record.decodeSamples(source, columns);
      return record.recordBytes((target) =>
        record.encodeSamples(target, columns, 0, columns.count),
      );
    }
    case record.RECORD.tombstones: {
      const decoded = record.decodeTombstones(source);
      return record.recordBytes((target) => record.encodeTombstones(target, decoded));
    }
    case record.RECORD.exemplars: {
      const decoded = record.decodeExemplars(source);
      return record.recordBytes((target) => record.encodeExemplars(target, decoded));
    }
    case record.RECORD.metadata: {
      const decoded = record.decodeMetadata(source);
      return record.recordBytes((target) => record.encodeMetadata(target, decoded));
    }
    default:
      return null;
  }
}

async function rewriteIndex(source: string, target: string): Promise<Buffer> {
  const file = files.open(source, 'r');
  const reader = new IndexReader(new FileCache(1 << 20).add(file), source);
  for (const _ of reader.open());
  const writer = new IndexWriter(files, target, new Slices(new VirtualClock()));
  const all = [...reader.all()].map((ref) => reader.series(ref));
  const texts = new Set(['']);
  for (const { labels } of all) for (const [name, value] of labels) texts.add(name).add(value);
  const symbols = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  await writer.writeSymbols(symbolsOf(symbols));
  for (const { labels, chunks } of all) {
    const words = Uint32Array.from([...labels].flat(), (text) => symbols.indexOf(text));
    writer.addSeries(words, words.length, chunks);
  }
  await writer.finish();
  file.close();
  return fs.readFileSync(target);
}

function tocOf(index: Buffer): {
  labelIndices: number;
  labelIndexTable: number;
  postings: number;
  postingsTable: number;
} {
  const toc = new ByteReader(index, index.length - 52);
  toc.skip(16);
  const labelIndices = toc.i64();
  const labelIndexTable = toc.i64();
  return { labelIndices, labelIndexTable, postings: toc.i64(), postingsTable: toc.i64() };
}

function alignUp(offset: number, unit: number): number {
  return Math.ceil(offset / unit) * unit;
}
