import type { Batch, SeriesInfo } from './batch.ts';

/**
 * One node of a running query. `series` comes first and tells every series that may have values; then `next` gives batch
 * after batch over the operator's grid, null at the end. Cells of a batch stand in the order of `series`. Scalars are one
 * series without labels that has a value at every step.
 */
export interface Operator {
  series(): Promise<readonly SeriesInfo[]>;
  /** The batch is overwritten by the next call. */
  next(): Promise<Batch | null>;
}
