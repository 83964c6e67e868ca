import { systemCode } from '@pollux/base';
import { matchPostings } from '@pollux/index';
import type { Labels, Matcher } from '@pollux/model';
import type { BlockChunkRef } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import type { Interval } from '../head/intervals.ts';
import type { SampleTarget } from '../query/sample-target.ts';
import type { SeriesCursor } from '../query/series-cursor.ts';
import type { SparseRange } from '../query/sparse-range.ts';
import { type Block, chunksIn } from './block.ts';

/** Told of a part of a block that cannot be read; what it throws ends the reading, else the part is left out. */
export type OnDamage = (block: Block, error: unknown) => void;

/** Takes the chunks of a series. */
export type ChunkTarget = Pick<SampleTarget, 'addChunk'>;

/** The matching series of a block; references ascend in the order of the labels, so nothing is sorted. */
export class BlockCursor implements SeriesCursor {
  readonly #block: Block;
  readonly #range: SparseRange;
  readonly #onDamage: OnDamage;
  readonly #refs: Uint32Array;
  #index = -1;
  #labels: Labels | null = null;
  #chunks: readonly ChunkMeta[] = [];
  #isClosed = false;
  /** The chunk that is being read, and what names it in errors. */
  #chunkRef: BlockChunkRef = 0;
  readonly #place = (): string => `${this.#block.directory}/chunks, reference ${this.#chunkRef}`;

  /** `select`: matchers, or the references themselves, ascending. */
  constructor(
    block: Block,
    range: SparseRange,
    select: readonly Matcher[] | Uint32Array,
    onDamage: OnDamage,
  ) {
    this.#block = block;
    this.#range = range;
    this.#onDamage = onDamage;
    this.#refs = this.#guarded(new Uint32Array(0), () =>
      select instanceof Uint32Array ? select : matchPostings(block.index, select),
    );
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

  get block(): Block {
    return this.#block;
  }

  get ref(): number {
    return this.#refs[this.#index]!;
  }

  get hasDeletions(): boolean {
    return this.#block.tombstonesOf(this.ref).length > 0;
  }

  advance(): void {
    this.#labels = null;
    while (this.#labels === null && ++this.#index < this.#refs.length) {
      const entry = this.#guarded(null, () => this.#block.index.series(this.ref));
      if (entry === null) continue;
      this.#labels = entry.labels;
      this.#chunks = chunksIn(entry.chunks, this.#range);
    }
  }

  hasSamples(): boolean {
    const deleted = this.#block.tombstonesOf(this.ref);
    // They are those that overlap the range.
    if (deleted.length === 0) return this.#chunks.length > 0;
    const { minMs, maxMs } = this.#range;
    return this.#chunks.some((chunk) => {
      const from = Math.max(chunk.minMs, minMs);
      const to = Math.min(chunk.maxMs, maxMs);
      return !deleted.some((interval) => interval.minMs <= from && interval.maxMs >= to);
    });
  }

  read(target: ChunkTarget): void {
    const deleted = this.#block.tombstonesOf(this.ref);
    for (const chunk of this.#chunks) this.#readChunk(chunk, target, deleted);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#block.release();
  }

  /** As {@link #guarded}, but without a function for each chunk. */
  #readChunk(meta: ChunkMeta, target: ChunkTarget, deleted: readonly Interval[]): void {
    this.#chunkRef = meta.ref;
    try {
      target.addChunk(this.#block.chunk(meta.ref), deleted, this.#place, meta);
    } catch (error) {
      this.#leaveOut(error);
    }
  }

  /** What `read` gives, or `otherwise` where the block is damaged. */
  #guarded<T>(otherwise: T, read: () => T): T {
    try {
      return read();
    } catch (error) {
      this.#leaveOut(error);
      return otherwise;
    }
  }

  #leaveOut(error: unknown): void {
    if (!isDamage(error)) throw error;
    this.#onDamage(this.#block, error);
  }
}

/** True for what is wrong with the bytes or the disk below them, not with the program or the query. */
export function isDamage(error: unknown): boolean {
  // By its code: what crossed from a worker is not of its class any more.
  const code = systemCode(error);
  return code === 'TSDB.CORRUPTION' || code === 'EIO';
}
