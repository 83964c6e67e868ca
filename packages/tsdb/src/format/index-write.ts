import type { ByteWriter, Files } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import type { Slices } from '../slices.ts';
import { BufferedWriter } from './buffered-writer.ts';
import type { BlockChunkRef } from './chunk-file.ts';
import { FileScan } from './file-scan.ts';
import { GrowingDoubles, GrowingWords } from './growing-column.ts';
import { type NamePostings, postingsByValue } from './postings-by-value.ts';

/** Layout in `index.md`. */
export const INDEX_MAGIC = 0xbaaad700;
export const INDEX_VERSION = 2;
export const SERIES_ALIGN = 16;

/** Of so many symbols the place of one is kept while the file is written. */
const SPARSE = 32;
/** Labels of series that are sorted by value at a time: 8 bytes each. */
const LABELS_AT_ONCE = 2 ** 21;

export type ChunkMeta = {
  readonly minMs: number;
  readonly maxMs: number;
  readonly ref: BlockChunkRef;
};

/** The symbols of an index as UTF-8, ascending bytewise, the empty one first; lent one at a time. */
export type SymbolSource = { readonly count: number; readonly symbols: Iterable<Uint8Array> };

/** The texts, which ascend bytewise and begin with the empty one. */
export function symbolsOf(texts: readonly string[]): SymbolSource {
  const encoder = new TextEncoder();
  function* symbols(): IterableIterator<Uint8Array> {
    for (const text of texts) yield encoder.encode(text);
  }
  return { count: texts.length, symbols: symbols() };
}

/**
 * Writes an index file, in order: the symbols, each series sorted by labels, then {@link finish}. Long parts yield through
 * `slices`. In memory are four bytes a series and a symbol, twelve for each pair of name and value, and a bounded rest:
 * what postings need is read back from the file.
 */
export class IndexWriter {
  readonly #writer: BufferedWriter;
  readonly #slices: Slices;
  /** How many series have each label name. */
  readonly #seriesOfName = new Map<number, number>();
  readonly #refs = new GrowingWords();
  readonly #symbolOffsets = new GrowingDoubles();
  #symbolCount = 0;
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

  async writeSymbols({ count, symbols }: SymbolSource): Promise<void> {
    const writer = this.#writer;
    this.#symbolsAt = writer.position;
    this.#symbolCount = count;
    writer.fields((target) => target.u32(0));
    let crc = writer.summed(0, (target) => target.u32(count));
    let index = 0;
    for (const symbol of symbols) {
      if (index++ % SPARSE === 0) this.#symbolOffsets.push(writer.position);
      crc = writer.summed(crc, (target) => {
        target.uvarint(symbol.length);
        target.raw(symbol);
      });
      if (this.#slices.isOver) await this.#slices.pause();
    }
    writer.patchU32(this.#symbolsAt, writer.position - this.#symbolsAt - 4);
    writer.fields((target) => target.u32(crc));
    writer.align(SERIES_ALIGN);
    this.#seriesAt = writer.position;
  }

  /** `labels[0, labelWords)` are symbol numbers: name, value, name, value …; chunks ascend in time. */
  addSeries(labels: Uint32Array, labelWords: number, chunks: readonly ChunkMeta[]): void {
    this.#writer.align(SERIES_ALIGN);
    this.#refs.push(this.#writer.position / SERIES_ALIGN);
    this.#writer.fields((target) => {
      const start = target.size;
      encodeSeriesEntry(target, labels, labelWords, chunks);
      prefixLengthAndCheck(target, start);
    });
    for (let i = 0; i < labelWords; i += 2) {
      this.#seriesOfName.set(labels[i]!, (this.#seriesOfName.get(labels[i]!) ?? 0) + 1);
    }
  }

