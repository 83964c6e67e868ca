import { Labels } from '@pollux/model';
import { MemoryBudget, type TimeRange } from '@pollux/storage';
import { isDamage } from '../block/block-cursor.ts';
import type { BlockWriter } from '../block/block-writer.ts';
import type { PartsMerger } from '../compaction/compact-blocks.ts';
import type { SeriesPart } from '../compaction/merge-series.ts';
import { BUCKETS_ENCODING } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { ColumnBuilder } from '../query/column-builder.ts';
import type { Slices } from '../slices.ts';
import { BucketEncoder, decodeBuckets } from './bucket-chunk.ts';
import { BucketTable, TABLE_COLUMNS } from './bucket-table.ts';

export type GatherOptions = {
  readonly writer: BlockWriter;
  readonly slices: Slices;
  readonly resolutionMs: number;
  /** Of the slice, both ends included. */
  readonly range: TimeRange;
  /** Told of chunks that cannot be read, which are then left out; null lets their errors through. */
  readonly onDamage: ((error: unknown) => void) | null;
};

/** Gathers the samples of one series after the other into buckets. */
export class BucketGatherer implements PartsMerger {
  readonly #options: GatherOptions;
  readonly #builder: ColumnBuilder;
  readonly #table: BucketTable;
  readonly #encoder = new BucketEncoder();

  constructor(options: GatherOptions) {
    this.#options = options;
    this.#builder = new ColumnBuilder(options.range, MemoryBudget.unlimited());
    this.#table = new BucketTable(options.resolutionMs);
  }

  async merge(parts: readonly SeriesPart[]): Promise<readonly ChunkMeta[]> {
    const { slices } = this.#options;
    for (const part of parts) {
      for (const { ref } of part.chunks) {
        this.#read(part, ref);
        if (slices.isOver) await slices.pause();
      }
    }
    if (this.#builder.count === 0) return [];
    const columns = this.#builder.take(Labels.EMPTY);
    const table = this.#table;
    table.clear();
    table.addSamples(columns);
    if (table.unfit !== null) {
      return writeTable(this.#options.writer, this.#encoder, table, this.#options.range);
    }
    // Stale markers alone are no bucket.
    return table.count === 0 ? [] : writeTable(this.#options.writer, this.#encoder, table, null);
  }

  #read(part: SeriesPart, ref: number): void {
    const { onDamage } = this.#options;
    try {
      const { encoding, bytes } = part.scan.read(ref);
      const chunk = { encoding, bytes, offset: 0, length: bytes.length, hidden: 0 };
      this.#builder.addChunk(chunk, part.deleted, () => `${part.place}, reference ${ref}`);
    } catch (error) {
      if (onDamage === null || !isDamage(error)) throw error;
      onDamage(error);
    }
  }
}

/** Copies buckets from one slice to the next without those that are deleted. */
export class BucketCopier implements PartsMerger {
  readonly #writer: BlockWriter;
  readonly #range: TimeRange;
  readonly #table: BucketTable;
  readonly #encoder = new BucketEncoder();

  constructor(writer: BlockWriter, resolutionMs: number, range: TimeRange) {
    this.#writer = writer;
    this.#range = range;
    this.#table = new BucketTable(resolutionMs);
  }

  async merge([part]: readonly SeriesPart[]): Promise<readonly ChunkMeta[]> {
    const table = this.#table;
    table.clear();
    if (part === undefined) return [];
    for (const { ref } of part.chunks) {
      const { bytes } = part.scan.read(ref);
      decodeBuckets({ bytes, offset: 0, length: bytes.length }, table, EVERY_COLUMN);
    }
    table.remove(0, part.deleted);
    if (table.unfit !== null) return writeTable(this.#writer, this.#encoder, table, this.#range);
    return table.count === 0 ? [] : writeTable(this.#writer, this.#encoder, table, null);
  }
}

const EVERY_COLUMN = new Set(TABLE_COLUMNS);

/** `range` stands for the times of a table without buckets. */
async function writeTable(
  writer: BlockWriter,
  encoder: BucketEncoder,
  table: BucketTable,
  range: TimeRange | null,
): Promise<readonly ChunkMeta[]> {
  const { endsMs } = table.columns;
  const { bytes, end } = encoder.encode(table);
  const chunk = { bytes, start: 0, end };
  const ref = await writer.addChunk(BUCKETS_ENCODING, chunk, Math.max(1, table.count));
  if (range !== null) return [{ ...range, ref }];
  const minMs = endsMs[0]! - table.resolutionMs + 1;
  return [{ minMs, maxMs: endsMs[table.count - 1]!, ref }];
}
