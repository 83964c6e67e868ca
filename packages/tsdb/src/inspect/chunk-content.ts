import { DecodeError } from '@pollux/base';
import { isFloatEncoding } from '../format/float-chunk.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { chunkTimes } from './chunk-times.ts';

/** A chunk whose checksum is right; `bytes` is lent. */
export type SoundChunk = { readonly encoding: number; readonly bytes: Uint8Array };

/** What a chunk counts for in a block's statistics. */
export type ChunkCount = { readonly samples: number; readonly floats: number };

/** What the chunks of a block are made of. */
export interface ChunkContent {
  /** What the chunk, which the index speaks of so, counts for; or what is wrong with it. */
  examine(said: ChunkMeta, chunk: SoundChunk): ChunkCount | string;
}

/** Samples of any known encoding, ascending, the first and last of which are the bounds in the index. */
export const SAMPLE_CONTENT: ChunkContent = {
  examine: (said, { encoding, bytes }) => {
    try {
      const times = chunkTimes(encoding, bytes);
      if (times === null) return `has encoding ${encoding}, which is not known`;
      const { count, timestampsMs } = times;
      if (count === 0) return 'has no sample';
      if (timestampsMs[0] !== said.minMs || timestampsMs[count - 1] !== said.maxMs)
        return `spans ${timestampsMs[0]}…${timestampsMs[count - 1]}, the index says ${said.minMs}…${said.maxMs}`;
      for (let i = 1; i < count; i++) {
        if (!(timestampsMs[i]! > timestampsMs[i - 1]!))
          return `sample ${i} is not later than the one before`;
      }
      return { samples: count, floats: isFloatEncoding(encoding) ? count : 0 };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return `does not decode: ${error.message}`;
    }
  },
};
