import * as zlib from 'node:zlib';
import { ByteWriter, type Env, type File } from '@pollux/base';
import { NumberMap } from '@pollux/index';
import { crc32c } from '@pollux/kernels';
import type { ColumnData } from '@pollux/storage';
import type { Catalogue, ColumnRef } from '../catalogue.ts';
import { KIND_CODES } from '../field-kind.ts';
import { ColumnEncoder, MAX_ROWS } from './column-codec.ts';
import {
  DATA_MAGIC,
  DATA_VERSION,
  FOOTER_BYTES,
  HEADER_BYTES,
  PAGE_CODEC_DEFLATE,
  PAGE_CODEC_RAW,
} from './data-format.ts';
import { FileIndex } from './file-index.ts';

/** Uncompressed size at which a page is closed; one column's rows are never spread over pages beyond a chunk. */
const PAGE_BYTES = 64 * 1024;
/** Uncompressed size at which a block of the index is closed: small enough to be read in one turn. */
const INDEX_BLOCK_BYTES = 32 * 1024;
/** Inflating a page costs more than reading its columns: it has to save this much. */
const DEFLATE_PART = 0.9;
/** More than deflate adds to a block that it cannot make smaller: 5 bytes for each 16 KiB. */
const DEFLATE_SLACK = 1_024;

/** What a finished file is opened with, so that nobody has to read it back. */
export type WrittenIndex = {
  readonly index: FileIndex;
  readonly pageOffsets: Float64Array;
  readonly walThrough: number;
  readonly replaces: readonly number[];
};

/**
 * Writes one immutable file of columns under a temporary name; `finish` syncs and renames it into place. Columns come in the
 * order in which they will be read: by measurement, series, field. What it holds in memory is a page, a block of the index and
 * {@link FileIndex}. Format in shards.md.
 */
export class DataFileWriter {
  readonly #env: Env;
  readonly #path: string;
  readonly #catalogue: Catalogue;
  readonly #file: File;
  readonly #encoder = new ColumnEncoder();
  readonly #page = new ByteWriter(PAGE_BYTES * 2);
  readonly #pageOffsets: number[] = [];
  readonly #index: FileIndex;
  readonly #columns = new ByteWriter(INDEX_BLOCK_BYTES * 2);
  readonly #columnBlocks: number[] = [];
  readonly #texts = new ByteWriter(INDEX_BLOCK_BYTES * 2);
  /** The block that is being written, as the file has it. */
  readonly #block = new ByteWriter(PAGE_BYTES * 2);
  readonly #textBlocks: number[] = [];
  /** Symbol of the catalogue → number in the file + 1. */
  readonly #symbols = new NumberMap();
  #symbolCount = 0;
  #offset = HEADER_BYTES;

