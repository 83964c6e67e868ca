import { CanceledError, type Clock } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type {
  Annotation,
  BucketColumn,
  BucketColumns,
  ReadContext,
  SeriesColumns,
  SeriesSource,
} from '@pollux/storage';
import type { BlockCursor, ChunkTarget } from '../block/block-cursor.ts';
import type { ColumnBuilder } from '../query/column-builder.ts';
import { leastLabels, type SeriesCursor } from '../query/series-cursor.ts';
import { Slices } from '../slices.ts';
import type { BucketTable } from './bucket-table.ts';
import type { Slice } from './slice.ts';

const BATCH_SERIES = 128;
const BYTES_PER_NUMBER = 8;
const BYTES_PER_SAMPLE = 16;
const NONE = new Float64Array(0);

/** A part of the time of a query, between two bucket edges. */
export type BucketPart =
  | {
      readonly kind: 'slice';
      readonly slice: Slice;
      readonly cursor: BlockCursor;
      readonly target: ChunkTarget;
    }
  | {
      readonly kind: 'samples';
      /** In the order in which they answer. */
      readonly cursors: readonly SeriesCursor[];
      readonly builder: ColumnBuilder;
      /** Samples of others will come between them: each is a bucket of its own. */
      readonly isApart: boolean;
    };

export type BucketSelectOptions = {
  /** Ascending in time. */
  readonly parts: readonly BucketPart[];
  /** What the parts of kind `slice` add to. */
  readonly table: BucketTable;
  readonly columns: readonly BucketColumn[];
  /** May grow while the parts are read. */
  readonly warnings: readonly Annotation[];
  /** All samples of one series, which buckets cannot tell; null when it has none. */
  readonly samplesOf: (labels: Labels) => Promise<SeriesColumns | null>;
  /** Called for such a series when some of its samples are gone; what it throws ends the query, else the series is left out. */
  readonly onUnfit: (labels: Labels, table: BucketTable) => void;
  readonly limit: number;
  readonly context: ReadContext;
  readonly clock: Clock;
};

/** Gives series as buckets: those of slices, and in between of samples that are gathered as they are read. */
export class BucketSelect implements SeriesSource {
  readonly warnings: readonly Annotation[];
  readonly #options: BucketSelectOptions;
  readonly #cursors: readonly SeriesCursor[];
  readonly #slices: Slices;
  #given = 0;
  #isDone = false;

  constructor(options: BucketSelectOptions) {
    this.#options = options;
    this.warnings = options.warnings;
    this.#cursors = options.parts.flatMap((part) =>
      part.kind === 'slice' ? [part.cursor] : part.cursors,
    );
    this.#slices = new Slices(options.clock, options.context.signal);
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    if (this.#isDone) return null;
    const { signal } = this.#options.context;
    try {
      const batch: SeriesColumns[] = [];
      while (batch.length < BATCH_SERIES && this.#given < this.#options.limit) {
        if (signal.aborted) throw new CanceledError('query canceled', { cause: signal.reason });
        if (this.#slices.isOver) await this.#slices.pause();
        const labels = leastLabels(this.#cursors);
        if (labels === null) break;
        const columns = await this.#readSeries(labels);
        if (columns === null) continue;
        batch.push(columns);
        this.#given++;
      }
      if (batch.length > 0) return batch;
      this.close();
      return null;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#isDone = true;
    for (const cursor of this.#cursors) cursor.close();
  }

  async #readSeries(labels: Labels): Promise<SeriesColumns | null> {
    const { table, parts } = this.#options;
    table.clear();
    let isDropped = false;
    for (const part of parts) {
      if (part.kind === 'samples') {
        this.#gather(part, labels);
        continue;
      }
      const { cursor, slice, target } = part;
      if (cursor.labels === null || !cursor.labels.equals(labels)) continue;
      if (cursor.hasSamples()) {
        isDropped ||= slice.isDropped(cursor.ref);
        cursor.read(target);
      }
      cursor.advance();
    }
    if (table.unfit === null) return table.count === 0 ? null : this.#take(labels);
    if (!isDropped) return this.#options.samplesOf(labels);
    this.#options.onUnfit(labels, table);
    return null;
  }

  #gather(part: Extract<BucketPart, { kind: 'samples' }>, labels: Labels): void {
    const { builder } = part;
    for (const cursor of part.cursors) {
      if (cursor.labels === null || !cursor.labels.equals(labels)) continue;
      if (cursor.hasSamples()) cursor.read(builder);
      cursor.advance();
    }
    if (builder.count === 0) return;
    const columns = builder.take(labels);
    const { table } = this.#options;
    if (part.isApart) table.addApart(columns);
    else table.addSamples(columns);
    this.#options.context.budget.give(columns.count * BYTES_PER_SAMPLE);
  }

  #take(labels: Labels): SeriesColumns {
    const { table, columns: wanted, context } = this.#options;
    const { count, columns, resolutionMs } = table;
    context.budget.take(count * (BYTES_PER_SAMPLE + wanted.length * BYTES_PER_NUMBER));
    const columnOf = (name: BucketColumn): Float64Array =>
      wanted.includes(name) ? columns[name].slice(0, count) : NONE;
    const buckets: BucketColumns = {
      resolutionMs,
      counts: columnOf('counts'),
      sums: columnOf('sums'),
      mins: columnOf('mins'),
      maxs: columnOf('maxs'),
      firstTimesMs: columnOf('firstTimesMs'),
      firstValues: columnOf('firstValues'),
      resets: columnOf('resets'),
    };
    return {
      labels,
      count,
      timestampsMs: columns.lastTimesMs.slice(0, count),
      values: columns.lastValues.slice(0, count),
      histograms: null,
      startTimestampsMs: null,
      replica: '',
      buckets,
    };
  }
}
