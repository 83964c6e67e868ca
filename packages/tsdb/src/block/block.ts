import {
  atOnce,
  ByteReader,
  crc32c,
  DecodeError,
  type File,
  type Files,
  inSlices,
} from '@pollux/base';
import { matchPostings } from '@pollux/index';
import { type Matcher, matchesAll } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import { CorruptionError } from '../errors.ts';
import {
  type BlockChunkRef,
  CHUNKS_HEADER_BYTES,
  CHUNKS_MAGIC,
  fileOfRef,
  MAX_CHUNK_BYTES,
  offsetOfRef,
} from '../format/chunk-file.ts';
import { IndexReader } from '../format/index-read.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { type BlockMeta, decodeMeta, encodeMeta } from '../format/meta.ts';
import {
  decodeTombstonesFile,
  encodeTombstonesFile,
  type Tombstones,
} from '../format/tombstones.ts';
import { addInterval } from '../head/intervals.ts';
import type { LentChunk } from '../query/sample-target.ts';
import { type SparseRange, touches } from '../query/sparse-range.ts';
import type { Slices } from '../slices.ts';
import { ChunkScan } from './chunk-scan.ts';
import { type CachedFile, type FileCache, placeInPage } from './file-cache.ts';

/** Longest encoding of a chunk's length. */
const LENGTH_BYTES = 5;

/** One block on disk, open for reading. Its files stay open until it is released by the set and by all readers. */
export class Block {
  readonly sizeBytes: number;
  readonly index: IndexReader;
  #directory: string;
  readonly #files: Files;
  readonly #open: File[] = [];
  readonly #chunkFiles: readonly CachedFile[];
  #meta: BlockMeta;
  #tombstones: Tombstones;
  /** One for the owner and one for each reader. */
  #holders = 1;

  /** Throws CorruptionError or the system's error. */
  static open(files: Files, directory: string, cache: FileCache): Block {
    const block = new Block(files, directory, cache);
    try {
      atOnce(block.index.open());
      return block;
    } catch (error) {
      block.release();
      throw error;
    }
  }

  /** As {@link open}, giving the thread away between slices: the index of a large block takes long to read. */
  static async openSliced(
    files: Files,
    directory: string,
    cache: FileCache,
    slices: Slices,
  ): Promise<Block> {
    const block = new Block(files, directory, cache);
    try {
      await inSlices(block.index.open(), slices);
      return block;
    } catch (error) {
      block.release();
      throw error;
    }
  }

