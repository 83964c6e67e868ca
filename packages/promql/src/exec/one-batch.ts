import type { FloatHistogram } from '@pollux/model';
import { Batch, type SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import type { BlockOperator } from './operator.ts';

/** A value and its kind. */
const BYTES_PER_CELL = 9;

/**
 * Runs an operator whose steps fit into one batch block by block, and keeps nothing but the results: an instant query reads
 * many samples for one value.
 */
export class OneBatch implements BlockOperator {
  readonly #inner: BlockOperator;
  readonly #context: ExecContext;
  readonly #stepCount: number;
  #batch: Batch | null = null;

  constructor(inner: BlockOperator, stepCount: number, context: ExecContext) {
    this.#inner = inner;
    this.#stepCount = stepCount;
    this.#context = context;
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
    const all: SeriesInfo[] = [];
    const parts: Part[] = [];
    try {
      for (;;) {
        const series = await this.#inner.nextBlock();
        if (series === null) break;
        const batch = await this.#inner.next();
        if (batch === null) continue;
        this.#context.holdMemory(series.length * this.#stepCount * BYTES_PER_CELL);
        for (const info of series) all.push(info);
        const cells = series.length * batch.stepCount;
        parts.push({
          values: batch.values.slice(0, cells),
          kinds: batch.kinds.slice(0, cells),
          histograms: batch.histograms?.slice(0, cells) ?? null,
        });
      }
    } finally {
      this.#inner.closeBlocks();
    }
    this.#batch = joined(parts, all.length, this.#stepCount);
    return all;
  }

  async next(): Promise<Batch | null> {
    if (this.#batch === null) return this.#inner.next();
    const batch = this.#batch;
    this.#batch = new Batch(0, 0);
    return batch.stepCount === 0 ? null : batch;
  }
}

type Part = Pick<Batch, 'values' | 'kinds' | 'histograms'>;

function joined(parts: readonly Part[], seriesCount: number, stepCount: number): Batch {
  const batch = new Batch(seriesCount, stepCount);
  let at = 0;
  for (const { values, kinds, histograms } of parts) {
    batch.values.set(values, at);
    batch.kinds.set(kinds, at);
    if (histograms !== null) {
      batch.histograms ??= new Array<FloatHistogram | null>(seriesCount * stepCount).fill(null);
      for (const [i, histogram] of histograms.entries()) batch.histograms[at + i] = histogram;
    }
    at += kinds.length;
  }
  return batch;
}
