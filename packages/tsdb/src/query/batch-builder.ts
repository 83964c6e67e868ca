import type { Labels } from '@pollux/model';
import type { MemoryBudget, SelectRequest, SeriesColumns } from '@pollux/storage';
import type { ColumnBuilder } from './column-builder.ts';

/** Series of one batch. */
const BATCH_SERIES = 128;
/** A batch also ends with this many samples, so that long ranges do not hold the thread. */
const BATCH_SAMPLES = 100_000;
/** A batch that is lent is small enough for its columns to stay in the processor's cache. */
const LENT_SAMPLES = 16_384;
/** Bytes of a sample in a query's columns. */
const SAMPLE_BYTES = 16;

/** Makes batches of the series that a builder has collected one by one, as the request wants them. */
export class BatchBuilder {
  readonly #builder: ColumnBuilder;
  readonly #budget: MemoryBudget;
  readonly #isLent: boolean;
  readonly #isNewestOnly: boolean;
  #lentBytes = 0;
  #series = 0;
  #samples = 0;

  constructor(builder: ColumnBuilder, request: SelectRequest, budget: MemoryBudget) {
    this.#builder = builder;
    this.#budget = budget;
    this.#isLent = request.isLent ?? false;
    this.#isNewestOnly = request.isNewestOnly ?? false;
  }

  get hasRoom(): boolean {
    const most = this.#isLent ? LENT_SAMPLES : BATCH_SAMPLES;
    return this.#series < BATCH_SERIES && this.#samples < most;
  }

  /** Begins a batch; the one before, if it was lent, is no longer the receiver's. */
  begin(): void {
    this.close();
    this.#series = 0;
    this.#samples = 0;
  }

  /** Adds the series that the builder has collected. */
  add(labels: Labels): void {
    this.#series++;
    this.#samples += this.#builder.count;
    this.#builder.hold(labels, this.#isNewestOnly);
  }

  end(): SeriesColumns[] {
    const batch = this.#builder.release(this.#isLent);
    if (this.#isLent) for (const { count } of batch) this.#lentBytes += count * SAMPLE_BYTES;
    return batch;
  }

  /** Gives back the memory of what was lent. */
  close(): void {
    this.#budget.give(this.#lentBytes);
    this.#lentBytes = 0;
  }
}