  private constructor(files: Files, directory: string, cache: FileCache) {
    this.#directory = directory;
    this.#files = files;
    try {
      const metaPath = `${directory}/meta.json`;
      const metaBytes = files.readFile(metaPath);
      this.#meta = decodeMeta(new TextDecoder().decode(metaBytes), metaPath);
      const tombstonesPath = `${directory}/tombstones`;
      const tombstones = files.exists(tombstonesPath) ? files.readFile(tombstonesPath) : null;
      this.#tombstones =
        tombstones === null ? new Map() : decodeTombstonesFile(tombstones, tombstonesPath);
      const indexPath = `${directory}/index`;
      const indexFile = this.#openFile(indexPath, cache);
      this.index = new IndexReader(indexFile, indexPath);
      const names = files.list(`${directory}/chunks`).filter((name) => /^\d{6}$/.test(name));
      this.#chunkFiles = names.map((name) =>
        this.#openChunkFile(`${directory}/chunks/${name}`, cache),
      );
      this.sizeBytes = this.#chunkFiles.reduce(
        (sum, { size }) => sum + size,
        indexFile.size + metaBytes.length + (tombstones?.length ?? 0),
      );
    } catch (error) {
      for (const file of this.#open) file.close();
      throw error;
    }
  }

  get directory(): string {
    return this.#directory;
  }

  get meta(): BlockMeta {
    return this.#meta;
  }

  get ulid(): string {
    return this.#meta.ulid;
  }

  /** Number of series of which samples were deleted, and not yet removed from the files. */
  get deletionCount(): number {
    return this.#tombstones.size;
  }

  overlaps(range: TimeRange): boolean {
    return range.maxMs >= this.#meta.minTime && range.minMs < this.#meta.maxTime;
  }

  tombstonesOf(ref: number): readonly { readonly minMs: number; readonly maxMs: number }[] {
    return this.#tombstones.get(ref) ?? [];
  }

  /** References of the series of which samples were deleted, ascending. */
  seriesWithDeletions(): Uint32Array {
    return Uint32Array.from(this.#tombstones.keys()).sort();
  }

  /** Keeps the files open until the matching {@link release}. */
  hold(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) for (const file of this.#open) file.close();
  }

  /** Renames the block's directory; its files stay open. */
  moveTo(directory: string): void {
    this.#files.rename(this.#directory, directory);
    this.#directory = directory;
  }

  /** Changes what the block says of its compaction, on the disk too. */
  setCompaction(changed: Readonly<Record<string, unknown>>): void {
    this.#meta = { ...this.#meta, compaction: { ...this.#meta.compaction, ...changed } };
    this.#files.replaceFile(`${this.directory}/meta.json`, encodeMeta(this.#meta));
  }

  /** A walk over the chunks for who reads all of them. */
  scanChunks(): ChunkScan {
    return new ChunkScan(this.#chunkFiles, `${this.directory}/chunks`);
  }

  /** Makes hard links of all files in the new directory `target`. */
  linkInto(target: string): void {
    const files = this.#files;
    files.makeDirectory(`${target}/chunks`);
    for (const name of ['meta.json', 'index', 'tombstones']) {
      const path = `${this.directory}/${name}`;
      if (files.exists(path)) files.link(path, `${target}/${name}`);
    }
    for (const name of files.list(`${this.directory}/chunks`)) {
      files.link(`${this.directory}/chunks/${name}`, `${target}/chunks/${name}`);
    }
    files.syncDirectory(`${target}/chunks`);
    files.syncDirectory(target);
  }

  /** Reads and checks a chunk; its bytes are the cache's. Throws CorruptionError. */
  chunk(ref: BlockChunkRef): LentChunk {
    const file = this.#chunkFiles[fileOfRef(ref)];
    try {
      if (file === undefined) throw new CorruptionError(this.#placeOf(ref), 'no such chunk file');
      const offset = offsetOfRef(ref);
      return this.#chunkInPage(file, offset, ref) ?? this.#chunkAcross(file, offset, ref);
    } catch (cause) {
      if (cause instanceof DecodeError) {
        throw new CorruptionError(this.#placeOf(ref), 'does not decode', { cause });
      }
      throw cause;
    }
  }

  /** Null when the chunk does not lie in one page as a whole, or not clearly so. */
  #chunkInPage(file: CachedFile, offset: number, ref: BlockChunkRef): LentChunk | null {
    const page = file.pageOf(offset);
    let at = placeInPage(offset);
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift > 21 || at >= page.length) return null;
      const byte = page[at++]!;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const end = at + length + 1;
    if (end + 4 > page.length) return null;
    if (!file.isWhole(offset)) {
      if (crc32c(page, at, end) !== new ByteReader(page, end).u32()) {
        throw new CorruptionError(this.#placeOf(ref), 'wrong checksum');
      }
      file.markWhole(offset);
    }
    return { encoding: page[at]!, bytes: page, offset: at + 1, length: end - at - 1, hidden: 0 };
  }

  #chunkAcross(file: CachedFile, offset: number, ref: BlockChunkRef): LentChunk {
    const prefix = new ByteReader(file.readUpTo(offset, LENGTH_BYTES + 1));
    const length = prefix.uvarint();
    if (length > MAX_CHUNK_BYTES) throw new CorruptionError(this.#placeOf(ref), 'chunk too long');
    const entry = file.read(offset + prefix.offset, length + 5);
    const expected = new ByteReader(entry, length + 1).u32();
    if (crc32c(entry, 0, length + 1) !== expected) {
      throw new CorruptionError(this.#placeOf(ref), 'wrong checksum');
    }
    return { encoding: entry[0]!, bytes: entry, offset: 1, length, hidden: 0 };
  }

  #placeOf(ref: BlockChunkRef): string {
    return `${this.directory}/chunks, reference ${ref}`;
  }

  /**
   * Hides the samples of series in the range, in the file and for later readers: those that match, or those of the
   * references. Returns how many series.
   */
  deleteSamples(range: TimeRange, select: readonly Matcher[] | Uint32Array): number {
    if (!this.overlaps(range)) return 0;
    const added: Tombstones = new Map(this.#tombstones);
    let count = 0;
    const isByRef = select instanceof Uint32Array;
    for (const ref of isByRef ? select : matchPostings(this.index, select)) {
      const { labels, chunks } = this.index.series(ref);
      const first = chunks[0];
      const last = chunks.at(-1);
      if (first === undefined || last === undefined) continue;
      if (!isByRef && !matchesAll(select, labels)) continue;
      const minMs = Math.max(range.minMs, first.minMs);
      const maxMs = Math.min(range.maxMs, last.maxMs);
      if (minMs > maxMs) continue;
      added.set(ref, addInterval(added.get(ref) ?? [], { minMs, maxMs }));
      count++;
    }
    if (count === 0) return 0;
    this.#files.replaceFile(`${this.directory}/tombstones`, encodeTombstonesFile(added));
    this.#tombstones = added;
    let numTombstones = 0;
    for (const intervals of added.values()) numTombstones += intervals.length;
    this.#meta = { ...this.#meta, stats: { ...this.#meta.stats, numTombstones } };
    this.#files.replaceFile(`${this.directory}/meta.json`, encodeMeta(this.#meta));
    return count;
  }

  #openFile(path: string, cache: FileCache): CachedFile {
    const file = this.#files.open(path, 'r');
    this.#open.push(file);
    return cache.add(file);
  }

  #openChunkFile(path: string, cache: FileCache): CachedFile {
    const file = this.#openFile(path, cache);
    if (file.size < CHUNKS_HEADER_BYTES) throw new CorruptionError(path, 'is too short');
    const header = new ByteReader(file.readOnce(0, CHUNKS_HEADER_BYTES));
    if (header.u32() !== CHUNKS_MAGIC || header.u8() !== 1) {
      throw new CorruptionError(path, 'is no chunk file of version 1');
    }
    return file;
  }
}

/** Chunks of a series that overlap the range. */
export function chunksIn(chunks: readonly ChunkMeta[], range: SparseRange): ChunkMeta[] {
  return chunks.filter(({ minMs, maxMs }) => touches(range, minMs, maxMs));
}
