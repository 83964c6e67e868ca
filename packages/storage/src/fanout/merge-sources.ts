import { Heap } from '@pollux/base';
import type { Annotation, SeriesColumns, SeriesSource } from '../queryable.ts';
import { mergeColumns } from './merge-columns.ts';

/** Series handed on per batch. */
const BATCH_SERIES = 256;

export type MergeInput = {
  readonly source: SeriesSource;
  /**
   * What to do when the source fails: null fails the merge, otherwise what it gave so far stays and the text becomes a
   * warning.
   */
  readonly onError: (error: unknown) => string | null;
};

/** Makes one series of all that sources gave for it. */
export interface SeriesJoin {
  /** Parts in the order of their sources, whose places `ranks` has; null leaves the series out. */
  join(parts: readonly SeriesColumns[], ranks: readonly number[]): SeriesColumns | null;
  /** What it found worth telling. */
  readonly warnings: readonly Annotation[];
}

const PLAIN: SeriesJoin = { join: (parts) => mergeColumns(parts), warnings: [] };

type Lane = {
  readonly rank: number;
  readonly input: MergeInput;
  batch: readonly SeriesColumns[];
  at: number;
};

/**
 * Merges sources that are each sorted by labels into one, lazily: a k-way merge that holds one batch of each. Series with
 * equal labels become one; where two have a sample at one time, the earlier source's stays. A `join` other than that sees
 * every series.
 */
export class MergedSource implements SeriesSource {
  readonly #inputs: readonly MergeInput[];
  readonly #join: SeriesJoin;
  readonly #warnings: Annotation[] = [];
  readonly #heap = new Heap<Lane>(
    (a, b) => a.batch[a.at]!.labels.compare(b.batch[b.at]!.labels) || a.rank - b.rank,
  );
  #isStarted = false;

  constructor(inputs: readonly MergeInput[], join: SeriesJoin = PLAIN) {
    this.#inputs = inputs;
    this.#join = join;
  }

  get warnings(): readonly Annotation[] {
    return [
      ...this.#inputs.flatMap(({ source }) => source.warnings),
      ...this.#warnings,
      ...this.#join.warnings,
    ];
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    if (!this.#isStarted) {
      this.#isStarted = true;
      const lanes = this.#inputs.map((input, rank): Lane => ({ rank, input, batch: [], at: 0 }));
      const filled = await Promise.all(lanes.map((lane) => this.#fill(lane)));
      for (const [index, isFilled] of filled.entries()) {
        const lane = lanes[index];
        if (isFilled && lane !== undefined) this.#heap.push(lane);
      }
    }
    const merged: SeriesColumns[] = [];
    while (merged.length < BATCH_SERIES && this.#heap.size > 0) {
      const columns = await this.#take();
      if (columns !== null) merged.push(columns);
    }
    return merged.length === 0 ? null : merged;
  }

  close(): void {
    for (const { source } of this.#inputs) source.close();
  }

  /** The next series, made of all lanes that hold it. */
  async #take(): Promise<SeriesColumns | null> {
    const parts: SeriesColumns[] = [];
    const ranks: number[] = [];
    for (;;) {
      const lane = this.#heap.peek();
      const columns = lane?.batch[lane.at];
      if (lane === undefined || columns === undefined) break;
      const [first] = parts;
      if (first !== undefined && !first.labels.equals(columns.labels)) break;
      parts.push(columns);
      ranks.push(lane.rank);
      this.#heap.pop();
      lane.at++;
      if (lane.at < lane.batch.length || (await this.#fill(lane))) this.#heap.push(lane);
    }
    return this.#join.join(parts, ranks);
  }

  /** Gets the lane's next batch; false at its end. */
  async #fill(lane: Lane): Promise<boolean> {
    try {
      for (;;) {
        const batch = await lane.input.source.next();
        if (batch === null) return false;
        if (batch.length === 0) continue;
        lane.batch = batch;
        lane.at = 0;
        return true;
      }
    } catch (error) {
      const warning = lane.input.onError(error);
      if (warning === null) throw error;
      this.#warnings.push({ kind: 'warning', text: warning });
      return false;
    }
  }
}
