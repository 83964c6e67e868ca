import { type ByteCache, ByteReader, type Env, errorText } from '@pollux/base';
import type { ColumnData, NanoRange } from '@pollux/storage';
import type { Catalogue, ColumnRef } from '../catalogue.ts';
import { mergeColumns } from '../column-data.ts';
import { type ColumnSpace, OWN_ARRAYS } from '../column-space.ts';
import { ShardCorruptionError } from '../errors.ts';
import { BlockReader } from './block-reader.ts';
import { decodeColumn } from './column-codec.ts';
import type { WrittenIndex } from './data-file-writer.ts';
import type { FileIndex } from './file-index.ts';
import { type ReadIndex, readIndex } from './index-reader.ts';

export type FilePlace = {
  readonly catalogue: Catalogue;
  readonly cache: ByteCache;
  /** Near the first time: the beginning of the shard group. */
  readonly baseMs: number;
};

/** Where a reader keeps inflated pages, and the number by which the file's pages are found there. */
export type PageKeep = { readonly cache: ByteCache; readonly file: number };

export type ReadOptions = {
  readonly space?: ColumnSpace;
  /** Instead of the cache that all readers share. */
  readonly pages?: PageKeep;
};

/**
 * One immutable file of columns, opened: its index in typed arrays, its pages read when asked for. Readers hold it by
 * `acquire`/`release`; a file that was replaced is unlinked at once and closed when the last reader lets go.
 */
export class DataFile {
  readonly id: number;
  /** Log segments up to this number are contained. */
  readonly walThrough: number;
  /** Files whose content this one took over. */
  readonly replaces: readonly number[];
  readonly index: FileIndex;
  readonly #blocks: BlockReader;
  readonly #pages: PageKeep;
  readonly #pageOffsets: Float64Array;
  #holders = 1;

  /**
   * Opens a file and reads the index, adding its names to the catalogue; yields between pieces of it. Throws
   * ShardCorruptionError.
   */
  static *open(
    env: Env,
    path: string,
    id: number,
    place: FilePlace,
  ): Generator<void, { readonly file: DataFile; readonly index: ReadIndex }, void> {
    const file = env.files.open(path, 'r');
    let isOpen = false;
    try {
      const blocks = new BlockReader(file, path);
      const index = yield* readIndex(blocks, place);
      isOpen = true;
      return { file: new DataFile(blocks, id, index, place.cache), index };
    } catch (error) {
      if (error instanceof ShardCorruptionError) throw error;
      throw new ShardCorruptionError(path, errorText(error), { cause: error });
    } finally {
      // Also when the caller goes no further.
      if (!isOpen) file.close();
    }
  }

  /** Opens a file that was written just now. */
  static adopt(
    env: Env,
    path: string,
    id: number,
    written: { readonly index: WrittenIndex; readonly cache: ByteCache },
  ): DataFile {
    const file = env.files.open(path, 'r');
    try {
      return new DataFile(new BlockReader(file, path), id, written.index, written.cache);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  private constructor(blocks: BlockReader, id: number, index: WrittenIndex, cache: ByteCache) {
    this.id = id;
    this.walThrough = index.walThrough;
    this.replaces = index.replaces;
    this.index = index.index;
    this.#blocks = blocks;
    this.#pageOffsets = index.pageOffsets;
    this.#pages = { cache, file: cache.addFile() };
  }

  get path(): string {
    return this.#blocks.path;
  }

  get sizeBytes(): number {
    return this.#blocks.sizeBytes;
  }

  has(column: ColumnRef): boolean {
    return this.index.has(column);
  }

  /** Whether the column has a chunk that touches the range: nothing is read for it. */
  touches(column: ColumnRef, range: NanoRange): boolean {
    const [first, end] = this.index.chunksOf(column);
    for (let chunk = first; chunk < end; chunk++) {
      if (this.index.touches(chunk, range.minMs, range.maxMs)) return true;
    }
    return false;
  }

  /** The column's chunks that touch the range; null when there is none. Rows outside the range may be among them. */
  read(
    column: ColumnRef,
    catalogue: Catalogue,
    range: NanoRange,
    { space = OWN_ARRAYS, pages = this.#pages }: ReadOptions = {},
  ): ColumnData | null {
    const { index } = this;
    const [first, end] = index.chunksOf(column);
    const parts: ColumnData[] = [];
    for (let chunk = first; chunk < end; chunk++) {
      if (!index.touches(chunk, range.minMs, range.maxMs)) continue;
      const page = this.#page(index.pageOf(chunk), pages);
      const from = index.offsetOf(chunk);
      const reader = new ByteReader(
        page,
        from,
        Math.min(page.length, from + index.lengthOf(chunk)),
      );
      parts.push(decodeColumn(reader, catalogue.kindOf(column), index.rowsOf(chunk), space));
    }
    return parts.length === 0 ? null : mergeColumns(catalogue.kindOf(column), parts, space);
  }

  #page(number: number, { cache, file }: PageKeep): Uint8Array {
    const known = cache.get(file, number);
    if (known !== undefined) return known;
    const offset = this.#pageOffsets[number];
    if (offset === undefined)
      throw new ShardCorruptionError(this.path, `page ${number} is not in the index`);
    const page = this.#blocks.read(offset);
    cache.put(file, number, page);
    return page;
  }

  acquire(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0) return;
    this.#pages.cache.forget(this.#pages.file, this.#pageOffsets.length);
    this.#blocks.close();
  }
}
