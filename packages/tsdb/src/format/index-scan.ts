import { ByteReader, DecodeError } from '@pollux/base';
import { crc32c } from '@pollux/kernels';
import { CorruptionError } from '../errors.ts';
import { FileScan, type ScanSource } from './file-scan.ts';
import { type ChunkMeta, SERIES_ALIGN } from './index-write.ts';

export const MAX_SERIES_ENTRY_BYTES = 16 * 1024 * 1024;

export type IndexScanParts = {
  readonly source: ScanSource;
  readonly place: string;
  /** Of the first symbol, and how many there are. */
  readonly symbolsAt: number;
  readonly symbolCount: number;
  /** Of all series, in the order of their labels. */
  readonly refs: Uint32Array;
};

/**
 * Walks an index from front to back without texts and past the cache: symbols as bytes, series as symbol numbers. For
 * compaction, which reads everything once. Throws CorruptionError.
 */
export class IndexScan {
  readonly symbolCount: number;
  /** Symbol numbers of the current series: name, value, name, value …; the first {@link labelWords} count. */
  labels = new Uint32Array(64);
  labelWords = 0;
  chunks: readonly ChunkMeta[] = [];
  readonly #parts: IndexScanParts;
  readonly #scan: FileScan;
  #index = -1;

  constructor(parts: IndexScanParts) {
    this.#parts = parts;
    this.symbolCount = parts.symbolCount;
    this.#scan = new FileScan(parts.source);
  }

  /** The current series' number in the order of labels. */
  get index(): number {
    return this.#index;
  }

  /** The current series' reference in its block. */
  get ref(): number {
    return this.#parts.refs[this.#index]!;
  }

  /** All symbols in order, each lent until the next. */
  *symbols(): IterableIterator<Uint8Array> {
    const scan = new FileScan(this.#parts.source, this.#parts.symbolsAt);
    for (let i = 0; i < this.symbolCount; i++) {
      yield this.#guard(() => scan.bytes(scan.uvarint()));
    }
  }

  /** To stand before the first series again. */
  rewind(): void {
    this.#index = -1;
  }

  /** Goes to the next series; false at the end. */
  next(): boolean {
    if (++this.#index >= this.#parts.refs.length) return false;
    this.#guard(() => this.#read());
    return true;
  }

  #read(): void {
    const { place } = this.#parts;
    const scan = this.#scan;
    const at = this.ref * SERIES_ALIGN;
    scan.seek(at);
    const length = scan.uvarint();
    if (length > MAX_SERIES_ENTRY_BYTES) {
      throw new CorruptionError(`${place} at ${at}`, 'series entry too long');
    }
    const bytes = scan.bytes(length + 4);
    if (crc32c(bytes, 0, length) !== new ByteReader(bytes, length).u32()) {
      throw new CorruptionError(`${place} at ${at}`, 'wrong checksum of a series entry');
    }
    const source = new ByteReader(bytes, 0, length);
    this.labelWords = source.uvarint() * 2;
    if (this.labelWords > length) throw new CorruptionError(`${place} at ${at}`, 'too many labels');
    if (this.labels.length < this.labelWords) this.labels = new Uint32Array(this.labelWords * 2);
    for (let i = 0; i < this.labelWords; i++) {
      const symbol = source.uvarint();
      if (symbol >= this.symbolCount) throw new CorruptionError(place, `no symbol ${symbol}`);
      this.labels[i] = symbol;
    }
    this.chunks = decodeChunkMetas(source);
  }

  #guard<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (cause instanceof DecodeError) {
        throw new CorruptionError(this.#parts.place, 'does not decode', { cause });
      }
      throw cause;
    }
  }
}

/** The chunks of a series entry; `source` stands behind the labels. */
export function decodeChunkMetas(source: ByteReader): ChunkMeta[] {
  const chunks: ChunkMeta[] = [];
  const count = source.uvarint();
  let previousMaxMs = 0;
  let previousRef = 0;
  for (let i = 0; i < count; i++) {
    const minMs = i === 0 ? source.varint() : previousMaxMs + source.uvarint();
    const maxMs = minMs + source.uvarint();
    const ref = i === 0 ? source.uvarint() : previousRef + source.varint();
    chunks.push({ minMs, maxMs, ref });
    previousMaxMs = maxMs;
    previousRef = ref;
  }
  return chunks;
}
