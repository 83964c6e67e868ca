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

/**
 * An operator that can also give its series in blocks, each of few series over all steps, so that what lies below need not be
 * held for all series at once. Either `series` or `nextBlock` is called, then `next` until it gives null; after
 * {@link closeBlocks} one may begin anew with `series`.
 */
export interface BlockOperator extends Operator {
  /** False where the operator cannot go over its steps more than once. */
  readonly hasBlocks: boolean;
  /** The series of the next block, whose batches {@link next} then gives; null behind the last. */
  nextBlock(): Promise<readonly SeriesInfo[] | null>;
  /** Lets go of what is being read. Idempotent. */
  closeBlocks(): void;
}

/** The operator by its face for blocks, or null where it has none. */
export function asBlocks(operator: Operator): BlockOperator | null {
  return 'hasBlocks' in operator && operator.hasBlocks === true
    ? (operator as BlockOperator)
    : null;
}
