import * as fs from 'node:fs';
import * as path from 'node:path';
import { type File, type Files, SeededRandom } from '@pollux/base';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SampleSorter } from '../backfill/sample-sorter.ts';
import { writeRangeAsBlock } from '../backfill/write-blocks.ts';
import { Block } from '../block/block.ts';
import { FileCache } from '../block/file-cache.ts';
import {
  append,
  hasConformance,
  NO_CONFORMANCE,
  openTsdb,
  REAL,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { Findings } from './finding.ts';
import { verifyBlock } from './verify-block.ts';
import { verifyDirectory } from './verify-directory.ts';

const env = { ...nodeEnv(), random: new SeededRandom(11) };
const signal = new AbortController().signal;
const breathe = async (): Promise<void> => {};

/** The files of a directory in memory, each a byte array that a test may change. */
class MemoryFiles extends NodeFiles {
  readonly contents = new Map<string, Uint8Array>();

  constructor(directory: string) {
    super();
    for (const name of fs.readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
      const at = `${directory}/${name}`;
      if (fs.statSync(at).isFile()) this.contents.set(at, new Uint8Array(fs.readFileSync(at)));
    }
  }

  override readFile(at: string): Uint8Array {
    return this.#content(at);
  }

  override exists(at: string): boolean {
    return this.contents.has(at) || this.list(at).length > 0;
  }

  override list(at: string): string[] {
    const below = [...this.contents.keys()].filter((file) => file.startsWith(`${at}/`));
    return [...new Set(below.map((file) => file.slice(at.length + 1).split('/')[0]!))].sort();
  }

  override open(at: string): File {
    const content = this.#content(at);
    return {
      read: (target, offset, length, position) => {
        const part = content.subarray(position, position + length);
        target.set(part, offset);
        return part.length;
      },
      size: () => content.length,
      close: () => {},
    } as Pick<File, 'read' | 'size' | 'close'> as File;
  }

  #content(at: string): Uint8Array {
    const content = this.contents.get(at);
    if (content === undefined) throw Object.assign(new Error(`no ${at}`), { code: 'ENOENT' });
    return content;
  }
}

let directory: string;
let block: string;

beforeAll(async () => {
  directory = temporaryDirectory();
  const sorter = new SampleSorter({
    env,
    directory,
    rangeMs: 7_200_000,
    duplicates: 'first',
    signal,
  });
  const values = new Uint32Array(2);
  for (let i = 0; i < 400; i++) {
    new Float64Array(values.buffer)[0] = i * 1.25;
    const labels = Labels.from({ __name__: i % 5 === 0 ? 'a' : 'bü', i: String(i % 3) });
    const sample = { timestampMs: T0 + i * 977, valueLow: values[0]!, valueHigh: values[1]! };
    sorter.add(labels.key(), () => labels, sample);
  }
  const [range] = await sorter.finish();
  const options = { env, directory, chunkRangeMs: 14_400_000, signal };
  block = (await writeRangeAsBlock(sorter, range!, options))!;
  sorter.close();
  const opened = Block.open(env.files, block, new FileCache(1e6));
  const matchers = [new Matcher('i', '=', '1')];
  opened.deleteSamples({ minMs: T0, maxMs: T0 + 5_000 }, matchers);
  opened.release();
});
afterAll(() => removeDirectory(directory));

async function findingsOf(files: Files, at = block): Promise<string[]> {
  const findings = new Findings();
  await verifyBlock({ files, directory: at, findings, breathe });
  return findings.list.map(({ file, offset, text }) => `${path.basename(file)} ${offset}: ${text}`);
}

/**
 * Bytes of meta.json that no reader can tell from others: where the block begins and ends (a block may be longer than its
 * samples), as long as the samples lie inside; and white space for other white space.
 */
function isSilent(file: string, before: string, at: number, flipped: number): boolean {
  if (path.basename(file) !== 'meta.json') return false;
  const times = [...before.matchAll(/"(?:min|max)Time": (\d+)/g)];
  const isTime = times.some((match) => {
    const start = match.index + match[0].length - match[1]!.length;
    return at >= start && at < start + match[1]!.length;
  });
  const isBlank = (char: number): boolean => [9, 10, 13, 32].includes(char);
  return isTime || (isBlank(before.charCodeAt(at)) && isBlank(flipped));
}

