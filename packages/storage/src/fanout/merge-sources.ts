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

type Lane = {
  readonly rank: number;
  readonly input: MergeInput;
  batch: readonly SeriesColumns[];
  at: number;
};

/**
 * Merges sources that are each sorted by labels into one, lazily: a k-way merge that holds one batch of each. Series with
 * equal labels become one; where two have a sample at one time, the earlier source's stays.
 */
export class MergedSource implements SeriesSource {
  readonly #inputs: readonly MergeInput[];
  readonly #warnings: Annotation[] = [];
  readonly #heap = new Heap<Lane>(
    (a, b) => a.batch[a.at]!.labels.compare(b.batch[b.at]!.labels) || a.rank - b.rank,
  );
  #isStarted = false;

  constructor(inputs: readonly MergeInput[]) {
    this.#inputs = inputs;
  }

  get warnings(): readonly Annotation[] {
    return [...this.#inputs.flatMap(({ source }) => source.warnings), ...this.#warnings];
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
    while (merged.length < BATCH_SERIES && this.#heap.size > 0) merged.push(await this.#take());
    return merged.length === 0 ? null : merged;
  }

  close(): void {
    for (const { source } of this.#inputs) source.close();
  }

  /** The next series, made of all lanes that hold it. */
  async #take(): Promise<SeriesColumns> {
    const parts: SeriesColumns[] = [];
    for (;;) {
      const lane = this.#heap.peek();
      const columns = lane?.batch[lane.at];
      if (lane === undefined || columns === undefined) break;
      const [first] = parts;
      if (first !== undefined && !first.labels.equals(columns.labels)) break;
      parts.push(columns);
      this.#heap.pop();
      lane.at++;
      if (lane.at < lane.batch.length || (await this.#fill(lane))) this.#heap.push(lane);
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : mergeColumns(parts);
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
