import * as fs from 'node:fs';
import { type File, type Files, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileCache } from '../block/file-cache.ts';
import { tsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import { removeDirectory, temporaryDirectory } from '../testing/fixtures.ts';
import type { HeadChunkMeta } from './entry.ts';
import { HeadChunkFiles } from './head-chunk-files.ts';
import type { HeadChunkPlace } from './place.ts';
import { dropDamage, type ScanResult, scanHeadChunks } from './scan.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

type Added = {
  readonly meta: HeadChunkMeta;
  readonly place: HeadChunkPlace;
  readonly data: Buffer;
};

function store(
  settings: { fileBytes?: number; files?: Files; clock?: VirtualClock; isInMemory?: boolean } = {},
): HeadChunkFiles {
  return new HeadChunkFiles({
    files: settings.files ?? new LazyFiles(),
    clock: settings.clock ?? new VirtualClock(),
    log: Log.silent(),
    metrics: tsdbMetrics(new Registry()),
    cache: new FileCache(1 << 20),
    directory: settings.isInMemory === true ? null : directory,
    fileBytes: settings.fileBytes ?? 1 << 27,
  });
}

function add(target: HeadChunkFiles, random: SeededRandom, length = random.below(900)): Added {
  const data = Buffer.alloc(length + 1, random.below(256));
  data[random.below(data.length)] = random.below(256);
  const minMs = random.below(2 ** 31) - 2 ** 30;
  const meta: HeadChunkMeta = {
    series: 1 + random.below(2 ** 31),
    minMs,
    maxMs: minMs + random.below(2 ** 31),
    encoding: 1 + random.below(4),
    isOutOfOrder: random.below(2) === 0,
  };
  const place = target.add(meta, { bytes: data, start: 0, end: data.length });
  return { meta, place, data };
}

function expectReadable(target: HeadChunkFiles, chunks: readonly Added[]): void {
  for (const { meta, place, data } of chunks) {
    for (const chunk of [target.read(place), target.readOnce(place)]) {
      const { bytes, start, length, encoding } = chunk;
      const isSame =
        encoding === meta.encoding && data.equals(bytes.subarray(start, start + length));
      // An expectation for each of so many chunks would take most of the time.
      if (!isSame) expect.fail(`chunk at ${place.file}:${place.offset} is not what was added`);
    }
  }
}

async function scan(): Promise<{ result: ScanResult; seen: (HeadChunkMeta & HeadChunkPlace)[] }> {
  const seen: (HeadChunkMeta & HeadChunkPlace)[] = [];
  const result = await scanHeadChunks({
    files: new NodeFiles(),
    directory,
    slices: new Slices(new VirtualClock()),
    onChunk: ({ series, minMs, maxMs, encoding, isOutOfOrder }, place) =>
      seen.push({ series, minMs, maxMs, encoding, isOutOfOrder, ...place }),
  });
  return { result, seen };
}

const asSeen = (chunks: readonly Added[]): object[] =>
  chunks.map(({ meta, place }) => ({ ...meta, ...place }));

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('head chunks', () => {
  it('can be read from the moment they are added, while they are written and after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.constantFrom(20_000, 300_000, 1 << 27),
        async (seed, fileBytes) => {
          removeDirectory(directory);
          fs.mkdirSync(directory);
          const random = new SeededRandom(seed);
          const chunks: Added[] = [];
          const first = store({ fileBytes });
          for (let step = 0; step < 60; step++) {
            for (let i = random.below(40); i >= 0; i--) chunks.push(add(first, random));
            if (random.below(4) === 0) await turn();
            if (random.below(12) === 0) first.cut();
            if (random.below(12) === 0) await first.flush();
            expectReadable(first, chunks.slice(-50));
          }
          expectReadable(first, chunks);
          await first.close();
          const { result, seen } = await scan();
          expect(result.damage).toBeNull();
          expect(seen).toEqual(asSeen(chunks));
          const second = store({ fileBytes });
          second.restore(result.files);
          expectReadable(second, chunks);
          const more = [add(second, random), add(second, random)];
          expect(more[0]!.place.file).toBe(result.end.file + 1);
          expectReadable(second, [...chunks, ...more]);
          await second.close();
          expect((await scan()).seen).toEqual(asSeen([...chunks, ...more]));
        },
      ),
      { numRuns: 4 },
    );
  });

  it('of a reader stay in memory and touch no file', async () => {
    const target = store({ isInMemory: true, fileBytes: 10_000 });
    const random = new SeededRandom(1);
    const chunks = Array.from({ length: 500 }, () => add(target, random));
    await turn();
    expectReadable(target, chunks);
    await target.close();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it('give their memory back when written', async () => {
    const target = store();
    const random = new SeededRandom(2);
    for (let i = 0; i < 3000; i++) add(target, random);
    await turn();
    expect(target.waitingBytes).toBeLessThan(256 * 1024);
    await target.flush();
    expect(target.waitingBytes).toBe(0);
    await target.close();
  });

  it('wait without bound on time, but not on memory, when nobody lets the writer run', () => {
    const target = store();
    const random = new SeededRandom(3);
    let most = 0;
    for (let i = 0; i < 20_000; i++) {
      add(target, random, 500);
      most = Math.max(most, target.waitingBytes);
    }
    expect(most).toBeLessThan(5 * 1024 * 1024);
  });

  it('leave a file only when the one before it is on the disk', async () => {
    const disk = new SlowSyncFiles();
    const target = store({ files: disk, fileBytes: 10_000 });
    const random = new SeededRandom(4);
    const chunks = Array.from({ length: 100 }, () => add(target, random));
    for (let i = 0; i < 5; i++) await turn();
    expect(fs.readdirSync(directory)).toEqual(['000001']);
    expectReadable(target, chunks);
    disk.finish();
    await turn();
    await turn();
    expect(fs.readdirSync(directory)).toEqual(['000001', '000002']);
    disk.isSlow = false;
    disk.finish();
    await target.close();
    expect((await scan()).seen).toEqual(asSeen(chunks));
  });

  it('are removed by whole files from the oldest on', async () => {
    const target = store({ fileBytes: 10_000 });
    const random = new SeededRandom(5);
    const chunks = Array.from({ length: 100 }, () => add(target, random));
    await target.flush();
    const { file } = chunks[60]!.place;
    await target.removeBefore(file);
    const kept = chunks.filter(({ place }) => place.file >= file);
    expectReadable(target, kept);
    expect(() => target.read(chunks[0]!.place)).toThrow('no such head chunk file');
    await target.close();
    expect((await scan()).seen).toEqual(asSeen(kept));
  });

  it('stay readable on a full disk, are written when there is space, and say meanwhile that they wait', async () => {
    const disk = new FullFiles();
    const clock = new VirtualClock();
    const target = store({ files: disk, clock });
    const random = new SeededRandom(6);
    disk.isFull = true;
    const chunks = Array.from({ length: 2000 }, () => add(target, random));
    await turn();
    expectReadable(target, chunks);
    await expect(target.flush()).rejects.toThrow('ENOSPC');
    expect(target.isStuck).toBe(false);
    disk.isFull = false;
    await clock.advance(1000);
    expect(target.waitingBytes).toBeLessThan(256 * 1024);
    await target.close();
    expect((await scan()).seen).toEqual(asSeen(chunks));
  });

  it('that are damaged on the disk are told by their checksum', async () => {
    const target = store();
    const random = new SeededRandom(7);
    const chunks = Array.from({ length: 1000 }, () => add(target, random, 800));
    await target.flush();
    const { file, offset } = chunks[3]!.place;
    const path = `${directory}/${String(file).padStart(6, '0')}`;
    const bytes = fs.readFileSync(path);
    bytes[offset + 100]! ^= 1;
    fs.writeFileSync(path, bytes);
    expect(() => target.readOnce(chunks[3]!.place)).toThrow('wrong checksum');
    expectReadable(target, [chunks[2]!, chunks[4]!]);
    await target.close();
  });
});

