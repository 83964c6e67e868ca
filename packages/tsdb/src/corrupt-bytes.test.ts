import * as fs from 'node:fs';
import * as path from 'node:path';
import { SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { type Labels, Matcher } from '@pollux/model';
import { NO_HINTS } from '@pollux/storage';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tsdb } from './db.ts';
import { scanHeadChunks } from './head-chunks/scan.ts';
import { Slices } from './slices.ts';
import {
  ALL_TIME,
  append,
  context,
  EVERY,
  HastyClock,
  openTsdb,
  type Point,
  pointsOf,
  query,
  removeDirectory,
  series,
  startOf,
  T0,
  temporaryDirectory,
  type Write,
} from './testing/fixtures.ts';

const BLOCK_MS = 60_000;
const FORMAT_FILE = 'pollux.json';
const OPTIONS = {
  minBlockDurationMs: BLOCK_MS,
  maxBlockDurationMs: BLOCK_MS,
  retentionMs: 0,
  samplesPerChunk: 12,
  outOfOrderWindowMs: 30_000,
  snapshotIntervalMs: 1,
  snapshotLogBytes: 1,
};
const WITH_STARTS = { ...OPTIONS, startTimestamps: true };
const SERIES = 4;
const FULL_LATE_CHUNKS = 3;
/** Bytes that are changed in each file beside those of its beginning and its end. */
const RANDOM_BYTES = Number(process.env.TSDB_FLIPS ?? 3);

type Answer = Map<string, Point[]>;
type Seen = { readonly answer: Answer; readonly told: string };

let original = '';
let truth: Answer;
let files: string[];
beforeAll(async () => {
  original = temporaryDirectory();
  ({ truth, files } = await killedDatabase(original));
});
afterAll(() => removeDirectory(original));

/** From here on start timestamps are kept, so that there are chunks of both kinds. */
const STARTS_FROM_MS = 200_000;

/** Leaves a directory as a killed process does, with every kind of file in it. */
async function killedDatabase(directory: string): Promise<{ truth: Answer; files: string[] }> {
  const live = temporaryDirectory();
  let db = await openTsdb(live, { options: OPTIONS, clock: new HastyClock() });
  const every = Array.from({ length: SERIES }, (_, i) => series(i));
  for (let at = 0; at < 400_000; at += 2_000) {
    if (at === STARTS_FROM_MS) {
      await db.close();
      db = await openTsdb(live, { options: WITH_STARTS, clock: new HastyClock() });
    }
    await append(
      db,
      every.map((labels) => write(labels, T0 + at, at)),
    );
    if (at % 50_000 === 0 && at > 0) await append(db, [write(every[0]!, T0 + at - 9_001, at)]);
    if (at % BLOCK_MS === 0) await db.tick();
  }
  await db.deleteSamples({ minMs: T0, maxMs: T0 + 20_000 }, [new Matcher('i', '=', '1')]);
  await db.tick();
  for (let back = 1; back <= FULL_LATE_CHUNKS * 32 + 1; back++) {
    await append(db, [write(every[2]!, T0 + 398_001 - back * 300, back)]);
  }
  // Moves nothing, but puts what waits into the files.
  await db.tick();
  fs.cpSync(live, directory, { recursive: true });
  const answer = await query(db);
  await db.close();
  removeDirectory(live);
  return { truth: answer, files: filesBelow(directory) };
}

function write(labels: Labels, timestampMs: number, value: number): Write {
  return { labels, timestampMs, value, startMs: startOf(timestampMs) };
}

function filesBelow(directory: string, below = ''): string[] {
  return fs.readdirSync(path.join(directory, below), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(below, entry.name);
    return entry.isDirectory() ? filesBelow(directory, name) : [name];
  });
}

/** What a file is for; its digits and names are those of one of many. */
function kindOf(file: string): string {
  if (/^[0-9A-Z]{26}/.test(file)) return `block ${file.slice(27).replace(/\d+$/, 'N')}`;
  return file.replace(/\.?\d+/g, '');
}

/** Opens a copy of the directory that was changed so, and reads everything. */
async function opened(change: (directory: string) => void): Promise<Seen> {
  const directory = temporaryDirectory();
  fs.cpSync(original, directory, { recursive: true });
  change(directory);
  const lines: string[] = [];
  let db: Tsdb | null = null;
  try {
    db = await openTsdb(directory, { options: WITH_STARTS, lines });
    const source = db.select(
      { range: ALL_TIME, matchers: EVERY, hints: NO_HINTS, sorted: true },
      context(),
    );
    const answer: Answer = new Map();
    for (let batch = await source.next(); batch !== null; batch = await source.next())
      for (const columns of batch) answer.set(columns.labels.toString(), pointsOf(columns));
    const told = lines.filter((line) => /level=(WARN|ERROR)/.test(line));
    return { answer, told: [...told, ...source.warnings.map(({ text }) => text)].join('\n') };
  } finally {
    await db?.close();
    removeDirectory(directory);
  }
}

function flipped(file: string, offset: number): (directory: string) => void {
  return (directory) => {
    const name = path.join(directory, file);
    const bytes = fs.readFileSync(name);
    bytes[offset]! ^= 1 << (offset % 8);
    fs.writeFileSync(name, bytes);
  };
}

/** Beginning (magic, version, first lengths), end (checksums, tables), and some between. */
function offsetsOf(file: string): number[] {
  const { size } = fs.statSync(path.join(original, file));
  const random = new SeededRandom(size);
  const chosen = new Set([0, 3, 4, 5, 9, size - 1, size - 5, size - 20]);
  for (let i = 0; i < RANDOM_BYTES; i++) chosen.add(random.below(size));
  return [...chosen].filter((offset) => offset >= 0 && offset < size);
}

