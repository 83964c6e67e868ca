import * as zlib from 'node:zlib';
import { ByteReader, type Env, errorText, type File } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import { Labels } from '@pollux/model';
import type { Catalogue, ColumnRef } from '../catalogue.ts';
import { type ColumnData, mergeColumns, type NanoRange } from '../column-data.ts';
import { type ColumnSpace, OWN_ARRAYS } from '../column-space.ts';
import { ShardCorruptionError } from '../errors.ts';
import { kindOf } from '../field-kind.ts';
import { U32List } from '../u32-list.ts';
import { decodeColumn } from './column-codec.ts';
import {
  DATA_MAGIC,
  DATA_VERSION,
  FOOTER_BYTES,
  HEADER_BYTES,
  MAX_BLOCK_BYTES,
  OLDEST_DATA_VERSION,
  PAGE_CODEC_DEFLATE,
  PAGE_HEADER_BYTES,
} from './data-format.ts';
import type { PageCache } from './page-cache.ts';

/**
 * One immutable file of columns, opened: its index in typed arrays, its pages read when asked for. Readers hold it by
 * `acquire`/`release`; a file that was replaced is unlinked at once and closed when the last reader lets go.
 */
export class DataFile {
  readonly id: number;
  readonly path: string;
  readonly sizeBytes: number;
  /** Log segments up to this number are contained. */
  readonly walThrough: number;
  /** Files whose content this one took over. */
  readonly replaces: readonly number[];
  readonly #file: File;
  readonly #cache: PageCache;
  readonly #pages: readonly number[];
  /** Column number in the group → first chunk + 1. */
  readonly #firstChunk = new Map<ColumnRef, number>();
  readonly #chunkCount = new Map<ColumnRef, number>();
  readonly #chunkPage = new U32List();
  readonly #chunkOffset = new U32List();
  readonly #chunkLength = new U32List();
  readonly #chunkRows = new U32List();
  readonly #chunkMinMs: number[] = [];
  readonly #chunkMaxMs: number[] = [];
  #holders = 1;

  /** Opens and reads the index, adding its names to the catalogue. Throws ShardCorruptionError. */
  static open(
    env: Env,
    path: string,
    id: number,
    place: { readonly catalogue: Catalogue; readonly cache: PageCache },
  ): DataFile {
    const file = env.files.open(path, 'r');
    try {
      return new DataFile(file, { path, id }, place);
    } catch (error) {
      file.close();
      if (error instanceof ShardCorruptionError) throw error;
      throw new ShardCorruptionError(path, errorText(error), { cause: error });
    }
  }

  private constructor(
    file: File,
    name: { readonly path: string; readonly id: number },
    place: { readonly catalogue: Catalogue; readonly cache: PageCache },
  ) {
    this.#file = file;
    this.path = name.path;
    this.id = name.id;
    this.#cache = place.cache;
    this.sizeBytes = file.size();
    const index = new ByteReader(this.#readBlock(this.#indexOffset()));
    this.walThrough = index.uvarint();
    this.replaces = readNumbers(index);
    const symbols: string[] = [];
    for (let left = index.uvarint(); left > 0; left--) symbols.push(index.uvarintText());
    this.#pages = readNumbers(index);
    for (let left = index.uvarint(); left > 0; left--)
      this.#readColumn(index, symbols, place.catalogue);
  }

  #indexOffset(): number {
    const head = new Uint8Array(HEADER_BYTES);
    const foot = new Uint8Array(FOOTER_BYTES);
    if (this.sizeBytes < HEADER_BYTES + FOOTER_BYTES)
      throw new ShardCorruptionError(this.path, 'is too short');
    this.#readFully(head, 0, HEADER_BYTES, 0);
    this.#readFully(foot, 0, FOOTER_BYTES, this.sizeBytes - FOOTER_BYTES);
    for (let i = 0; i < DATA_MAGIC.length; i++) {
      if (head[i] !== DATA_MAGIC[i] || foot[8 + i] !== DATA_MAGIC[i]) {
        throw new ShardCorruptionError(this.path, 'is no data file of this store');
      }
    }
    const version = head[8]!;
    if (version < OLDEST_DATA_VERSION || version > DATA_VERSION) {
      throw new ShardCorruptionError(
        this.path,
        `has format version ${version}, this program reads ${OLDEST_DATA_VERSION} to ${DATA_VERSION}`,
      );
    }
    return new ByteReader(foot).i64();
  }