describe('a directory that a crash has left', () => {
  async function written(seed: number): Promise<Added[]> {
    removeDirectory(directory);
    fs.mkdirSync(directory);
    const target = store({ fileBytes: 4000 });
    const random = new SeededRandom(seed);
    const chunks = Array.from({ length: 30 }, () => add(target, random));
    await target.close();
    return chunks;
  }

  it('is read up to the first byte that is cut off or changed, and is whole again after the repair', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.boolean(), async (seed, at, isCut) => {
        const chunks = await written(seed);
        const names = fs.readdirSync(directory);
        const name = names[at % names.length]!;
        const path = `${directory}/${name}`;
        const bytes = fs.readFileSync(path);
        const offset = at % bytes.length;
        if (isCut) fs.truncateSync(path, offset);
        else {
          // Bytes 5 to 7 of the header mean nothing.
          if (offset >= 5 && offset < 8) return;
          bytes[offset]! ^= 1 << (seed % 8);
          fs.writeFileSync(path, bytes);
        }
        const before = chunks.filter(
          ({ place }) =>
            place.file < Number(name) || (place.file === Number(name) && place.offset < offset),
        );
        const { result, seen } = await scan();
        // The chunk with the changed byte is not there, nor is any behind it, in this file or a later one.
        const isBoundary = before.some(
          ({ place, data }) => place.file === Number(name) && endOf(place, data) === offset,
        );
        const isWhole = isCut && (offset === 8 || isBoundary);
        const isAtEnd = isWhole && name === names.at(-1);
        const kept = isWhole
          ? before
          : before.slice(0, before.length - touched(before, name, offset));
        const later =
          isWhole && !isAtEnd ? chunks.filter(({ place }) => place.file > Number(name)) : [];
        expect(seen).toEqual(asSeen([...kept, ...later]));
        dropDamage(new NodeFiles(), directory, result);
        const again = await scan();
        expect(again.result.damage).toBeNull();
        expect(again.seen).toEqual(seen);
      }),
      { numRuns: 40 },
    );
  });

  it('may end in zeros, and a file in the middle that is missing ends it', async () => {
    const chunks = await written(1);
    const names = fs.readdirSync(directory);
    for (const name of names) fs.appendFileSync(`${directory}/${name}`, Buffer.alloc(70_000));
    expect((await scan()).seen).toEqual(asSeen(chunks));
    fs.rmSync(`${directory}/${names[2]!}`);
    const { result, seen } = await scan();
    expect(seen).toEqual(asSeen(chunks.filter(({ place }) => place.file <= 2)));
    expect(result.damage?.message).toContain('is missing');
    dropDamage(new NodeFiles(), directory, result);
    expect(fs.readdirSync(directory)).toEqual(names.slice(0, 2));
  });
});

