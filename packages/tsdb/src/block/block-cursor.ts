import { systemCode } from '@pollux/base';
import { matchPostings } from '@pollux/index';
import type { Labels, Matcher } from '@pollux/model';
import type { ChunkMeta } from '../format/index-write.ts';
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
    const { minMs, maxMs } = this.#range;
    return this.#chunks.some((chunk) => {
      const from = Math.max(chunk.minMs, minMs);
      const to = Math.min(chunk.maxMs, maxMs);
      return !deleted.some((interval) => interval.minMs <= from && interval.maxMs >= to);
    });
  }

  read(target: ChunkTarget): void {
    for (const { ref } of this.#chunks) this.#guarded(null, () => this.#readChunk(ref, target));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#block.release();
  }

  #readChunk(ref: number, target: ChunkTarget): null {
    const { encoding, bytes } = this.#block.chunk(ref);
    target.addChunk(
      { encoding, bytes, offset: 0, length: bytes.length, hidden: 0 },
      this.#block.tombstonesOf(this.ref),
      () => `${this.#block.directory}/chunks, reference ${ref}`,
    );
    return null;
  }

  /** What `read` gives, or `otherwise` where the block is damaged. */
  #guarded<T>(otherwise: T, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#onDamage(this.#block, error);
      return otherwise;
    }
  }
}

/** True for what is wrong with the bytes or the disk below them, not with the program or the query. */
export function isDamage(error: unknown): boolean {
  // By its code: what crossed from a worker is not of its class any more.
  const code = systemCode(error);
  return code === 'TSDB.CORRUPTION' || code === 'EIO';
}
