import { DecodeError } from '@pollux/base';
import { decodeBuckets } from '../downsample/bucket-chunk.ts';
import { BucketTable, TABLE_COLUMNS } from '../downsample/bucket-table.ts';
import { BUCKETS_ENCODING } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import type { ChunkContent, ChunkCount, SoundChunk } from './chunk-content.ts';

const EVERY_COLUMN = new Set(TABLE_COLUMNS);

/** Buckets of one resolution, that ascend and do not contradict themselves, and are bounded as the index says. */
export class BucketContent implements ChunkContent {
  readonly #table: BucketTable;

  constructor(resolutionMs: number) {
    this.#table = new BucketTable(resolutionMs);
  }

  examine(said: ChunkMeta, { encoding, bytes }: SoundChunk): ChunkCount | string {
    if (encoding !== BUCKETS_ENCODING) return `has encoding ${encoding}, which is not of buckets`;
    const table = this.#table;
    table.clear();
    try {
      decodeBuckets({ bytes, offset: 0, length: bytes.length }, table, EVERY_COLUMN);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return `does not decode: ${error.message}`;
    }
    const { count, columns, resolutionMs } = table;
    // What could not be gathered counts as one, and has the bounds of its slice.
    if (table.unfit !== null) return { samples: 1, floats: 1 };
    if (count === 0) return 'has no bucket';
    const minMs = columns.endsMs[0]! - resolutionMs + 1;
    const maxMs = columns.endsMs[count - 1]!;
    if (minMs !== said.minMs || maxMs !== said.maxMs)
      return `spans ${minMs}…${maxMs}, the index says ${said.minMs}…${said.maxMs}`;
    for (let i = 0; i < count; i++) {
      const fault = faultOf(table, i);
      if (fault !== null) return `bucket ${i} ${fault}`;
    }
    return { samples: count, floats: count };
  }
}

function faultOf({ columns, resolutionMs }: BucketTable, index: number): string | null {
  const end = columns.endsMs[index]!;
  const first = columns.firstTimesMs[index]!;
  const last = columns.lastTimesMs[index]!;
  const count = columns.counts[index]!;
  const least = columns.mins[index]!;
  const most = columns.maxs[index]!;
  if (!(first > end - resolutionMs && last <= end && first <= last))
    return 'has its first or last sample out of its time';
  if (!(count >= 1) || (count === 1) !== (first === last)) return 'counts what it cannot hold';
  // NaN is not out of order.
  if (least > most) return 'has a minimum above its maximum';
  for (const value of [columns.firstValues[index]!, columns.lastValues[index]!]) {
    if (value < least || value > most) return 'has a first or last value beyond its extremes';
  }
  return null;
}
