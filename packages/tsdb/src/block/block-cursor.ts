import type { Labels, Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import { NotSupportedError } from '../errors.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import type { ColumnBuilder } from '../query/column-builder.ts';
import { matchPostings } from '../query/label-index.ts';
import type { SeriesCursor } from '../query/series-cursor.ts';
import { type Block, chunksIn } from './block.ts';

/** The matching series of a block; references ascend in the order of the labels, so nothing is sorted. */
export class BlockCursor implements SeriesCursor {
  readonly #block: Block;
  readonly #range: TimeRange;
  readonly #refs: Uint32Array;
  #index = -1;
  #labels: Labels | null = null;
  #chunks: readonly ChunkMeta[] = [];
  #isClosed = false;

  constructor(block: Block, range: TimeRange, matchers: readonly Matcher[]) {
    this.#block = block;
    this.#range = range;
    this.#refs = matchPostings(block.index, matchers);
    block.hold();
    try {
      this.advance();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get labels(): Labels | null {
    return this.#labels;
  }

  advance(): void {
    if (++this.#index >= this.#refs.length) {
      this.#labels = null;
      return;
    }
    const { labels, chunks } = this.#block.index.series(this.#refs[this.#index]!);
    this.#labels = labels;
    this.#chunks = chunksIn(chunks, this.#range);
  }

  hasSamples(): boolean {
    const deleted = this.#block.tombstonesOf(this.#refs[this.#index]!);
    return this.#chunks.some(
      (chunk) => !deleted.some(({ minMs, maxMs }) => minMs <= chunk.minMs && maxMs >= chunk.maxMs),
    );
  }

  read(target: ColumnBuilder): void {
    const deleted = this.#block.tombstonesOf(this.#refs[this.#index]!);
    for (const { ref } of this.#chunks) {
      const { encoding, bytes } = this.#block.chunk(ref);
      if (encoding !== CHUNK_ENCODING.xor) {
        throw new NotSupportedError(
          `reading chunks of encoding ${encoding} (block ${this.#block.ulid})`,
        );
      }
      target.addXorChunk(
        { bytes, offset: 0, length: bytes.length, hidden: 0 },
        deleted,
        () => `${this.#block.directory}/chunks, reference ${ref}`,
      );
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#block.release();
  }
}