  /** Writes postings, tables and the table of contents, and syncs. */
  async finish(): Promise<void> {
    const writer = this.#writer;
    writer.align(4);
    const postingsAt = writer.position;
    const allAt = await this.#writePostings(this.#refs.view());
    const table = new PostingsTable();
    const counts = new Uint32Array(this.#symbolCount);
    for (const batch of this.#batchesOfNames()) {
      await this.#collect(batch);
      for (const [name, postings] of batch) {
        table.beginName(name);
        for await (const [value, refs] of postingsByValue(postings, counts, this.#slices)) {
          table.add(value, await this.#writePostings(refs));
        }
      }
    }
    const tableAt = writer.position;
    await this.#writeTable(table, allAt);
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

  /** All names in order, in groups that together fit into memory. */
  *#batchesOfNames(): IterableIterator<Map<number, NamePostings>> {
    let batch = new Map<number, NamePostings>();
    let labels = 0;
    for (const name of [...this.#seriesOfName.keys()].sort((a, b) => a - b)) {
      const size = this.#seriesOfName.get(name)!;
      if (labels > 0 && labels + size > LABELS_AT_ONCE) {
        yield batch;
        batch = new Map();
        labels = 0;
      }
      labels += size;
      batch.set(name, { values: new Uint32Array(size), refs: new Uint32Array(size), count: 0 });
    }
    if (batch.size > 0) yield batch;
  }

  /** Reads the labels of the batch's names back from the series. */
  async #collect(batch: ReadonlyMap<number, NamePostings>): Promise<void> {
    const scan = new FileScan(this.#writer.written());
    for (const ref of this.#refs.view()) {
      scan.seek(ref * SERIES_ALIGN);
      // The length of the entry.
      scan.uvarint();
      for (let left = scan.uvarint(); left > 0; left--) {
        const postings = batch.get(scan.uvarint());
        const value = scan.uvarint();
        if (postings === undefined) continue;
        postings.values[postings.count] = value;
        postings.refs[postings.count++] = ref;
      }
      if (this.#slices.isOver) await this.#slices.pause();
    }
  }

  async #writePostings(refs: Uint32Array): Promise<number> {
    const writer = this.#writer;
    writer.align(4);
    const at = writer.position;
    writer.fields((target) => target.u32(4 + refs.length * 4));
    let crc = writer.summed(0, (target) => target.u32(refs.length));
    for (let start = 0; start < refs.length; start += 4096) {
      const end = Math.min(refs.length, start + 4096);
      crc = writer.summed(crc, (target) => {
        for (let i = start; i < end; i++) target.u32(refs[i]!);
      });
      if (this.#slices.isOver) await this.#slices.pause();
    }
    writer.fields((target) => target.u32(crc));
    return at;
  }

  async #writeTable(table: PostingsTable, allAt: number): Promise<void> {
    const writer = this.#writer;
    const symbols = new SymbolTexts(writer, this.#symbolOffsets.view());
    const at = writer.position;
    writer.fields((target) => target.u32(0));
    let crc = writer.summed(0, (target) => target.u32(table.count + 1));
    const empty = new Uint8Array(0);
    crc = writer.summed(crc, (target) => encodeTableEntry(target, empty, empty, allAt));
    for (const { name, start, end } of table.names()) {
      const nameText = symbols.read(name).slice();
      for (let i = start; i < end; i++) {
        const valueText = symbols.read(table.values[i]!);
        const offset = table.offsets[i]!;
        crc = writer.summed(crc, (target) => encodeTableEntry(target, nameText, valueText, offset));
        if (this.#slices.isOver) await this.#slices.pause();
      }
    }
    writer.patchU32(at, writer.position - at - 4);
    writer.fields((target) => target.u32(crc));
  }
}

/** Where the postings of each name and value lie, in the order of the table. */
class PostingsTable {
  readonly #names: number[] = [];
  readonly #starts: number[] = [];
  readonly #values = new GrowingWords();
  readonly #offsets = new GrowingDoubles();

  get count(): number {
    return this.#values.count;
  }

  get values(): Uint32Array {
    return this.#values.view();
  }

  get offsets(): Float64Array {
    return this.#offsets.view();
  }

  beginName(name: number): void {
    this.#names.push(name);
    this.#starts.push(this.count);
  }

  add(value: number, offset: number): void {
    this.#values.push(value);
    this.#offsets.push(offset);
  }

  *names(): IterableIterator<{ name: number; start: number; end: number }> {
    for (const [i, name] of this.#names.entries()) {
      yield { name, start: this.#starts[i]!, end: this.#starts[i + 1] ?? this.count };
    }
  }
}

/** Reads symbols back from the file that is being written; cheap when their numbers ascend. */
class SymbolTexts {
  readonly #scan: FileScan;
  readonly #offsets: Float64Array;
  #next = -1;

  constructor(writer: BufferedWriter, offsets: Float64Array) {
    this.#scan = new FileScan(writer.written());
    this.#offsets = offsets;
  }

  /** Lent until the next call. */
  read(symbol: number): Uint8Array {
    const group = Math.floor(symbol / SPARSE);
    if (this.#next < 0 || this.#next > symbol || this.#next < group * SPARSE) {
      this.#next = group * SPARSE;
      this.#scan.seek(this.#offsets[group]!);
    }
    for (; this.#next < symbol; this.#next++) this.#scan.skip(this.#scan.uvarint());
    this.#next++;
    return this.#scan.bytes(this.#scan.uvarint());
  }
}

function encodeTableEntry(
  target: ByteWriter,
  name: Uint8Array,
  value: Uint8Array,
  offset: number,
): void {
  target.u8(2);
  target.uvarint(name.length);
  target.raw(name);
  target.uvarint(value.length);
  target.raw(value);
  target.uvarint(offset);
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
