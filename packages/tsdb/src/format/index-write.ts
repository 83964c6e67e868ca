import { type ByteWriter, crc32c, type Files } from '@pollux/base';
import { slicedSort } from '../sliced-sort.ts';
import type { Slices } from '../slices.ts';
import { BufferedWriter } from './buffered-writer.ts';
import type { BlockChunkRef } from './chunk-file.ts';

/** Layout in `index.md`. */
export const INDEX_MAGIC = 0xbaaad700;
export const INDEX_VERSION = 2;
const SERIES_ALIGN = 16;

export type ChunkMeta = {
  readonly minMs: number;
  readonly maxMs: number;
  readonly ref: BlockChunkRef;
};

/** Values and series of one label name, in the order of the series. */
type NamePostings = { values: Uint32Array; refs: Uint32Array; count: number };

/**
 * Writes an index file, in order: the symbols, each series sorted by labels, then {@link finish}. Long parts yield through
 * `slices`.
 */
export class IndexWriter {
  readonly #writer: BufferedWriter;
  readonly #slices: Slices;
  readonly #byName = new Map<number, NamePostings>();
  #symbols: readonly string[] = [];
  #all = new Uint32Array(256);
  #seriesCount = 0;
  #symbolsAt = 0;
  #seriesAt = 0;

