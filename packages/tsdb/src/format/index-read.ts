import { ByteReader, DecodeError } from '@pollux/base';
import type { LabelIndex } from '@pollux/index';
import { crc32c } from '@pollux/kernels';
import { compareText, Labels } from '@pollux/model';
import { type CachedFile, placeInPage } from '../block/file-cache.ts';
import { CorruptionError } from '../errors.ts';
import { FileScan } from './file-scan.ts';
import { decodeChunkMetas, IndexScan, MAX_SERIES_ENTRY_BYTES } from './index-scan.ts';
import { type ChunkMeta, INDEX_MAGIC, SERIES_ALIGN } from './index-write.ts';

/** Of so many symbols, and of so many values of a name, one offset is kept in memory. */
const SPARSE = 32;
const TOC_BYTES = 52;
/** Entries read between two steps of an opening. */
const STEP = 256;
/** Decoded symbols kept; the map starts anew when it is full. */
const MAX_CACHED_SYMBOLS = 16_384;

/** Of the length before a series entry. */
const MAX_PREFIX_BYTES = 10;

const TEXT = new TextDecoder();

export type SeriesEntry = { readonly labels: Labels; readonly chunks: readonly ChunkMeta[] };

/** Values of one name: every 32nd, with the offset of its entry in the postings table; and where the name's entries end. */
type SparseValues = { readonly values: string[]; readonly offsets: number[]; endOffset: number };

/** Of {@link IndexReader.valuesOf}. */
const VALUES_AT_A_TIME = 512;
/** Lists of values that a reader keeps, each of a name with few: variables of dashboards ask for the same ones again and again. */
const MAX_KNOWN_NAMES = 8;
const MAX_KNOWN_VALUES = 128;

/** Reads an index file (versions 2; layout in `index.md`) with a small part of it in memory. */
export class IndexReader implements LabelIndex {
  readonly #file: CachedFile;
  readonly #place: string;
  readonly #symbolOffsets: number[] = [];
  #symbolCount = 0;
  #symbolsEnd = 0;
  readonly #names = new Map<string, SparseValues>();
  #allOffset = -1;
  /** Of the entry that is being read. */
  readonly #symbolNumbers: number[] = [];
  readonly #cachedSymbols = new Map<number, string>();
  readonly #knownValues = new Map<string, readonly string[]>();

  /** `place` names the file. To be used only when {@link open} has run to its end. */
  constructor(file: CachedFile, place: string) {
    this.#file = file;
    this.#place = place;
  }

  /**
   * Reads what is kept in memory, in steps short enough for a thread that has other work; leaves nothing in the cache.
   * Throws CorruptionError.
   */
  *open(): Generator<void> {
    try {
      yield* this.#open();
    } catch (cause) {
      throw this.#damage(cause);
    }
  }

  /** A walk over symbols and series from front to back, past the cache. */
  scan(): IndexScan {
    return new IndexScan({
      source: this.#file,
      place: this.#place,
      symbolsAt: this.#symbolOffsets[0] ?? 0,
      symbolCount: this.#symbolCount,
      refs: this.all(),
    });
  }

  /** Memory of the sparse symbol table. */
  get symbolOffsetsBytes(): number {
    return this.#symbolOffsets.length * 8;
  }

  /** Label names of the block, sorted. */
  get names(): IterableIterator<string> {
    return this.#names.keys();
  }