function endOf(place: HeadChunkPlace, data: Buffer): number {
  return place.offset + 25 + (data.length < 128 ? 1 : 2) + data.length + 4;
}

/** 1 when the last of the chunks reaches over the offset, so that the change is in it. */
function touched(chunks: readonly Added[], name: string, offset: number): number {
  const last = chunks.at(-1);
  if (last === undefined || last.place.file !== Number(name)) return 0;
  return endOf(last.place, last.data) > offset ? 1 : 0;
}

/** The machine does not lose power here. */
class LazyFiles extends NodeFiles {
  override async datasyncDirectory(): Promise<void> {}

  override open(path: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(path, mode);
    file.datasync = () => Promise.resolve();
    return file;
  }
}

/** Syncs end when {@link finish} is called. */
class SlowSyncFiles extends LazyFiles {
  isSlow = true;
  #waiting: (() => void)[] = [];

  finish(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting = [];
  }

  override open(path: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(path, mode);
    file.datasync = async () => {
      if (this.isSlow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    return file;
  }
}

class FullFiles extends NodeFiles {
  isFull = false;

  override open(path: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(path, mode);
    const write = file.write.bind(file);
    file.write = (source, offset, length, position) => {
      if (this.isFull) throw new Error('ENOSPC: no space left on device');
      write(source, offset, length, position);
    };
    return file;
  }
}
