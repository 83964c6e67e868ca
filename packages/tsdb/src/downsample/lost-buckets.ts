import { CanceledError, type Clock } from '@pollux/base';
import type { Labels } from '@pollux/model';
import type { ReadContext, SeriesColumns, SeriesSource, TimeRange } from '@pollux/storage';
import type { BlockCursor } from '../block/block-cursor.ts';
import { Slices } from '../slices.ts';
import { bucketReader } from './bucket-reader.ts';
import { BucketTable, type TableColumn } from './bucket-table.ts';
import type { Slice } from './slice.ts';

const BATCH_SERIES = 128;
const BYTES_PER_BUCKET = 32;
const COLUMNS: ReadonlySet<TableColumn> = new Set(['counts', 'firstTimesMs']);
const NONE = new Float64Array(0);

/** A slice, and the part of a query's time in which samples of it were dropped; cursors are over that part. */
export type LostPart = {
  readonly slice: Slice;
  readonly range: TimeRange;
  readonly cursor: BlockCursor;
};

/**
 * Of each series the buckets of one resolution whose samples were dropped: how many there were, the first and the last. Where
 * buckets cannot tell the series, one with the count 0 stands for the time of a slice.
 */
export class LostBuckets implements SeriesSource {
  readonly warnings: readonly [] = [];
  readonly #parts: readonly LostPart[];
  readonly #table: BucketTable;
  readonly #context: ReadContext;
  readonly #slices: Slices;
  #isDone = false;

  /** `parts` ascend in time. */
  constructor(
    parts: readonly LostPart[],
    resolutionMs: number,
    context: ReadContext,
    clock: Clock,
  ) {
    this.#parts = parts;
    this.#table = new BucketTable(resolutionMs);
    this.#context = context;
    this.#slices = new Slices(clock, context.signal);
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    const batch: SeriesColumns[] = [];
    while (!this.#isDone && batch.length < BATCH_SERIES) {
      const { signal } = this.#context;
      if (signal.aborted) throw new CanceledError('query canceled', { cause: signal.reason });
      if (this.#slices.isOver) await this.#slices.pause();
      const labels = this.#least();
      if (labels === null) break;
      const columns = this.#readSeries(labels);
      if (columns !== null) batch.push(columns);
    }
    if (batch.length > 0) return batch;
    this.close();
    return null;
  }

  close(): void {
    this.#isDone = true;
    for (const { cursor } of this.#parts) cursor.close();
  }

  #least(): Labels | null {
    let least: Labels | null = null;
    for (const { cursor } of this.#parts) {
      const { labels } = cursor;
      if (labels !== null && (least === null || labels.compare(least) < 0)) least = labels;
    }
    return least;
  }

  #readSeries(labels: Labels): SeriesColumns | null {
    const table = this.#table;
    table.clear();
    for (const { slice, range, cursor } of this.#parts) {
      if (cursor.labels === null || !cursor.labels.equals(labels)) continue;
      if (slice.isDropped(cursor.ref) && cursor.hasSamples()) {
        cursor.read(bucketReader(table, range, COLUMNS));
        if (table.unfit !== null) table.addUntold(range.minMs, range.maxMs);
      }
      cursor.advance();
    }
    const { count, columns, resolutionMs } = table;
    if (count === 0) return null;
    this.#context.budget.take(count * BYTES_PER_BUCKET);
    return {
      labels,
      count,
      timestampsMs: columns.lastTimesMs.slice(0, count),
      values: columns.lastValues.slice(0, count),
      histograms: null,
      startTimestampsMs: null,
      replica: '',
      buckets: {
        resolutionMs,
        counts: columns.counts.slice(0, count),
        sums: NONE,
        mins: NONE,
        maxs: NONE,
        firstTimesMs: columns.firstTimesMs.slice(0, count),
        firstValues: NONE,
        resets: NONE,
      },
    };
  }
}