  /** `baseMs` is near the first time: the beginning of the shard group. */
  constructor(env: Env, path: string, names: { catalogue: Catalogue; baseMs: number }) {
    this.#env = env;
    this.#path = path;
    this.#catalogue = names.catalogue;
    this.#index = new FileIndex(names.baseMs);
    this.#file = env.files.open(`${path}.tmp`, 'w');
    const head = new ByteWriter(HEADER_BYTES);
    head.raw(DATA_MAGIC);
    head.u8(DATA_VERSION);
    head.zeros(HEADER_BYTES - head.size);
    try {
      this.#file.write(head.bytes(), 0, HEADER_BYTES, 0);
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Adds one column's rows, yielding between chunks; `data` is sorted and without repeated times. */
  *add(column: ColumnRef, data: ColumnData): Generator<void, void, void> {
    if (data.count === 0) return;
    const catalogue = this.#catalogue;
    const series = catalogue.names.symbolsOf(catalogue.seriesOf(column));
    const out = this.#columns;
    out.uvarint(this.#symbol(series[0]!));
    out.uvarint((series.length - 1) / 2);
    for (let i = 1; i < series.length; i++) out.uvarint(this.#symbol(series[i]!));
    out.uvarint(this.#symbol(catalogue.fieldSymbolOf(column)));
    out.uvarint(this.#symbol(catalogue.replicaSymbolOf(column)));
    out.u8(KIND_CODES[data.kind]);
    out.uvarint(Math.ceil(data.count / MAX_ROWS));
    this.#index.addColumn(column);
    for (let from = 0; from < data.count; from += MAX_ROWS) {
      this.#addChunk(data, from, Math.min(data.count, from + MAX_ROWS));
      yield;
    }
    if (out.size < INDEX_BLOCK_BYTES) return;
    this.#columnBlocks.push(this.#writeBlock(out.bytes()));
    out.reset();
  }

  #addChunk(data: ColumnData, from: number, to: number): void {
    const offset = this.#page.size;
    this.#encoder.encode(this.#page, data, from, to);
    const out = this.#columns;
    const chunk = {
      page: this.#pageOffsets.length,
      offset,
      length: this.#page.size - offset,
      rows: to - from,
      minMs: data.timesMs[from]!,
      maxMs: data.timesMs[to - 1]!,
    };
    out.uvarint(chunk.page);
    out.uvarint(chunk.offset);
    out.uvarint(chunk.length);
    out.uvarint(chunk.rows);
    out.varint(chunk.minMs);
    out.uvarint(chunk.maxMs - chunk.minMs);
    this.#index.addChunk(chunk);
    if (this.#page.size >= PAGE_BYTES) this.#closePage();
  }

  /** The number of a text in the file; a new one is told in a block of texts. */
  #symbol(symbol: number): number {
    let number = this.#symbols.get(symbol);
    if (number === 0) {
      number = ++this.#symbolCount;
      this.#symbols.set(symbol, number);
      this.#texts.uvarintText(this.#catalogue.names.text(symbol));
      if (this.#texts.size >= INDEX_BLOCK_BYTES) this.#closeTexts();
    }
    return number - 1;
  }

  #closeTexts(): void {
    if (this.#texts.size === 0) return;
    this.#textBlocks.push(this.#writeBlock(this.#texts.bytes()));
    this.#texts.reset();
  }

  #closePage(): void {
    if (this.#page.size === 0) return;
    this.#pageOffsets.push(this.#writeBlock(this.#page.bytes()));
    this.#page.reset();
  }

  /** A block: raw length, stored length, checksum of the stored bytes, codec, bytes. Returns where it begins. */
  #writeBlock(raw: Uint8Array): number {
    // In one piece: by default the outcome is put together from pieces of 16 KiB, whose holes the allocator keeps. With
    // them, the stores of a pair under 1 s scrapes grew by up to 1.9 % from one head truncation to the next, without by 0.9 %.
    const packed = zlib.deflateRawSync(raw, { level: 1, chunkSize: raw.length + DEFLATE_SLACK });
    const isSmaller = packed.length < raw.length * DEFLATE_PART;
    const stored = isSmaller ? packed : raw;
    const block = this.#block;
    block.reset();
    block.u32(raw.length);
    block.u32(stored.length);
    block.u32(crc32c(stored));
    block.u8(isSmaller ? PAGE_CODEC_DEFLATE : PAGE_CODEC_RAW);
    block.raw(stored);
    const offset = this.#offset;
    this.#file.write(block.bytes(), 0, block.size, offset);
    this.#offset += block.size;
    return offset;
  }

  /** Writes index and footer, syncs, renames. `walThrough` and `replaces` as in the format page. */
  async finish(walThrough: number, replaces: readonly number[]): Promise<WrittenIndex> {
    this.#closePage();
    if (this.#columns.size > 0) this.#columnBlocks.push(this.#writeBlock(this.#columns.bytes()));
    this.#closeTexts();
    const head = new ByteWriter(4_096);
    head.uvarint(walThrough);
    writeNumbers(head, replaces);
    writeNumbers(head, this.#textBlocks);
    writeNumbers(head, this.#columnBlocks);
    writeNumbers(head, this.#pageOffsets);
    head.uvarint(this.#index.columnCount);
    const indexOffset = this.#writeBlock(head.bytes());
    const foot = new ByteWriter(FOOTER_BYTES);
    foot.i64(indexOffset);
    foot.raw(DATA_MAGIC);
    this.#file.write(foot.bytes(), 0, FOOTER_BYTES, this.#offset);
    await this.#file.datasync();
    this.#file.close();
    this.#env.files.rename(`${this.#path}.tmp`, this.#path);
    this.#env.files.syncDirectory(this.#path.slice(0, this.#path.lastIndexOf('/')));
    const pageOffsets = Float64Array.from(this.#pageOffsets);
    return { index: this.#index, pageOffsets, walThrough, replaces };
  }

  /** Throws the unfinished file away; what cannot be removed now is cleared at the next start. */
  discard(): void {
    this.#file.close();
    try {
      this.#env.files.remove(`${this.#path}.tmp`);
    } catch {
      // Why it is thrown away is the error to tell.
    }
  }
}

function writeNumbers(target: ByteWriter, numbers: readonly number[]): void {
  target.uvarint(numbers.length);
  for (const number of numbers) target.uvarint(number);
}