describe('verification of a block', () => {
  it('finds nothing in a sound one', async () => {
    expect(await findingsOf(env.files)).toEqual([]);
  });

  it('finds every byte that is flipped, in every file', async () => {
    const files = new MemoryFiles(block);
    expect([...files.contents.keys()].map((file) => path.basename(file))).toEqual(
      expect.arrayContaining(['000001', 'index', 'meta.json', 'tombstones']),
    );
    const missed: string[] = [];
    let flips = 0;
    let silent = 0;
    for (const [file, bytes] of files.contents) {
      const text = Buffer.from(bytes).toString('latin1');
      for (let at = 0; at < bytes.length; at++) {
        for (const mask of [0x01, 0x80, 0xff]) {
          const before = bytes[at]!;
          bytes[at] = before ^ mask;
          const found = await findingsOf(files);
          flips++;
          if (found.length === 0) {
            if (isSilent(file, text, at, before ^ mask)) silent++;
            else missed.push(`${path.basename(file)} ${at} ^ ${mask}`);
          }
          bytes[at] = before;
        }
      }
    }
    expect(missed).toEqual([]);
    expect(flips).toBeGreaterThan(5_000);
    expect(silent).toBeLessThan(60);
  }, 60_000);

  it('finds bytes that were cut off or added at the end of any file', async () => {
    const files = new MemoryFiles(block);
    for (const [file, bytes] of [...files.contents]) {
      for (const size of [0, 3, bytes.length - 1, bytes.length + 1]) {
        const changed = new Uint8Array(size);
        changed.set(bytes.subarray(0, size));
        files.contents.set(file, changed);
        expect(await findingsOf(files), `${path.basename(file)} with ${size} bytes`).not.toEqual(
          [],
        );
      }
      files.contents.set(file, bytes);
    }
  });

  it('finds files that are missing, but for tombstones', async () => {
    for (const name of ['index', 'meta.json', 'chunks/000001']) {
      const files = new MemoryFiles(block);
      files.contents.delete(`${block}/${name}`);
      expect(await findingsOf(files), name).not.toEqual([]);
    }
  });

  it('finds a reference to another chunk although all checksums are right', async () => {
    // A block whose chunk file is that of another block of the same size: every sum is right by itself.
    const files = new MemoryFiles(block);
    const chunks = files.contents.get(`${block}/chunks/000001`)!;
    const doubled = new Uint8Array(chunks.length * 2 - 8);
    doubled.set(chunks);
    doubled.set(chunks.subarray(8), chunks.length);
    files.contents.set(`${block}/chunks/000001`, doubled);
    expect(await findingsOf(files)).toEqual([
      expect.stringMatching(
        /^chunks null: holds \d+ chunks, series name \d+: some belong to no series/,
      ),
    ]);
  });
});

describe('verification of a data directory', () => {
  it('finds nothing wrong with blocks and logs of a running database', async () => {
    const data = temporaryDirectory();
    try {
      const db = await openTsdb(data, { options: { minBlockDurationMs: 120_000, retentionMs: 0 } });
      for (let second = 0; second < 500; second++) {
        await append(
          db,
          [0, 1, 2].map((i) => ({
            labels: series(i),
            timestampMs: T0 + second * 1000,
            value: second,
          })),
        );
        if (second % 50 === 0) await db.tick();
      }
      const found = await verifyDirectory({ ...env, directory: data, signal });
      expect(found.findings).toEqual([]);
      expect(found.blocks).toBeGreaterThan(1);
      expect(found.logRecords).toBeGreaterThan(100);
      await db.close();
    } finally {
      removeDirectory(data);
    }
  });

  it('names damage of the log by file and offset and reads on behind it', async () => {
    const data = temporaryDirectory();
    try {
      const db = await openTsdb(data, { options: { walCompression: 'none' } });
      for (let i = 0; i < 3000; i++)
        await append(db, [{ labels: series(i % 7), timestampMs: T0 + i, value: i }]);
      await db.close();
      const segment = `${data}/wal/00000000`;
      const bytes = fs.readFileSync(segment);
      const sound = await verifyDirectory({ ...env, directory: data, signal });
      bytes[40_000] = bytes[40_000]! ^ 1;
      // A page that is not full ends in zeros.
      const written = bytes.findLastIndex((byte) => byte !== 0) + 1;
      fs.writeFileSync(segment, bytes.subarray(0, written - 3));
      const found = await verifyDirectory({ ...env, directory: data, signal });
      expect(found.findings).toHaveLength(2);
      expect(found.findings[0]!.file).toBe(segment);
      expect(found.findings[0]!.offset).toBeGreaterThan(39_900);
      expect(found.findings[0]!.offset).toBeLessThanOrEqual(40_000);
      expect(found.findings[1]!.text).toContain('(a torn end)');
      expect(found.logRecords).toBeLessThan(sound.logRecords);
      expect(found.logRecords).toBeGreaterThan(sound.logRecords / 2);
    } finally {
      removeDirectory(data);
    }
  });

  it.skipIf(!hasConformance)(
    `finds nothing wrong with directories of Prometheus 2.42${NO_CONFORMANCE}`,
    async () => {
      const blocks = await verifyDirectory({ ...env, directory: `${REAL}/blocks`, signal });
      expect(blocks.findings).toEqual([]);
      expect(blocks.blocks).toBe(4);
      const killed = await verifyDirectory({
        ...env,
        directory: `${REAL}/data-dir-after-kill`,
        signal,
      });
      expect(killed.findings).toEqual([]);
      expect(killed.logRecords).toBeGreaterThan(10);
    },
  );
});
