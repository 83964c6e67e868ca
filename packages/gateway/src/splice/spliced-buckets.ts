import { OperatingError } from '@pollux/base';
import type { Labels } from '@pollux/model';
import { BucketRows, type BucketWish, type ReadSeries } from '@pollux/remote';
import type { ReadContext, SeriesColumns } from '@pollux/storage';
import type { Part } from './segments.ts';

/** A series has histograms, which are in no bucket. */
export class HistogramsError extends OperatingError {
  constructor() {
    super('GATEWAY.HISTOGRAMS', 'histograms where buckets of floats were asked for');
  }
}

const NONE = new Float64Array(0);

/** Puts the buckets of several replicas together, which have their edges where the segments have theirs. */
export class SplicedBuckets {
  readonly #wish: BucketWish;
  readonly #isLent: boolean;
  readonly #context: ReadContext;
  #rows = new BucketRows();
  #zeros = NONE;
  #heldBytes = 0;

  constructor(
    wish: BucketWish,
    { isLent, context }: { readonly isLent: boolean; readonly context: ReadContext },
  ) {
    this.#wish = wish;
    this.#isLent = isLent;
    this.#context = context;
  }

  /** As for the samples: what was lent is free again, what was given away is the receiver's. */
  begin(): void {
    if (this.#isLent) {
      this.#rows.clear();
      return;
    }
    this.close();
    this.#rows = new BucketRows();
  }

  close(): void {
    this.#context.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Null where no part has a sample. */
  join(
    labels: Labels,
    parts: readonly Part[],
    copies: readonly (ReadSeries | null)[],
  ): SeriesColumns | null {
    const rows = this.#rows;
    const from = rows.count;
    for (const copy of copies) if (copy?.hasHistograms === true) throw new HistogramsError();
    for (const { replica, range } of parts) copies[replica]?.addBuckets(range, this.#wish, rows);
    const to = rows.count;
    const count = to - from;
    this.#hold(rows.heldBytes);
    if (count === 0) return null;
    return {
      labels,
      count,
      timestampsMs: rows.lastTimesMs.subarray(from, to),
      values: rows.lastValues.subarray(from, to),
      histograms: null,
      startTimestampsMs: null,
      replica: '',
      buckets: {
        // They are as long as the wish has them.
        resolutionMs: 0,
        counts: rows.counts.subarray(from, to),
        firstTimesMs: rows.firstTimesMs.subarray(from, to),
        firstValues: rows.firstValues.subarray(from, to),
        resets: this.#noResets(count),
        sums: NONE,
        mins: NONE,
        maxs: NONE,
      },
    };
  }

  /** A counter's resets begin buckets, so there is none in one. */
  #noResets(count: number): Float64Array {
    if (this.#zeros.length !== count) this.#zeros = new Float64Array(count);
    return this.#zeros;
  }

  #hold(bytes: number): void {
    if (bytes <= this.#heldBytes) return;
    this.#context.budget.take(bytes - this.#heldBytes);
    this.#heldBytes = bytes;
  }
}
