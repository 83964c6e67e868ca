import { ByteReader } from '@pollux/base';
import { U32List } from '@pollux/index';
import type { Catalogue } from '../catalogue.ts';
import { ShardCorruptionError } from '../errors.ts';
import { kindOf } from '../field-kind.ts';
import type { BlockReader } from './block-reader.ts';
import type { WrittenIndex } from './data-file-writer.ts';
import { LAST_WHOLE_INDEX } from './data-format.ts';
import { FileIndex } from './file-index.ts';

export type ReadIndex = WrittenIndex & {
  /** Newest whole millisecond of each replica in the file. */
  readonly newestMs: ReadonlyMap<string, number>;
};

/**
 * Reads the index of a data file, adding its names to the catalogue; yields between pieces of some thousand columns, so that
 * the caller may give the thread away. Throws ShardCorruptionError and DecodeError.
 */
export function* readIndex(
  blocks: BlockReader,
  place: { readonly catalogue: Catalogue; readonly baseMs: number },
): Generator<void, ReadIndex, void> {
  const reader = new IndexReader(blocks, place);
  const head = new ByteReader(blocks.read(blocks.indexOffset));
  const walThrough = head.uvarint();
  const replaces = readNumbers(head);
  let pageOffsets: number[];
  if (blocks.version <= LAST_WHOLE_INDEX) {
    reader.texts(head, head.uvarint());
    pageOffsets = readNumbers(head);
    for (let left = head.uvarint(); left > 0; left--) {
      reader.column(head);
      if (left % COLUMNS_PER_PIECE === 0) yield;
    }
  } else {
    const textBlocks = readNumbers(head);
    const columnBlocks = readNumbers(head);
    pageOffsets = readNumbers(head);
    const columns = head.uvarint();
    for (const offset of textBlocks) {
      reader.texts(new ByteReader(blocks.read(offset)), Number.POSITIVE_INFINITY);
      yield;
    }
    for (const offset of columnBlocks) {
      const block = new ByteReader(blocks.read(offset));
      while (block.offset < block.end) reader.column(block);
      yield;
    }
    if (reader.index.columnCount !== columns) {
      throw new ShardCorruptionError(blocks.path, `has not the ${columns} columns that it names`);
    }
  }
  return {
    index: reader.index,
    pageOffsets: Float64Array.from(pageOffsets),
    walThrough,
    replaces,
    newestMs: reader.newestMs(),
  };
}

const COLUMNS_PER_PIECE = 512;

class IndexReader {
  readonly index: FileIndex;
  readonly #path: string;
  readonly #catalogue: Catalogue;
  /** Number of a text in the file → symbol of the catalogue. */
  readonly #symbols = new U32List();
  /** By symbol of the replica. */
  readonly #newestMs = new Map<number, number>();
  #series = new Uint32Array(65);

  constructor(
    blocks: BlockReader,
    place: { readonly catalogue: Catalogue; readonly baseMs: number },
  ) {
    this.#path = blocks.path;
    this.#catalogue = place.catalogue;
    this.index = new FileIndex(place.baseMs);
  }

  texts(reader: ByteReader, most: number): void {
    for (let left = most; left > 0 && reader.offset < reader.end; left--) {
      this.#symbols.push(this.#catalogue.names.symbol(reader.uvarintText()));
    }
  }

  column(reader: ByteReader): void {
    const catalogue = this.#catalogue;
    const measurement = this.#symbol(reader);
    const pairs = reader.uvarint();
    if (pairs > reader.end - reader.offset)
      throw new ShardCorruptionError(this.#path, 'too many tags in the index');
    const count = pairs * 2 + 1;
    if (this.#series.length < count) this.#series = new Uint32Array(count * 2);
    this.#series[0] = measurement;
    for (let i = 1; i < count; i++) this.#series[i] = this.#symbol(reader);
    const series = catalogue.seriesOfSymbols(this.#series, pairs);
    const field = this.#symbol(reader);
    const replica = this.#symbol(reader);
    const kind = kindOf(reader.u8());
    if (kind === null)
      throw new ShardCorruptionError(this.#path, 'unknown field type in the index');
    catalogue.fieldKind(series, field, kind);
    const column = catalogue.column(series, catalogue.columnClass(field, kind, replica));
    catalogue.setHasData(column, true);
    this.index.addColumn(column);
    for (let left = reader.uvarint(); left > 0; left--) this.#chunk(reader, replica);
  }

  #chunk(reader: ByteReader, replica: number): void {
    const page = reader.uvarint();
    const offset = reader.uvarint();
    const length = reader.uvarint();
    const rows = reader.uvarint();
    const minMs = reader.varint();
    const maxMs = minMs + reader.uvarint();
    this.index.addChunk({ page, offset, length, rows, minMs, maxMs });
    const newest = this.#newestMs.get(replica);
    if (newest === undefined || maxMs > newest) this.#newestMs.set(replica, maxMs);
  }

  #symbol(reader: ByteReader): number {
    const number = reader.uvarint();
    if (number < this.#symbols.length) return this.#symbols.at(number);
    throw new ShardCorruptionError(this.#path, 'unknown symbol in the index');
  }

  newestMs(): Map<string, number> {
    const newest = new Map<string, number>();
    for (const [replica, ms] of this.#newestMs) newest.set(this.#catalogue.names.text(replica), ms);
    return newest;
  }
}

function readNumbers(reader: ByteReader): number[] {
  const numbers: number[] = [];
  for (let left = reader.uvarint(); left > 0; left--) numbers.push(reader.uvarint());
  return numbers;
}