  constructor(files: Files, path: string, slices: Slices) {
    this.#writer = new BufferedWriter(files, path);
    this.#slices = slices;
    this.#writer.fields((target) => {
      target.u32(INDEX_MAGIC);
      target.u8(INDEX_VERSION);
    });
  }

  /** `symbols` ascend bytewise and hold every name and value of the series, and the empty string first. */
  async writeSymbols(symbols: readonly string[]): Promise<void> {
    this.#symbols = symbols;
    this.#symbolsAt = this.#writer.position;
    let length = 4;
    for (const symbol of symbols) {
      length += textBytes(symbol);
      if (this.#slices.isOver) await this.#slices.pause();
    }
    this.#writer.fields((target) => target.u32(length));
    let crc = 0;
    const put = (encode: (target: ByteWriter) => void): void => {
      this.#writer.fields((target) => {
        const start = target.size;
        encode(target);
        crc = crc32c(target.bytes(), start, target.size, crc);
      });
    };
    put((target) => target.u32(symbols.length));
    for (const symbol of symbols) {
      put((target) => target.uvarintText(symbol));
      if (this.#slices.isOver) await this.#slices.pause();
    }
    this.#writer.fields((target) => target.u32(crc));
    this.#writer.align(SERIES_ALIGN);
    this.#seriesAt = this.#writer.position;
  }

  /** `labels[0, labelWords)` are symbol numbers: name, value, name, value …; chunks ascend in time. */
  addSeries(labels: Uint32Array, labelWords: number, chunks: readonly ChunkMeta[]): void {
    this.#writer.align(SERIES_ALIGN);
    const ref = this.#writer.position / SERIES_ALIGN;
    this.#writer.fields((target) => {
      const start = target.size;
      encodeSeriesEntry(target, labels, labelWords, chunks);
      prefixLengthAndCheck(target, start);
    });
    if (this.#seriesCount === this.#all.length) this.#all = doubled(this.#all);
    this.#all[this.#seriesCount++] = ref;
    for (let i = 0; i < labelWords; i += 2) this.#note(labels[i]!, labels[i + 1]!, ref);
  }

  /** Writes postings, tables and the table of contents, and syncs. */
  async finish(): Promise<void> {
    const writer = this.#writer;
    writer.align(4);
    const postingsAt = writer.position;
    /** Entries of the postings table: name, value, offset. */
    const table: [number, number, number][] = [];
    table.push([-1, -1, this.#writePostings(this.#all.subarray(0, this.#seriesCount))]);
    const names = [...this.#byName.keys()].sort((a, b) => a - b);
    const counts = new Uint32Array(this.#symbols.length);
    for (const name of names) {
      for await (const [value, refs] of groupByValue(
        this.#byName.get(name)!,
        counts,
        this.#slices,
      )) {
        table.push([name, value, this.#writePostings(refs)]);
        if (this.#slices.isOver) await this.#slices.pause();
      }
    }
    const tableAt = writer.position;
    await this.#writeTable(table);
    writer.checked((target) => {
      // There are no label indices; readers of version 2 do not look for them.
      const offsets = [this.#symbolsAt, this.#seriesAt, postingsAt, tableAt, postingsAt, tableAt];
      for (const offset of offsets) target.i64(offset);
    }, 0);
    await writer.finish();
  }

  abandon(): void {
    this.#writer.abandon();
  }

  #note(name: number, value: number, ref: number): void {
    let entry = this.#byName.get(name);
    if (entry === undefined) {
      entry = { values: new Uint32Array(16), refs: new Uint32Array(16), count: 0 };
      this.#byName.set(name, entry);
    }
    if (entry.count === entry.values.length) {
      entry.values = doubled(entry.values);
      entry.refs = doubled(entry.refs);
    }
    entry.values[entry.count] = value;
    entry.refs[entry.count++] = ref;
  }

  #writePostings(refs: Uint32Array): number {
    this.#writer.align(4);
    const at = this.#writer.position;
    this.#writer.checked((target) => {
      target.u32(4 + refs.length * 4);
      target.u32(refs.length);
      for (const ref of refs) target.u32(ref);
    }, 4);
    return at;
  }

  async #writeTable(table: readonly (readonly [number, number, number])[]): Promise<void> {
    const text = (symbol: number): string => (symbol < 0 ? '' : this.#symbols[symbol]!);
    let length = 4;
    for (const [name, value, offset] of table) {
      length += 1 + textBytes(text(name)) + textBytes(text(value)) + uvarintBytes(offset);
      if (this.#slices.isOver) await this.#slices.pause();
    }
    let crc = 0;
    const put = (encode: (target: ByteWriter) => void): void => {
      this.#writer.fields((target) => {
        const start = target.size;
        encode(target);
        crc = crc32c(target.bytes(), start, target.size, crc);
      });
    };
    this.#writer.fields((target) => target.u32(length));
    put((target) => target.u32(table.length));
    for (const [name, value, offset] of table) {
      put((target) => {
        target.u8(2);
        target.uvarintText(text(name));
        target.uvarintText(text(value));
        target.uvarint(offset);
      });
      if (this.#slices.isOver) await this.#slices.pause();
    }
    this.#writer.fields((target) => target.u32(crc));
  }
}

function encodeSeriesEntry(
  target: ByteWriter,
  labels: Uint32Array,
  labelWords: number,
  chunks: readonly ChunkMeta[],
): void {
  target.uvarint(labelWords / 2);
  for (let i = 0; i < labelWords; i++) target.uvarint(labels[i]!);
  target.uvarint(chunks.length);
  let previous: ChunkMeta | null = null;
  for (const chunk of chunks) {
    if (previous === null) {
      target.varint(chunk.minMs);
      target.uvarint(chunk.maxMs - chunk.minMs);
      target.uvarint(chunk.ref);
    } else {
      target.uvarint(chunk.minMs - previous.maxMs);
      target.uvarint(chunk.maxMs - chunk.minMs);
      target.varint(chunk.ref - previous.ref);
    }
    previous = chunk;
  }
}

/** Puts the length in front of what was written since `start`, and a checksum of it, without the length, behind. */
function prefixLengthAndCheck(target: ByteWriter, start: number): void {
  const body = target.bytes().slice(start);
  target.truncate(start);
  target.uvarint(body.length);
  target.raw(body);
  target.u32(crc32c(body));
}

/** Series by value, values ascending; a stable counting sort. `counts` has an element for each symbol, all 0 between uses. */
async function* groupByValue(
  { values, refs, count }: NamePostings,
  counts: Uint32Array,
  slices: Slices,
): AsyncIterableIterator<[number, Uint32Array]> {
  let distinctCount = 0;
  const distinct = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (counts[value] === 0) distinct[distinctCount++] = value;
    counts[value] = counts[value]! + 1;
  }
  if (slices.isOver) await slices.pause();
  const order = distinct.subarray(0, distinctCount);
  await slicedSort(order, (a, b) => a - b, slices);
  let next = 0;
  for (const value of order) {
    const size = counts[value]!;
    counts[value] = next;
    next += size;
  }
  const sorted = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    sorted[counts[value]!] = refs[i]!;
    counts[value] = counts[value]! + 1;
  }
  if (slices.isOver) await slices.pause();
  let start = 0;
  for (const value of order) {
    const end = counts[value]!;
    counts[value] = 0;
    yield [value, sorted.subarray(start, end)];
    start = end;
  }
}

function doubled(source: Uint32Array): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(source.length * 2);
  grown.set(source);
  return grown;
}

function textBytes(text: string): number {
  const size = Buffer.byteLength(text);
  return uvarintBytes(size) + size;
}

function uvarintBytes(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}
