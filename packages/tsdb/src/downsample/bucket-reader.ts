import { DecodeError } from '@pollux/base';
import type { TimeRange } from '@pollux/storage';
import type { ChunkTarget } from '../block/block-cursor.ts';
import { CorruptionError, NotSupportedError } from '../errors.ts';
import { BUCKETS_ENCODING } from '../format/chunk-file.ts';
import { decodeBuckets } from './bucket-chunk.ts';
import type { BucketTable, TableColumn } from './bucket-table.ts';

/** Adds the buckets of slices to a table: those that have a time in the range and none that is deleted. */
export function bucketReader(
  table: BucketTable,
  range: TimeRange,
  wanted: ReadonlySet<TableColumn>,
): ChunkTarget {
  return {
    addChunk: ({ encoding, ...chunk }, deleted, place) => {
      if (encoding !== BUCKETS_ENCODING) {
        throw new NotSupportedError(`a chunk of encoding ${encoding} among buckets (${place()})`);
      }
      const first = table.count;
      try {
        decodeBuckets(chunk, table, wanted);
      } catch (cause) {
        if (!(cause instanceof DecodeError)) throw cause;
        throw new CorruptionError(place(), `malformed buckets: ${cause.message}`, { cause });
      }
      const { endsMs } = table.columns;
      table.keep(first, (index) => {
        const endMs = endsMs[index]!;
        return endMs >= range.minMs && endMs - table.resolutionMs < range.maxMs;
      });
      table.remove(first, deleted);
    },
  };
}
