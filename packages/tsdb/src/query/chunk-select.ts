import { CanceledError, type Clock } from '@pollux/base';
import type { Annotation, ChunkSink, ChunkSource, ReadContext, TimeRange } from '@pollux/storage';
import type { OnDamage } from '../block/block-cursor.ts';
import { Slices } from '../slices.ts';
import type { ColumnPool } from './column-pool.ts';
import { leastLabels, type SeriesCursor } from './series-cursor.ts';
import { StoredSeries } from './stored-series.ts';

/** Series between two answers to the caller. */
const BATCH_SERIES = 128;

export type ChunkSelectSource = {
  readonly cursors: readonly SeriesCursor[];
  readonly warnings: readonly Annotation[];
  readonly onDamage: OnDamage;
};

/** As MergeSelect, but gives chunks as they are stored, whole, wherever none of them overlaps another. */
export class ChunkSelect implements ChunkSource {
  readonly warnings: readonly Annotation[];
  readonly #cursors: readonly SeriesCursor[];
  readonly #slices: Slices;
  readonly #context: ReadContext;
  readonly #series: StoredSeries;
  #isPrepared = false;
  #isDone = false;

  /** `source.warnings` may grow while the cursors are read. */
  constructor(
    source: ChunkSelectSource,
    range: TimeRange,
    context: ReadContext,
    { clock, pool }: { readonly clock: Clock; readonly pool: ColumnPool },
  ) {
    this.#cursors = source.cursors;
    this.warnings = source.warnings;
    this.#slices = new Slices(clock, context.signal);
    this.#context = context;
    this.#series = new StoredSeries(range, context.budget, { pool, onDamage: source.onDamage });
  }

  async next(sink: ChunkSink): Promise<boolean> {
    if (this.#isDone) return false;
    try {
      const { signal } = this.#context;
      if (signal.aborted) throw new CanceledError('query canceled', { cause: signal.reason });
      if (!this.#isPrepared) await this.#prepare();
      for (let given = 0; given < BATCH_SERIES && !this.#isDone; given++) {
        if (this.#slices.isOver) await this.#slices.pause();
        if (!this.#give(sink)) this.close();
      }
      return !this.#isDone;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#isDone = true;
    this.#series.close();
    for (const cursor of this.#cursors) cursor.close();
  }

  async #prepare(): Promise<void> {
    this.#isPrepared = true;
    for (const cursor of this.#cursors) await cursor.prepare?.(this.#slices);
  }

  /** Gives the next series; false when there is none. */
  #give(sink: ChunkSink): boolean {
    const labels = leastLabels(this.#cursors);
    if (labels === null) return false;
    const series = this.#series;
    for (const cursor of this.#cursors) {
      if (cursor.labels === null || !cursor.labels.equals(labels)) continue;
      series.from(cursor.block ?? null);
      if (cursor.hasSamples()) cursor.read(series);
      cursor.advance();
    }
    series.giveTo(sink, labels);
    return true;
  }
}