/** Samples of the truth outside of `times` that are not in the answer, and samples of the answer that are not true. */
function wrongIn(answer: Answer, times: readonly (readonly [number, number])[]): string[] {
  const wrong: string[] = [];
  for (const [key, points] of truth) {
    const found = new Map(answer.get(key)?.map((point) => [point.timestampMs, textOf(point)]));
    for (const point of points) {
      const { timestampMs } = point;
      const value = found.get(timestampMs);
      found.delete(timestampMs);
      const mayLack = times.some(([minMs, maxMs]) => timestampMs >= minMs && timestampMs <= maxMs);
      if (value === undefined ? !mayLack : value !== textOf(point))
        wrong.push(`${key} ${timestampMs - T0}: ${value === undefined ? 'missing' : 'wrong'}`);
    }
    for (const at of found.keys()) wrong.push(`${key} ${at - T0}: invented`);
  }
  for (const key of answer.keys()) if (!truth.has(key)) wrong.push(`${key}: invented`);
  return wrong;
}

function textOf({ bits, startMs = 0 }: Point): string {
  return `${bits} from ${startMs}`;
}

/** Times that damage of the file may take away. */
function lossOf(file: string): (readonly [number, number])[] {
  const [top = ''] = file.split(path.sep);
  if (top === 'chunks_head' || top === 'head_snapshot') return [];
  if (/^[0-9A-Z]{26}$/.test(top)) {
    const meta = JSON.parse(fs.readFileSync(path.join(original, top, 'meta.json'), 'utf8'));
    return [[meta.minTime, meta.maxTime - 1]];
  }
  return [[headMinMs(), Number.POSITIVE_INFINITY]];
}

function headMinMs(): number {
  const ends = fs
    .readdirSync(original)
    .filter((name) => name.length === 26)
    .map((name) => JSON.parse(fs.readFileSync(path.join(original, name, 'meta.json'), 'utf8')))
    .map(({ maxTime }: { maxTime: number }) => maxTime);
  return Math.max(...ends) - BLOCK_MS;
}

/** What a block's file of chunks has first. */
function encodingOf(file: string): string {
  if (path.basename(path.dirname(file)) !== 'chunks') return '';
  const bytes = fs.readFileSync(path.join(original, file));
  // A length of one or two bytes stands before it, behind the file's header.
  return ` ${bytes[8]! < 0x80 ? bytes[9] : bytes[10]}`;
}

function isTrue({ answer }: Seen): boolean {
  return wrongIn(answer, []).length === 0;
}

describe('a changed byte', () => {
  it('is tried in every kind of file', () => {
    expect([...new Set(files.map(kindOf))].sort()).toEqual([
      'block chunks/N',
      'block index',
      'block meta.json',
      'block tombstones',
      'chunks_head/',
      'head_snapshot',
      FORMAT_FILE,
      'wal/',
      'wal/checkpoint/',
      'wbl/',
    ]);
  });

  it('is tried in chunks with and without start timestamps', () => {
    const chunks = files.filter((file) => kindOf(file) === 'block chunks/N');
    expect([...new Set(chunks.map(encodingOf))].sort()).toEqual([' 1', ' 4']);
    const starts = [...truth.values()].flat().filter(({ startMs }) => startMs !== undefined);
    expect(starts.every(({ timestampMs }) => timestampMs >= T0 + STARTS_FROM_MS - 9_001)).toBe(
      true,
    );
    expect(starts.length).toBeGreaterThan(100);
  });

  it('meets full chunks of late samples', async () => {
    let late = 0;
    await scanHeadChunks({
      files: new NodeFiles(),
      directory: path.join(original, 'chunks_head'),
      slices: new Slices(new VirtualClock()),
      onChunk: ({ isOutOfOrder, minMs }) => {
        if (isOutOfOrder && minMs > T0 + 360_000) late++;
      },
    });
    expect(late).toBe(FULL_LATE_CHUNKS);
  });

  const title =
    'never invents or changes a sample, costs no more than what its file alone holds, and is told';
  it.each(['in a block', 'elsewhere'])(`%s ${title}`, async (place) => {
    const wrong: string[] = [];
    const kinds = new Set<string>();
    const isInBlock = place === 'in a block';
    for (const file of files.filter((name) => kindOf(name).startsWith('block ') === isInBlock)) {
      // Of files of one kind one shows all; of chunks in blocks one of each encoding of floats.
      const kind = kindOf(file) + encodingOf(file);
      if (kinds.has(kind) && process.env.TSDB_FLIPS === undefined) continue;
      kinds.add(kind);
      if (kind === FORMAT_FILE) continue;
      for (const offset of offsetsOf(file)) {
        const seen = await opened(flipped(file, offset));
        const byte = `${file}:${offset}`;
        wrong.push(...wrongIn(seen.answer, lossOf(file)).map((text) => `${byte}: ${text}`));
        if (!isTrue(seen) && seen.told === '') wrong.push(`${byte}: lost without a word`);
      }
    }
    expect(kinds.size).toBeGreaterThan(3);
    expect(wrong).toEqual([]);
  });

  it('in the file of the format version is told and mended, unless it gives another version', async () => {
    const { size } = fs.statSync(path.join(original, FORMAT_FILE));
    let refused = 0;
    for (let offset = 0; offset < size; offset++) {
      const seen = await opened(flipped(FORMAT_FILE, offset)).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'TSDB.DIRECTORY' });
        expect(String(error)).toContain('format version is');
        refused++;
        return null;
      });
      if (seen === null) continue;
      expect(isTrue(seen)).toBe(true);
      // But for the white space at the end.
      if (offset < size - 1) expect(seen.told).toContain(FORMAT_FILE);
    }
    expect(refused).toBe(1);
  });
});