  #readColumn(index: ByteReader, symbols: readonly string[], catalogue: Catalogue): void {
    const text = (): string => {
      const found = symbols[index.uvarint()];
      if (found === undefined)
        throw new ShardCorruptionError(this.path, 'unknown symbol in the index');
      return found;
    };
    const measurement = text();
    const flat: string[] = [];
    for (let left = index.uvarint(); left > 0; left--) flat.push(text(), text());
    const series = catalogue.series(measurement, Labels.fromSortedFlat(flat));
    const field = text();
    const replica = text();
    const kind = kindOf(index.u8());
    if (kind === null) throw new ShardCorruptionError(this.path, 'unknown field type in the index');
    catalogue.fieldKind(series, field, kind);
    const column = catalogue.column(series, field, kind, replica);
    catalogue.setHasData(column, true);
    const chunks = index.uvarint();
    this.#firstChunk.set(column, this.#chunkPage.length);
    this.#chunkCount.set(column, chunks);
    for (let i = 0; i < chunks; i++) {
      this.#chunkPage.push(index.uvarint());
      this.#chunkOffset.push(index.uvarint());
      this.#chunkLength.push(index.uvarint());
      this.#chunkRows.push(index.uvarint());
      const minMs = index.varint();
      this.#chunkMinMs.push(minMs);
      this.#chunkMaxMs.push(minMs + index.uvarint());
    }
  }

  has(column: ColumnRef): boolean {
    return this.#firstChunk.has(column);
  }

  columns(): IterableIterator<ColumnRef> {
    return this.#firstChunk.keys();
  }

  /** Newest whole millisecond of the column. */
  maxMs(column: ColumnRef): number {
    const first = this.#firstChunk.get(column)!;
    return this.#chunkMaxMs[first + this.#chunkCount.get(column)! - 1]!;
  }

  /** The column's chunks that touch the range; null when there is none. Rows outside the range may be among them. */
  read(
    column: ColumnRef,
    catalogue: Catalogue,
    range: NanoRange,
    space: ColumnSpace = OWN_ARRAYS,
  ): ColumnData | null {
    const first = this.#firstChunk.get(column);
    if (first === undefined) return null;
    const kind = catalogue.kindOf(column);
    const parts: ColumnData[] = [];
    const end = first + this.#chunkCount.get(column)!;
    for (let chunk = first; chunk < end; chunk++) {
      if (this.#chunkMinMs[chunk]! > range.maxMs || this.#chunkMaxMs[chunk]! < range.minMs)
        continue;
      const page = this.#page(this.#chunkPage.at(chunk));
      const from = this.#chunkOffset.at(chunk);
      const reader = new ByteReader(
        page,
        from,
        Math.min(page.length, from + this.#chunkLength.at(chunk)),
      );
      parts.push(decodeColumn(reader, kind, this.#chunkRows.at(chunk), space));
    }
    return parts.length === 0 ? null : mergeColumns(kind, parts, space);
  }

  #page(number: number): Uint8Array {
    const key = `${this.path}\n${number}`;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const offset = this.#pages[number];
    if (offset === undefined)
      throw new ShardCorruptionError(this.path, `page ${number} is not in the index`);
    const page = this.#readBlock(offset);
    this.#cache.put(key, page);
    return page;
  }

  #readBlock(offset: number): Uint8Array {
    const head = new Uint8Array(PAGE_HEADER_BYTES);
    this.#readFully(head, 0, PAGE_HEADER_BYTES, offset);
    const reader = new ByteReader(head);
    const rawLength = reader.u32();
    const storedLength = reader.u32();
    const checksum = reader.u32();
    const codec = reader.u8();
    if (rawLength > MAX_BLOCK_BYTES || offset + PAGE_HEADER_BYTES + storedLength > this.sizeBytes) {
      throw new ShardCorruptionError(this.path, `block at byte ${offset} has impossible lengths`);
    }
    const stored = new Uint8Array(storedLength);
    this.#readFully(stored, 0, storedLength, offset + PAGE_HEADER_BYTES);
    if (crc32c(stored) !== checksum)
      throw new ShardCorruptionError(this.path, `checksum of the block at byte ${offset} is wrong`);
    if (codec !== PAGE_CODEC_DEFLATE) return stored;
    return zlib.inflateRawSync(stored, { maxOutputLength: Math.max(1, rawLength) });
  }

  #readFully(target: Uint8Array, offset: number, length: number, position: number): void {
    const count = this.#file.read(target, offset, length, position);
    if (count === length) return;
    throw new ShardCorruptionError(
      this.path,
      `the disk gave ${count} of ${length} bytes at byte ${position}`,
    );
  }

  acquire(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#file.close();
  }
}

function readNumbers(reader: ByteReader): number[] {
  const numbers: number[] = [];
  for (let left = reader.uvarint(); left > 0; left--) numbers.push(reader.uvarint());
  return numbers;
}
