import type { HistogramRecord } from '../format/wal-histograms.ts';
import type { Interval } from '../head/intervals.ts';
import type { Slot } from '../head/series-table.ts';
import type { Wal } from '../wal/wal.ts';
import { OooReaders } from './ooo-readers.ts';
import { OooSamples, type OooSamplesOptions } from './ooo-samples.ts';

/**
 * The out-of-order part of a head: what arrived behind the newest sample of its series, its log, and the window that
 * says how far behind. The window may be closed while samples are left; they are answered and go to blocks all the same.
 */
export class OutOfOrder {
  readonly samples: OooSamples;
  readonly readers = new OooReaders();
  /** How far behind the newest sample of the head a sample may be; 0 = nothing is taken. */
  windowMs = 0;
  /** The write-behind log; null while the window has not been open and nothing was found on the disk. */
  log: Wal | null = null;
  /** Blocks hold all samples of the log's segments up to this one; −1 when there are no such segments. */
  #lastMovedSegment = -1;
  #minMs = Number.POSITIVE_INFINITY;
  #nextMinMs = Number.POSITIVE_INFINITY;
  #nextMaxMs = Number.NEGATIVE_INFINITY;
  #pendingMs = new Float64Array(0);
  #maxMs = Number.NEGATIVE_INFINITY;

  constructor(options: Omit<OooSamplesOptions, 'readers'>) {
    this.samples = new OooSamples({ ...options, readers: this.readers });
  }

  /** Time that holds all samples, perhaps more; +Infinity when there is none. */
  get minMs(): number {
    return this.#minMs;
  }

  /** −Infinity when there is none. */
  get maxMs(): number {
    return this.#maxMs;
  }

  get isEmpty(): boolean {
    return this.#minMs > this.#maxMs;
  }

  /**
   * Removes the log's segments up to this one, whose samples are in blocks, without holding the thread. To be awaited while
   * the samples are still here too: a deletion that comes meanwhile is then logged behind these segments. Resolves with the
   * system's error, or null.
   */
  async removeMoved(lastSegment: number): Promise<unknown> {
    try {
      await this.log?.shorten(lastSegment);
      return null;
    } catch (error) {
      return error;
    }
  }

  /** {@link removeMoved} has failed for these segments and the samples are gone from here: {@link shortenLog} tries again. */
  noteMoved(lastSegment: number): void {
    this.#lastMovedSegment = lastSegment;
  }

  /**
   * Removes segments that an earlier attempt has left: what is deleted from blocks would come back from them with the next
   * start. Throws the system's error.
   */
  shortenLog(): void {
    if (this.#lastMovedSegment < 0) return;
    this.log?.truncate(this.#lastMovedSegment);
    this.#lastMovedSegment = -1;
  }

  overlaps(range: Interval): boolean {
    return range.maxMs >= this.#minMs && range.minMs <= this.#maxMs;
  }

  /** Takes a logged sample and makes it visible; false when the open chunk has one of that time. */
  insert(slot: Slot, timestampMs: number, low: number, high: number, startMs: number): boolean {
    if (!this.samples.insert(slot, timestampMs, low, high, startMs)) return false;
    this.#widen(timestampMs);
    return true;
  }

  /** As {@link insert}, for a histogram that the samples' `histograms.fits`. */
  insertHistogram(slot: Slot, record: HistogramRecord): boolean {
    const { timestampMs, histogram, startTimestampMs } = record;
    if (!this.samples.insertHistogram(slot, timestampMs, histogram, startTimestampMs)) return false;
    this.#widen(timestampMs);
    return true;
  }

  #widen(timestampMs: number): void {
    this.#minMs = Math.min(this.#minMs, timestampMs);
    this.#maxMs = Math.max(this.#maxMs, timestampMs);
    this.#nextMinMs = Math.min(this.#nextMinMs, timestampMs);
    this.#nextMaxMs = Math.max(this.#nextMaxMs, timestampMs);
  }

  /** A number for each of the slots, −Infinity: scratch for one synchronous step, which puts back what it has changed. */
  pendingMs(slots: number): Float64Array {
    if (this.#pendingMs.length < slots) {
      this.#pendingMs = new Float64Array(slots * 2).fill(Number.NEGATIVE_INFINITY);
    }
    return this.#pendingMs;
  }

  /** Begins new bounds, which {@link endBounds} takes into use: those of what is left, and of what arrives meanwhile. */
  beginBounds(): void {
    this.#nextMinMs = Number.POSITIVE_INFINITY;
    this.#nextMaxMs = Number.NEGATIVE_INFINITY;
  }

  widenNext({ minMs, maxMs }: Interval): void {
    this.#nextMinMs = Math.min(this.#nextMinMs, minMs);
    this.#nextMaxMs = Math.max(this.#nextMaxMs, maxMs);
  }

  endBounds(): void {
    this.#minMs = this.#nextMinMs;
    this.#maxMs = this.#nextMaxMs;
  }
}
