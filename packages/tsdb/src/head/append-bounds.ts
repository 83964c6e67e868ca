/** What the bounds are taken from: the head, which itself imports this file. */
type Bounded = {
  readonly appendableMinMs: number;
  readonly isEmpty: boolean;
  readonly maxMs: number;
  readonly outOfOrder: { readonly windowMs: number };
};

/** Against what the samples of a batch are checked, fixed with its first sample as in Prometheus. */
export type AppendBounds = {
  /** Samples before it cannot be taken in order: they belong to blocks, or to the next one that may be being cut. */
  readonly minValidMs: number;
  /** Newest sample of the head; of an empty one the first sample of the batch. */
  readonly newestMs: number;
  /** How far behind `newestMs` a sample may be; 0 = none is taken out of order. */
  readonly windowMs: number;
};

/** Beside the outcomes of an append: the sample is taken out of order. */
export const LATE = 255;

export function appendBounds(head: Bounded, firstMs: number): AppendBounds {
  return {
    minValidMs: head.appendableMinMs,
    newestMs: head.isEmpty ? firstMs : head.maxMs,
    windowMs: head.outOfOrder.windowMs,
  };
}
