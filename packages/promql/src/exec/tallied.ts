import type { Batch, SeriesInfo } from './batch.ts';
import type { HeldSamples } from './held-samples.ts';
import type { NodeTally } from './node-tally.ts';
import { asBlocks, type BlockOperator, type Operator } from './operator.ts';

/** An operator whose results are counted for the limit of samples. */
export class Tallied implements BlockOperator {
  readonly #inner: Operator;
  readonly #tally: NodeTally;
  readonly #held: HeldSamples;
  #seriesCount = 0;
  #first = 0;

  constructor(inner: Operator, tally: NodeTally, held: HeldSamples) {
    this.#inner = inner;
    this.#tally = tally;
    this.#held = held;
  }

  get hasBlocks(): boolean {
    return asBlocks(this.#inner) !== null;
  }

  async series(): Promise<readonly SeriesInfo[]> {
    // Blocks may have been given before, of which nobody made use.
    this.#tally.clear();
    return this.#begin(await this.#inner.series());
  }

  async nextBlock(): Promise<readonly SeriesInfo[] | null> {
    const series = await (this.#inner as BlockOperator).nextBlock();
    return series === null ? null : this.#begin(series);
  }

  closeBlocks(): void {
    (this.#inner as BlockOperator).closeBlocks();
  }

  async next(): Promise<Batch | null> {
    const batch = await this.#inner.next();
    if (batch === null) return null;
    this.#tally.add(batch, this.#seriesCount, this.#first);
    this.#first += batch.stepCount;
    this.#held.check(this.#tally.points);
    return batch;
  }

  #begin(series: readonly SeriesInfo[]): readonly SeriesInfo[] {
    this.#seriesCount = series.length;
    this.#first = 0;
    return series;
  }
}