  all(): Uint32Array {
    return this.#guard(() =>
      this.#allOffset < 0 ? new Uint32Array(0) : this.#readPostings(this.#allOffset),
    );
  }

  postings(name: string, value: string): Uint32Array {
    return this.#guard(() => {
      const offset = this.#findPostings(name, value);
      return offset < 0 ? new Uint32Array(0) : this.#readPostings(offset);
    });
  }

  postingsWhere(name: string, passes: (value: string) => boolean): Uint32Array[] {
    const offsets: number[] = [];
    this.#forEachValue(name, (value, offset) => {
      if (value !== '' && passes(value)) offsets.push(offset);
    });
    return this.#guard(() => offsets.map((offset) => this.#readPostings(offset)));
  }

  /** The values of a name, ascending, some at a time. */
  *valuesOf(name: string): Generator<readonly string[], void> {
    const known = this.#knownValues.get(name);
    if (known !== undefined) {
      yield known;
      return;
    }
    const sparse = this.#names.get(name);
    if (sparse === undefined) return;
    const first = sparse.offsets[0]!;
    for (let at = first; at < sparse.endOffset; ) {
      const isFirst = at === first;
      const values: string[] = [];
      at = this.#guard(() => {
        let next = at;
        while (next < sparse.endOffset && values.length < VALUES_AT_A_TIME) {
          const entry = this.#tableEntry(next);
          values.push(entry.value);
          next = entry.end;
        }
        return next;
      });
      if (isFirst && at >= sparse.endOffset) this.#know(name, values);
      yield values;
    }
  }

  #know(name: string, values: readonly string[]): void {
    if (values.length > MAX_KNOWN_VALUES) return;
    if (this.#knownValues.size >= MAX_KNOWN_NAMES) this.#knownValues.clear();
    this.#knownValues.set(name, values);
  }

  /** Calls `visit` for the values of a name, ascending. */
  #forEachValue(name: string, visit: (value: string, postingsOffset: number) => void): void {
    const sparse = this.#names.get(name);
    if (sparse === undefined) return;
    this.#guard(() => {
      let at = sparse.offsets[0]!;
      while (at < sparse.endOffset) {
        const entry = this.#tableEntry(at);
        visit(entry.value, entry.postingsOffset);
        at = entry.end;
      }
    });
  }

  series(ref: number): SeriesEntry {
    return this.#guard(() => this.#readSeries(ref));
  }

  *#open(): Generator<void> {
    const file = this.#file;
    const scan = new FileScan(file);
    if (scan.u32() !== INDEX_MAGIC) throw new CorruptionError(this.#place, 'is no index file');
    const version = scan.bytes(1)[0]!;
    if (version !== 2) {
      throw new CorruptionError(this.#place, `index version ${version} is not supported`);
    }
    const tocBytes = file.readOnce(file.size - TOC_BYTES, TOC_BYTES);
    const toc = new ByteReader(tocBytes);
    const symbolsAt = toc.i64();
    toc.skip(4 * 8);
    const tableAt = toc.i64();
    if (crc32c(tocBytes, 0, TOC_BYTES - 4) !== toc.u32()) {
      throw new CorruptionError(this.#place, 'wrong checksum of the table of contents');
    }
    yield* this.#checkedSection(scan, symbolsAt, () => this.#openSymbols(scan));
    yield* this.#checkedSection(scan, tableAt, () => this.#openTable(scan));
  }

  /** Has `read` pass over a section that has its length in front and a checksum behind. */
  *#checkedSection(scan: FileScan, at: number, read: () => Generator<void>): Generator<void> {
    scan.seek(at);
    const length = scan.u32();
    const end = scan.position + length;
    if (end + 4 > this.#file.size) throw new CorruptionError(this.#place, 'a section is too long');
    scan.beginChecksum();
    yield* read();
    scan.skip(end - scan.position);
    const sum = scan.endChecksum();
    if (scan.u32() !== sum) throw new CorruptionError(`${this.#place} at ${at}`, 'wrong checksum');
  }

  *#openSymbols(scan: FileScan): Generator<void> {
    this.#symbolCount = scan.u32();
    for (let i = 0; i < this.#symbolCount; i++) {
      if (i % SPARSE === 0) this.#symbolOffsets.push(scan.position);
      scan.skip(scan.uvarint());
      if (i % STEP === 0) yield;
    }
    this.#symbolsEnd = scan.position;
  }

  *#openTable(scan: FileScan): Generator<void> {
    const count = scan.u32();
    let name = '';
    let nameBytes = new Uint8Array(0);
    let sparse: SparseValues | null = null;
    let sinceKept = 0;
    for (let i = 0; i < count; i++) {
      const entryAt = scan.position;
      if (scan.uvarint() !== 2) throw new CorruptionError(this.#place, 'bad postings table');
      const entryName = scan.bytes(scan.uvarint());
      if (sparse === null || Buffer.compare(nameBytes, entryName) !== 0) {
        nameBytes = entryName.slice();
        name = TEXT.decode(nameBytes);
        sparse = null;
      }
      const valueBytes = scan.bytes(scan.uvarint());
      const isKept = sparse === null || sinceKept % SPARSE === 0;
      const value = isKept ? TEXT.decode(valueBytes) : null;
      const postingsOffset = scan.uvarint();
      if (name === '' && value === '') {
        this.#allOffset = postingsOffset;
        continue;
      }
      if (sparse === null) {
        sparse = { values: [], offsets: [], endOffset: 0 };
        this.#names.set(name, sparse);
        sinceKept = 0;
      }
      if (value !== null) {
        sparse.values.push(value);
        sparse.offsets.push(entryAt);
      }
      sinceKept++;
      sparse.endOffset = scan.position;
      if (i % STEP === 0) yield;
    }
  }

  /** The content of a section with a length in front and a checksum behind. */
  #section(at: number): ByteReader {
    const length = new ByteReader(this.#file.read(at, 4)).u32();
    const bytes = this.#file.read(at + 4, length + 4);
    if (crc32c(bytes, 0, length) !== new ByteReader(bytes, length).u32()) {
      throw new CorruptionError(`${this.#place} at ${at}`, 'wrong checksum');
    }
    return new ByteReader(bytes, 0, length);
  }

  #readPostings(at: number): Uint32Array {
    const section = this.#section(at);
    const count = section.u32();
    if (count * 4 !== section.remaining) {
      throw new CorruptionError(`${this.#place} at ${at}`, 'bad length of a postings list');
    }
    const refs = new Uint32Array(count);
    for (let i = 0; i < count; i++) refs[i] = section.u32();
    return refs;
  }

  #findPostings(name: string, value: string): number {
    const sparse = this.#names.get(name);
    if (sparse === undefined) return -1;
    const { values, offsets, endOffset } = sparse;
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareText(values[middle]!, value) <= 0) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return -1;
    const end = offsets[low] ?? endOffset;
    let at = offsets[low - 1]!;
    while (at < end) {
      const entry = this.#tableEntry(at);
      if (entry.value === value) return entry.postingsOffset;
      at = entry.end;
    }
    return -1;
  }

  #tableEntry(at: number): { value: string; postingsOffset: number; end: number } {
    // Most entries are short; a longer one is read again with its true length.
    for (let room = 512; ; room *= 8) {
      const bytes = this.#file.readUpTo(at, room);
      const source = new ByteReader(bytes);
      try {
        source.skip(1);
        source.skip(source.uvarint());
        const value = source.uvarintText();
        const postingsOffset = source.uvarint();
        return { value, postingsOffset, end: at + source.offset };
      } catch (error) {
        if (!(error instanceof DecodeError) || bytes.length < room) throw error;
      }
    }
  }

  #symbol(index: number): string {
    const known = this.#cachedSymbols.get(index);
    if (known !== undefined) return known;
    if (index >= this.#symbolCount) throw new CorruptionError(this.#place, `no symbol ${index}`);
    const group = Math.floor(index / SPARSE);
    const start = this.#symbolOffsets[group]!;
    const end = this.#symbolOffsets[group + 1] ?? this.#symbolsEnd;
    const source = new ByteReader(this.#file.read(start, end - start));
    if (this.#cachedSymbols.size >= MAX_CACHED_SYMBOLS) this.#cachedSymbols.clear();
    for (let i = group * SPARSE; i < index; i++) source.skip(source.uvarint());
    const text = source.uvarintText();
    this.#cachedSymbols.set(index, text);
    return text;
  }

  #readSeries(ref: number): SeriesEntry {
    const at = ref * SERIES_ALIGN;
    return this.#seriesInPage(at) ?? this.#seriesAcross(at);
  }

  /** Null when the entry does not lie in one page as a whole, or not clearly so. */
  #seriesInPage(at: number): SeriesEntry | null {
    const file = this.#file;
    const page = file.pageOf(at);
    const prefix = new ByteReader(page, placeInPage(at));
    if (prefix.remaining < MAX_PREFIX_BYTES) return null;
    const length = prefix.uvarint();
    const start = prefix.offset;
    const end = start + length;
    if (end + 4 > page.length) return null;
    if (!file.isWhole(at)) {
      if (crc32c(page, start, end) !== new ByteReader(page, end).u32()) {
        throw new CorruptionError(`${this.#place} at ${at}`, 'wrong checksum of a series entry');
      }
      file.markWhole(at);
    }
    return this.#decodeSeries(new ByteReader(page, start, end));
  }

  #seriesAcross(at: number): SeriesEntry {
    const prefix = new ByteReader(this.#file.readUpTo(at, MAX_PREFIX_BYTES));
    const length = prefix.uvarint();
    if (length > MAX_SERIES_ENTRY_BYTES) {
      throw new CorruptionError(`${this.#place} at ${at}`, 'series entry too long');
    }
    const bytes = this.#file.read(at + prefix.offset, length + 4);
    if (crc32c(bytes, 0, length) !== new ByteReader(bytes, length).u32()) {
      throw new CorruptionError(`${this.#place} at ${at}`, 'wrong checksum of a series entry');
    }
    return this.#decodeSeries(new ByteReader(bytes, 0, length));
  }

  #decodeSeries(source: ByteReader): SeriesEntry {
    const numbers = this.#symbolNumbers;
    const count = source.uvarint() * 2;
    numbers.length = 0;
    for (let i = 0; i < count; i++) numbers.push(source.uvarint());
    const chunks = decodeChunkMetas(source);
    // Texts may lie in other pages, and the entry is lent until one is asked for.
    const flat: string[] = [];
    for (const number of numbers) flat.push(this.#symbol(number));
    return { labels: Labels.fromSortedFlat(flat), chunks };
  }

  /** Turns "the bytes ended" into damage of this file. */
  #guard<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw this.#damage(cause);
    }
  }

  #damage(cause: unknown): unknown {
    return cause instanceof DecodeError
      ? new CorruptionError(this.#place, 'does not decode', { cause })
      : cause;
  }
}
