import * as zlib from 'node:zlib';
import { ByteWriter, type Env, type File } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import type { Labels } from '@pollux/model';
import type { ColumnData } from '../column-data.ts';
import { KIND_CODES } from '../field-kind.ts';
import { ColumnEncoder, MAX_ROWS } from './column-codec.ts';
import {
  DATA_MAGIC,
  DATA_VERSION,
  FOOTER_BYTES,
  HEADER_BYTES,
  PAGE_CODEC_DEFLATE,
  PAGE_CODEC_RAW,
  PAGE_HEADER_BYTES,
} from './data-format.ts';

/** Uncompressed size at which a page is closed; one column's rows are never spread over pages beyond a chunk. */
const PAGE_BYTES = 64 * 1024;
/** Inflating a page costs more than reading its columns: it has to save this much. */
const DEFLATE_PART = 0.9;

export type ColumnName = {
  readonly measurement: string;
  readonly tags: Labels;
  readonly field: string;
  readonly replica: string;
};

/**
 * Writes one immutable file of columns under a temporary name; `finish` syncs and renames it into place. Columns come in the
 * order in which they will be read: by measurement, tags, field, replica. Format in shards.md.
 */
export class DataFileWriter {
  readonly #env: Env;
  readonly #path: string;
  readonly #file: File;
  readonly #encoder = new ColumnEncoder();
  readonly #page = new ByteWriter(PAGE_BYTES * 2);
  readonly #pageOffsets: number[] = [];
  readonly #columns = new ByteWriter(4_096);
  readonly #symbols = new Map<string, number>();
  #columnCount = 0;
  #offset = HEADER_BYTES;

  constructor(env: Env, path: string) {
    this.#env = env;
    this.#path = path;
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

  get columnCount(): number {
    return this.#columnCount;
  }

  /** Adds one column's rows; `data` is sorted and without repeated times. */
  add(name: ColumnName, data: ColumnData): void {
    if (data.count === 0) return;
    this.#columnCount++;
    const out = this.#columns;
    out.uvarint(this.#symbol(name.measurement));
    out.uvarint(name.tags.size);
    for (const [key, value] of name.tags) {
      out.uvarint(this.#symbol(key));
      out.uvarint(this.#symbol(value));
    }
    out.uvarint(this.#symbol(name.field));
    out.uvarint(this.#symbol(name.replica));
    out.u8(KIND_CODES[data.kind]);
    out.uvarint(Math.ceil(data.count / MAX_ROWS));
    for (let from = 0; from < data.count; from += MAX_ROWS) {
      this.#addChunk(data, from, Math.min(data.count, from + MAX_ROWS));
    }
  }

  #addChunk(data: ColumnData, from: number, to: number): void {
    const start = this.#page.size;
    this.#encoder.encode(this.#page, data, from, to);
    const out = this.#columns;
    out.uvarint(this.#pageOffsets.length);
    out.uvarint(start);
    out.uvarint(this.#page.size - start);
    out.uvarint(to - from);
    out.varint(data.timesMs[from]!);
    out.uvarint(data.timesMs[to - 1]! - data.timesMs[from]!);
    if (this.#page.size >= PAGE_BYTES) this.#closePage();
  }

  #symbol(text: string): number {
    const known = this.#symbols.get(text);
    if (known !== undefined) return known;
    const symbol = this.#symbols.size;
    this.#symbols.set(text, symbol);
    return symbol;
  }

  #closePage(): void {
    if (this.#page.size === 0) return;
    this.#pageOffsets.push(this.#offset);
    this.#offset += this.#writeBlock(this.#page.bytes());
    this.#page.reset();
  }

  /** A block: raw length, stored length, checksum of the stored bytes, codec, bytes. Returns its size. */
  #writeBlock(raw: Uint8Array): number {
    const packed = zlib.deflateRawSync(raw, { level: 1 });
    const isSmaller = packed.length < raw.length * DEFLATE_PART;
    const stored = isSmaller ? packed : raw;
    const block = new ByteWriter(PAGE_HEADER_BYTES + stored.length);
    block.u32(raw.length);
    block.u32(stored.length);
    block.u32(crc32c(stored));
    block.u8(isSmaller ? PAGE_CODEC_DEFLATE : PAGE_CODEC_RAW);
    block.raw(stored);
    this.#file.write(block.bytes(), 0, block.size, this.#offset);
    return block.size;
  }

  /** Writes index and footer, syncs, renames. `walThrough` and `replaces` as in the format page. */
  async finish(walThrough: number, replaces: readonly number[]): Promise<void> {
    this.#closePage();
    const index = new ByteWriter(4_096);
    index.uvarint(walThrough);
    index.uvarint(replaces.length);
    for (const file of replaces) index.uvarint(file);
    index.uvarint(this.#symbols.size);
    for (const text of this.#symbols.keys()) index.uvarintText(text);
    index.uvarint(this.#pageOffsets.length);
    for (const offset of this.#pageOffsets) index.uvarint(offset);
    index.uvarint(this.#columnCount);
    index.raw(this.#columns.bytes());
    const indexOffset = this.#offset;
    this.#offset += this.#writeBlock(index.bytes());
    const foot = new ByteWriter(FOOTER_BYTES);
    foot.i64(indexOffset);
    foot.raw(DATA_MAGIC);
    this.#file.write(foot.bytes(), 0, FOOTER_BYTES, this.#offset);
    await this.#file.datasync();
    this.#file.close();
    this.#env.files.rename(`${this.#path}.tmp`, this.#path);
    this.#env.files.syncDirectory(this.#path.slice(0, this.#path.lastIndexOf('/')));
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
