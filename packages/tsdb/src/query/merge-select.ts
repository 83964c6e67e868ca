import { CanceledError, type Clock } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type {
  Annotation,
  ReadContext,
  SelectRequest,
  SeriesColumns,
  SeriesSource,
} from '@pollux/storage';
import { Slices } from '../slices.ts';
import { ColumnBuilder } from './column-builder.ts';
import { hasLiveSamples } from './deleted-series.ts';
import { leastLabels, type SeriesCursor } from './series-cursor.ts';

/** Series of one batch. */
const BATCH_SERIES = 128;
/** A batch also ends with this many samples, so that long ranges do not hold the thread. */
const BATCH_SAMPLES = 100_000;
/** A batch that is lent is small enough for its columns to stay in the processor's cache. */
const LENT_SAMPLES = 16_384;
/** Bytes of a sample in a query's columns. */
const SAMPLE_BYTES = 16;

/** Merges cursors, oldest source first, into batches of series sorted by labels. */
export class MergeSelect implements SeriesSource {
  readonly warnings: readonly Annotation[];
  readonly #cursors: readonly SeriesCursor[];
  readonly #slices: Slices;
  readonly #context: ReadContext;
  readonly #builder: ColumnBuilder;
  readonly #wantsLabelsOnly: boolean;
  readonly #limit: number;
  readonly #isLent: boolean;
  readonly #isNewestOnly: boolean;
  #lentBytes = 0;
  #given = 0;
  #isDone = false;

  /** `source.warnings` may grow while the cursors are read. */
  constructor(
    source: {
      readonly cursors: readonly SeriesCursor[];
      readonly warnings: readonly Annotation[];
    },
    request: SelectRequest,
    context: ReadContext,
    clock: Clock,
  ) {
    this.#cursors = source.cursors;
    this.warnings = source.warnings;
    this.#slices = new Slices(clock, context.signal);
    this.#context = context;
    this.#builder = new ColumnBuilder(request.range, context.budget);
    this.#wantsLabelsOnly = request.hints.func === 'series';
    this.#limit = request.hints.limit > 0 ? request.hints.limit : Number.POSITIVE_INFINITY;
    this.#isLent = request.isLent ?? false;
    this.#isNewestOnly = request.isNewestOnly ?? false;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    if (this.#isDone) return null;
    try {
      const { signal } = this.#context;
      if (signal.aborted) throw new CanceledError('query canceled', { cause: signal.reason });
      // A caller that only loops over this method would otherwise hold the thread for the whole query.
      if (this.#slices.isOver) await this.#slices.pause();
      const batch = this.#batch();
      if (batch.length === 0) {
        this.close();
        return null;
      }
      return batch;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#isDone = true;
    this.#takeBack();
    for (const cursor of this.#cursors) cursor.close();
  }

  #batch(): SeriesColumns[] {
    this.#takeBack();
    const most = this.#isLent ? LENT_SAMPLES : BATCH_SAMPLES;
    let series = 0;
    let samples = 0;
    while (series < BATCH_SERIES && samples < most && this.#given < this.#limit) {
      const labels = leastLabels(this.#cursors);
      if (labels === null) break;
      const count = this.#readSeries(labels);
      if (count < 0) continue;
      this.#builder.hold(labels, this.#isNewestOnly);
      this.#given++;
      series++;
      samples += count;
    }
    const batch = this.#builder.release(this.#isLent);
    if (this.#isLent) for (const { count } of batch) this.#lentBytes += count * SAMPLE_BYTES;
    return batch;
  }

  /** What the receiver has been lent is no longer his: its memory is used again. */
  #takeBack(): void {
    this.#context.budget.give(this.#lentBytes);
    this.#lentBytes = 0;
  }

  /** Collects the series: its number of samples, or −1 when it has none in the range. Moves the cursors that stand on it. */
  #readSeries(labels: Labels): number {
    let isPresent = false;
    for (const cursor of this.#cursors) {
      if (cursor.labels === null || !cursor.labels.equals(labels)) continue;
      if (this.#wantsLabelsOnly) isPresent ||= hasLiveSamples(cursor, this.#builder);
      else if (cursor.hasSamples()) cursor.read(this.#builder);
      cursor.advance();
    }
    const { count } = this.#builder;
    return isPresent || count > 0 ? count : -1;
  }
}

/** The answer to a query that could not begin. */
export class FailedSelect implements SeriesSource {
  readonly warnings: readonly Annotation[] = [];
  readonly #error: unknown;

  constructor(error: unknown) {
    this.#error = error;
  }

  next(): Promise<never> {
    return Promise.reject(this.#error);
  }

  close(): void {}
}
