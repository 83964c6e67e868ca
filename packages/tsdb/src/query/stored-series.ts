import type { Labels } from '@pollux/model';
import type { ChunkSink, MemoryBudget, TimeRange } from '@pollux/storage';
import type { Block } from '../block/block.ts';
import { isDamage, type OnDamage } from '../block/block-cursor.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { Interval } from '../head/intervals.ts';
import { ColumnBuilder } from './column-builder.ts';
import type { ColumnPool } from './column-pool.ts';
import type { TimedHistogram } from './histogram-run.ts';
import type { LentChunk, SampleTarget } from './sample-target.ts';

/** Those that every reader of Prometheus' chunks knows. */
const KNOWN_TO_ALL: ReadonlySet<number> = new Set([
  CHUNK_ENCODING.xor,
  CHUNK_ENCODING.histogram,
  CHUNK_ENCODING.floatHistogram,
]);
/** What is much longer than the range is cut to it, so that many short reads do not give the same chunks again and again. */
const MAX_CHUNK_RANGES = 2;
const FIRST_BYTES = 64 * 1024;
/** Decoders may look this far behind a chunk. */
const PADDING_BYTES = 16;
/** Bytes of a sample in a query's columns. */
const SAMPLE_BYTES = 16;

type KeptChunk = {
  readonly encoding: number;
  readonly offset: number;
  readonly length: number;
  readonly times: TimeRange;
  readonly block: Block | null;
};

/**
 * One series after the other, as its chunks while each begins behind the one before and shows all of its samples. What cannot be
 * passed on so is decoded: the newest chunk alone, when some of its samples do not show yet; all of them, when one overlaps an earlier
 * one, or is much longer than the range.
 */
export class StoredSeries implements SampleTarget {
  readonly #range: TimeRange;
  readonly #budget: MemoryBudget;
  readonly #onDamage: OnDamage;
  /** What follows the kept chunks, or all. */
  readonly #rest: ColumnBuilder;
  #kept: KeptChunk[] = [];
  #bytes = new Uint8Array(FIRST_BYTES);
  #used = 0;
  #takenBytes = 0;
  #isKeeping = true;
  #block: Block | null = null;

  constructor(
    range: TimeRange,
    budget: MemoryBudget,
    how: { readonly pool: ColumnPool; readonly onDamage: OnDamage },
  ) {
    this.#range = range;
    this.#budget = budget;
    this.#onDamage = how.onDamage;
    this.#rest = new ColumnBuilder(range, budget, { pool: how.pool });
  }

  /** What follows is of this block; null for the head. */
  from(block: Block | null): void {
    this.#block = block;
  }

  overlaps(minMs: number, maxMs: number): boolean {
    return maxMs >= this.#range.minMs && minMs <= this.#range.maxMs;
  }

  addChunk(
    chunk: LentChunk,
    deleted: readonly Interval[],
    place: () => string,
    times: TimeRange,
  ): void {
    const isBehind = times.minMs > (this.#kept.at(-1)?.times.maxMs ?? Number.NEGATIVE_INFINITY);
    const isWhole = chunk.hidden === 0 && deleted.length === 0 && KNOWN_TO_ALL.has(chunk.encoding);
    const { minMs, maxMs } = this.#range;
    const isFitting = times.maxMs - times.minMs <= MAX_CHUNK_RANGES * (maxMs - minMs);
    if (this.#isKeeping && isBehind && isWhole && isFitting) {
      this.#keep(chunk, times);
      return;
    }
    this.#isKeeping = false;
    if (!isBehind) this.#decodeKept();
    this.#rest.addChunk(chunk, deleted, place);
  }

  addSamples(
    timestampsMs: Float64Array,
    words: Uint32Array,
    count: number,
    startTimestampsMs: Float64Array | null = null,
  ): void {
    if (count === 0) return;
    this.#decodeKept();
    this.#rest.addSamples(timestampsMs, words, count, startTimestampsMs);
  }

  addHistograms(samples: readonly TimedHistogram[]): void {
    if (samples.length === 0) return;
    this.#decodeKept();
    this.#rest.addHistograms(samples);
  }

  /** Gives what was collected, if anything, and begins anew. */
  giveTo(sink: ChunkSink, labels: Labels): void {
    const isEmpty = this.#kept.length === 0 && this.#rest.count === 0;
    if (!isEmpty) {
      sink.begin(labels);
      for (const { encoding, offset, length, times } of this.#kept) {
        const bytes = this.#bytes.subarray(offset, offset + length);
        sink.chunk(encoding, bytes, times);
      }
      if (this.#rest.count > 0) this.#giveRest(sink, labels);
      sink.end();
    }
    this.#kept = [];
    this.#used = 0;
    this.#isKeeping = true;
  }

  close(): void {
    this.#rest.close();
    this.#budget.give(this.#takenBytes);
    this.#takenBytes = 0;
  }

  #giveRest(sink: ChunkSink, labels: Labels): void {
    this.#rest.hold(labels, false);
    for (const columns of this.#rest.release(true)) {
      sink.samples(columns);
      this.#budget.give(columns.count * SAMPLE_BYTES);
    }
  }

  #keep({ encoding, bytes, offset, length }: LentChunk, times: TimeRange): void {
    const needed = this.#used + length + PADDING_BYTES;
    if (needed > this.#bytes.length) {
      const size = Math.max(needed, this.#bytes.length * 2);
      this.#budget.take(size - this.#takenBytes);
      this.#takenBytes = size;
      const larger = new Uint8Array(size);
      larger.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes.subarray(offset, offset + length), this.#used);
    this.#kept.push({ encoding, offset: this.#used, length, times, block: this.#block });
    this.#used += length;
  }

  /** They come before what is added next: of two samples at one time the earlier source's is shown. */
  #decodeKept(): void {
    this.#isKeeping = false;
    const kept = this.#kept;
    this.#kept = [];
    for (const { encoding, offset, length, block } of kept) {
      const chunk = { encoding, bytes: this.#bytes, offset, length, hidden: 0 };
      try {
        this.#rest.addChunk(chunk, [], () => block?.directory ?? 'a series of the head');
      } catch (error) {
        if (block === null || !isDamage(error)) throw error;
        this.#onDamage(block, error);
      }
    }
  }
}
