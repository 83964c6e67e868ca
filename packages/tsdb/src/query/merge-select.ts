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
import { BatchBuilder } from './batch-builder.ts';
import { ColumnBuilder } from './column-builder.ts';
import type { ColumnPool } from './column-pool.ts';
import { hasLiveSamples } from './deleted-series.ts';
import { leastLabels, type SeriesCursor } from './series-cursor.ts';

/** Merges cursors, oldest source first, into batches of series sorted by labels. */
export class MergeSelect implements SeriesSource {
  readonly warnings: readonly Annotation[];
  readonly #cursors: readonly SeriesCursor[];
  readonly #slices: Slices;
  readonly #context: ReadContext;
  readonly #builder: ColumnBuilder;
  readonly #wantsLabelsOnly: boolean;
  readonly #limit: number;
  readonly #batches: BatchBuilder;
  #given = 0;
  #isPrepared = false;
  #isDone = false;

  /** `source.warnings` may grow while the cursors are read. */
  constructor(
    source: {
      readonly cursors: readonly SeriesCursor[];
      readonly warnings: readonly Annotation[];
    },
    request: SelectRequest,
    context: ReadContext,
    { clock, columns: pool }: { readonly clock: Clock; readonly columns?: ColumnPool },
  ) {
    this.#cursors = source.cursors;
    this.warnings = source.warnings;
    this.#slices = new Slices(clock, context.signal);
    this.#context = context;
    const isNewestOnly = request.isNewestOnly ?? false;
    this.#builder = new ColumnBuilder(request.range, context.budget, { isNewestOnly, pool });
    this.#wantsLabelsOnly = request.hints.func === 'series';
    this.#limit = request.hints.limit > 0 ? request.hints.limit : Number.POSITIVE_INFINITY;
    this.#batches = new BatchBuilder(this.#builder, request, context.budget);
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    if (this.#isDone) return null;
    try {
      const { signal } = this.#context;
      if (signal.aborted) throw new CanceledError('query canceled', { cause: signal.reason });
      // A caller that only loops over this method would otherwise hold the thread for the whole query.
      if (this.#slices.isOver) await this.#slices.pause();
      if (!this.#isPrepared) await this.#prepare();
      if (this.#isDone) return null;
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
    this.#batches.close();
    this.#builder.close();
    for (const cursor of this.#cursors) cursor.close();
  }

  async #prepare(): Promise<void> {
    this.#isPrepared = true;
    for (const cursor of this.#cursors) await cursor.prepare?.(this.#slices);
  }

  #batch(): SeriesColumns[] {
    const batches = this.#batches;
    batches.begin();
    while (batches.hasRoom && this.#given < this.#limit) {
      const labels = leastLabels(this.#cursors);
      if (labels === null) break;
      if (!this.#readSeries(labels)) continue;
      batches.add(labels);
      this.#given++;
    }
    return batches.end();
  }

  /** Collects the series; false when it has no sample in the range. Moves the cursors that stand on it. */
  #readSeries(labels: Labels): boolean {
    let isPresent = false;
    for (const cursor of this.#cursors) {
      if (cursor.labels === null || !cursor.labels.equals(labels)) continue;
      if (this.#wantsLabelsOnly) isPresent ||= hasLiveSamples(cursor, this.#builder);
      else if (cursor.hasSamples()) cursor.read(this.#builder);
      cursor.advance();
    }
    return isPresent || this.#builder.count > 0;
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
