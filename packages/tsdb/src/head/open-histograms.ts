import { type HistogramChunk, type HistogramSample, HistogramWriter } from '@pollux/kernels';
import type { EncodedChunk } from '../format/rewrite-chunk.ts';
import { chunkEndMs, rangeEndMs } from './chunk-times.ts';
import type { Slot } from './series-table.ts';

/** Size that a chunk of histograms is meant to have. */
const TARGET_BYTES = 1024;
/** A chunk with fewer is only cut where it must be. */
const MIN_SAMPLES = 10;
/** A chunk of this size is cut whatever it holds: completed chunks must fit into a slab. */
const MAX_BYTES = 32 * 1024;

type OpenChunk = {
  readonly writer: HistogramWriter;
  minMs: number;
  maxMs: number;
  cutMs: number;
  /** True once `cutMs` divides the chunk's range evenly by the size it had at a quarter. */
  isEndPredicted: boolean;
};

/**
 * The open chunks of the series whose newest sample is a native histogram. Unlike chunks of floats they are objects of
 * their own: such series are few, and each sample is large.
 */
export class OpenHistograms {
  readonly #chunks = new Map<Slot, OpenChunk>();
  readonly #chunkRangeMs: number;
  readonly #hasStartTimes: boolean;

  constructor(options: { readonly chunkRangeMs: number; readonly hasStartTimes: boolean }) {
    this.#chunkRangeMs = options.chunkRangeMs;
    this.#hasStartTimes = options.hasStartTimes;
  }

  /** Series with an open chunk of histograms. */
  get count(): number {
    return this.#chunks.size;
  }

  has(slot: Slot): boolean {
    return this.#chunks.has(slot);
  }

  /** The open chunk, lent until the next append; null when there is none. */
  chunkOf(slot: Slot): (EncodedChunk & { readonly samples: number }) | null {
    const open = this.#chunks.get(slot);
    const chunk = open?.writer.open ?? null;
    if (open === undefined || chunk === null) return null;
    const { minMs, maxMs } = open;
    return { ...encoded(chunk, minMs, maxMs), samples: chunk.count };
  }

  /** True when the newest sample of the series is this one, or another stale marker. */
  isLast(slot: Slot, sample: HistogramSample): boolean {
    return this.#chunks.get(slot)?.writer.isLast(sample) ?? false;
  }

  /** True when the series' newest histogram came as integers. */
  isInteger(slot: Slot): boolean {
    return this.#chunks.get(slot)?.writer.open?.isInteger ?? false;
  }

  /** Appends the sample, newer than all of the series; returns the chunk that it completed. */
  append(slot: Slot, sample: HistogramSample): EncodedChunk | null {
    const { timestampMs } = sample;
    const open = this.#chunks.get(slot);
    if (open === undefined) {
      const writer = new HistogramWriter(this.#hasStartTimes);
      writer.append(sample, false);
      const cutMs = rangeEndMs(timestampMs, this.#chunkRangeMs);
      const times = { minMs: timestampMs, maxMs: timestampMs, cutMs };
      this.#chunks.set(slot, { writer, ...times, isEndPredicted: false });
      return null;
    }
    const completed = open.writer.append(sample, this.#mustCut(open, timestampMs));
    const { minMs, maxMs } = open;
    open.maxMs = timestampMs;
    if (completed === null) return null;
    open.minMs = timestampMs;
    open.cutMs = rangeEndMs(timestampMs, this.#chunkRangeMs);
    open.isEndPredicted = false;
    return encoded(completed, minMs, maxMs);
  }

  /** Ends the series' open chunk and returns it. */
  take(slot: Slot): EncodedChunk | null {
    const chunk = this.chunkOf(slot);
    this.#chunks.delete(slot);
    return chunk;
  }

  /** Prometheus' rules; the chunk never crosses a multiple of the chunk range. */
  #mustCut(open: OpenChunk, timestampMs: number): boolean {
    const chunk = open.writer.open;
    if (chunk === null) return false;
    const { byteLength, count } = chunk;
    const rangeEnd = rangeEndMs(open.minMs, this.#chunkRangeMs);
    if (!open.isEndPredicted && byteLength >= TARGET_BYTES / 4) {
      open.cutMs = chunkEndMs(open.minMs, open.maxMs, open.cutMs, TARGET_BYTES / byteLength);
      open.isEndPredicted = true;
    }
    if (byteLength >= MAX_BYTES) return true;
    const isDue = timestampMs >= open.cutMs || byteLength >= TARGET_BYTES * 2;
    return isDue && (count >= MIN_SAMPLES || timestampMs >= rangeEnd);
  }
}

function encoded(chunk: HistogramChunk, minMs: number, maxMs: number): EncodedChunk {
  const { encoding, bytes, byteLength } = chunk;
  return { encoding, bytes, start: 0, length: byteLength, minMs, maxMs };
}
