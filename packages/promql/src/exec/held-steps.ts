import { Batch, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import { BATCH_STEPS, BatchCursor, type StepGrid } from './grid.ts';
import type { BlockOperator } from './operator.ts';

/** Series times steps that are held. Above, the samples are held instead and looked at step by step. */
const MAX_CELLS = 2 ** 20;
/** A value and its kind. */
const BYTES_PER_CELL = 9;

/** Of the series of one block, all steps: cell (s, i) lies at `s * steps + i`. */
type Rows = { readonly count: number; readonly values: Float64Array; readonly kinds: Uint8Array };

/**
 * Runs an operator over many steps block by block and holds what it gave, instead of all samples of all series, which mostly are
 * more and come in columns of their own. Native histograms and very many results go the other way.
 */
export class HeldSteps implements BlockOperator {
  readonly #inner: BlockOperator;
  readonly #grid: StepGrid;
  readonly #context: ExecContext;
  readonly #steps: BatchCursor;
  /** Null: the operator below gives its batches itself. */
  #rows: Rows[] | null = null;
  #batch: Batch | null = null;
  #seriesCount = 0;

  constructor(inner: BlockOperator, grid: StepGrid, context: ExecContext) {
    this.#inner = inner;
    this.#grid = grid;
    this.#context = context;
    this.#steps = new BatchCursor(grid);
  }

  get hasBlocks(): boolean {
    return this.#inner.hasBlocks;
  }

  nextBlock(): Promise<readonly SeriesInfo[] | null> {
    return this.#inner.nextBlock();
  }

  closeBlocks(): void {
    this.#inner.closeBlocks();
  }

  async series(): Promise<readonly SeriesInfo[]> {
    const counts = this.#context.counts.of(this.#grid);
    const countsBefore = counts?.copy() ?? null;
    const all: SeriesInfo[] = [];
    const held: Rows[] = [];
    let cells = 0;
    try {
      for (;;) {
        const series = await this.#inner.nextBlock();
        if (series === null) break;
        cells += series.length * this.#grid.count;
        const rows = cells > MAX_CELLS ? null : await this.#rowsOf(series.length);
        if (rows === null) {
          if (countsBefore !== null) counts?.restore(countsBefore);
          this.#inner.closeBlocks();
          return await this.#inner.series();
        }
        for (const info of series) all.push(info);
        held.push(rows);
      }
    } finally {
      this.#inner.closeBlocks();
    }
    this.#rows = held;
    this.#seriesCount = all.length;
    return all;
  }

  /** Null when there are histograms. */
  async #rowsOf(count: number): Promise<Rows | null> {
    const steps = this.#grid.count;
    this.#context.holdMemory(count * steps * BYTES_PER_CELL);
    const values = new Float64Array(count * steps);
    const kinds = new Uint8Array(count * steps);
    for (let first = 0; ; ) {
      const batch = await this.#inner.next();
      if (batch === null) return { count, values, kinds };
      if (batch.histograms !== null) return null;
      const { stepCount } = batch;
      for (let s = 0, cell = 0; s < count; s++) {
        const row = s * steps + first;
        for (let i = 0; i < stepCount; i++, cell++) {
          values[row + i] = batch.values[cell]!;
          kinds[row + i] = batch.kinds[cell]!;
        }
      }
      first += stepCount;
    }
  }

  async next(): Promise<Batch | null> {
    if (this.#rows === null) return this.#inner.next();
    await this.#context.checkpoint();
    const cursor = this.#steps;
    if (!cursor.advance()) return null;
    const steps = this.#grid.count;
    this.#batch ??= new Batch(this.#seriesCount, Math.min(BATCH_STEPS, steps));
    const batch = this.#batch;
    batch.stepCount = cursor.count;
    let cell = 0;
    for (const { count, values, kinds } of this.#rows) {
      for (let s = 0; s < count; s++) {
        const row = s * steps + cursor.first;
        for (let i = 0; i < cursor.count; i++, cell++) {
          batch.values[cell] = values[row + i]!;
          batch.kinds[cell] = kinds[row + i]!;
        }
      }
    }
    return batch;
  }
}
