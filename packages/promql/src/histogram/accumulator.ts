import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from '@pollux/model';
import {
  commonBounds,
  exponentialBound,
  forEachBucket,
  reducedIndex,
  remappedIndex,
  sameBounds,
  spansOf,
} from './buckets.ts';

/** What adding a histogram came across. */
export type AddOutcome = {
  /** Exponential and custom buckets can not be brought together; nothing was added. */
  isIncompatible: boolean;
  /** One said that a counter was reset, the other that it was not. */
  hasHintCollision: boolean;
  /** Custom bounds differed and were cut down to the common ones. */
  isReconciled: boolean;
};

/** A sum with what rounding lost (Neumaier). */
type Compensated = { sum: number; lost: number };

/**
 * Adds and subtracts native histograms of any exponential schema, or of custom buckets, with compensated sums per bucket.
 * The result has the lowest schema and the widest zero bucket of all that went in.
 */
export class HistogramAccumulator {
  #schema: number;
  #zeroThreshold: number;
  #customValues: Float64Array | null;
  #hint: CounterResetHint;
  readonly #zeroCount: Compensated;
  readonly #count: Compensated;
  readonly #sum: Compensated;
  #positive: Map<number, Compensated>;
  #negative: Map<number, Compensated>;

  constructor(first: FloatHistogram) {
    this.#schema = first.schema;
    this.#zeroThreshold = first.zeroThreshold;
    this.#customValues = first.customValues;
    this.#hint = first.counterResetHint;
    this.#zeroCount = { sum: first.zeroCount, lost: 0 };
    this.#count = { sum: first.count, lost: 0 };
    this.#sum = { sum: first.sum, lost: 0 };
    this.#positive = new Map();
    this.#negative = new Map();
    forEachBucket(first.positiveSpans, first.positiveBuckets, (index, count) =>
      this.#positive.set(index, { sum: count, lost: 0 }),
    );
    forEachBucket(first.negativeSpans, first.negativeBuckets, (index, count) =>
      this.#negative.set(index, { sum: count, lost: 0 }),
    );
  }

  get hint(): CounterResetHint {
    return this.#hint;
  }

  add(other: FloatHistogram): AddOutcome {
    return this.#combine(other, 1);
  }

  /** The result of a subtraction is a gauge. */
  subtract(other: FloatHistogram): AddOutcome {
    const outcome = this.#combine(other, -1);
    if (!outcome.isIncompatible) this.#hint = 'gauge';
    return outcome;
  }

  scale(factor: number): this {
    scaleBy(this.#zeroCount, factor);
    scaleBy(this.#count, factor);
    scaleBy(this.#sum, factor);
    for (const bucket of this.#positive.values()) scaleBy(bucket, factor);
    for (const bucket of this.#negative.values()) scaleBy(bucket, factor);
    return this;
  }

  /** The histogram so far, without empty buckets. */
  finish(hint: CounterResetHint = this.#hint): FloatHistogram {
    const positive = spansOf(totals(this.#positive));
    const negative = spansOf(totals(this.#negative));
    return {
      counterResetHint: hint,
      schema: this.#schema,
      zeroThreshold: this.#zeroThreshold,
      zeroCount: total(this.#zeroCount),
      count: total(this.#count),
      sum: total(this.#sum),
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveBuckets: positive.buckets,
      negativeBuckets: negative.buckets,
      customValues: this.#customValues,
      isInteger: false,
      isStale: false,
    };
  }

  #combine(other: FloatHistogram, sign: number): AddOutcome {
    const isCustom = this.#schema === CUSTOM_BUCKETS_SCHEMA;
    if (isCustom !== (other.schema === CUSTOM_BUCKETS_SCHEMA))
      return { isIncompatible: true, hasHintCollision: false, isReconciled: false };
    const hasHintCollision = this.#mergeHint(other.counterResetHint);
    accumulate(this.#count, sign * other.count);
    accumulate(this.#sum, sign * other.sum);
    if (isCustom) {
      const isReconciled = this.#addCustom(other, sign);
      return { isIncompatible: false, hasHintCollision, isReconciled };
    }
    this.#addExponential(other, sign);
    return { isIncompatible: false, hasHintCollision, isReconciled: false };
  }

  /** Returns true when the two hints contradict each other. */
  #mergeHint(hint: CounterResetHint): boolean {
    if (hint === this.#hint || this.#hint === 'gauge') return false;
    if (hint === 'gauge') {
      this.#hint = 'gauge';
      return false;
    }
    const isCollision = this.#hint !== 'unknown' && hint !== 'unknown';
    this.#hint = 'unknown';
    return isCollision;
  }

  #addCustom(other: FloatHistogram, sign: number): boolean {
    const mine = this.#customValues!;
    const theirs = other.customValues!;
    const isReconciled = !sameBounds(mine, theirs);
    const bounds = isReconciled ? commonBounds(mine, theirs) : mine;
    if (isReconciled) {
      this.#positive = remap(this.#positive, (index) => remappedIndex(index, mine, bounds));
      this.#customValues = bounds;
    }
    forEachBucket(other.positiveSpans, other.positiveBuckets, (index, count) =>
      accumulateAt(
        this.#positive,
        isReconciled ? remappedIndex(index, theirs, bounds) : index,
        sign * count,
      ),
    );
    return isReconciled;
  }

  #addExponential(other: FloatHistogram, sign: number): void {
    const zeroCount = this.#reconcileZero(other);
    accumulate(this.#zeroCount, sign * zeroCount);
    const schema = Math.min(this.#schema, other.schema);
    if (schema < this.#schema) {
      const from = this.#schema;
      this.#positive = remap(this.#positive, (index) => reducedIndex(index, from, schema));
      this.#negative = remap(this.#negative, (index) => reducedIndex(index, from, schema));
      this.#schema = schema;
    }
    const into = (side: Map<number, Compensated>) => (index: number, count: number) => {
      // What the widened zero bucket swallowed is in zeroCount already.
      if (exponentialBound(index, other.schema) <= this.#zeroThreshold) return;
      accumulateAt(side, reducedIndex(index, other.schema, schema), sign * count);
    };
    forEachBucket(other.positiveSpans, other.positiveBuckets, into(this.#positive));
    forEachBucket(other.negativeSpans, other.negativeBuckets, into(this.#negative));
  }

  /** Widens both zero buckets to one threshold; returns what the other's zero bucket then holds. */
  #reconcileZero(other: FloatHistogram): number {
    let threshold = other.zeroThreshold;
    let count = other.zeroCount;
    // Each turn moves a threshold up to a bucket's bound, so the loop ends with the last bucket.
    while (threshold !== this.#zeroThreshold) {
      if (this.#zeroThreshold > threshold) {
        const sides: Sides = {
          positive: mapOf(other.positiveSpans, other.positiveBuckets),
          negative: mapOf(other.negativeSpans, other.negativeBuckets),
          schema: other.schema,
        };
        const wider = widenZero(sides, other.zeroCount, this.#zeroThreshold);
        threshold = wider.threshold;
        count = wider.count;
      }
      if (threshold > this.#zeroThreshold) this.#widenOwn(threshold);
    }
    return count;
  }

  #widenOwn(threshold: number): void {
    const sides: Sides = {
      positive: totals(this.#positive),
      negative: totals(this.#negative),
      schema: this.#schema,
    };
    const wider = widenZero(sides, total(this.#zeroCount), threshold);
    this.#zeroThreshold = wider.threshold;
    this.#zeroCount.sum = wider.count;
    this.#zeroCount.lost = 0;
    for (const side of [this.#positive, this.#negative]) {
      for (const index of [...side.keys()])
        if (exponentialBound(index, this.#schema) <= wider.threshold) side.delete(index);
    }
  }
}

export type Sides = {
  readonly positive: ReadonlyMap<number, number>;
  readonly negative: ReadonlyMap<number, number>;
  readonly schema: number;
};

/**
 * The count of a zero bucket widened to at least `threshold`. A populated bucket that the threshold would cut moves the
 * threshold up to that bucket's far bound.
 */
export function widenZero(
  sides: Sides,
  zeroCount: number,
  threshold: number,
): { readonly count: number; readonly threshold: number } {
  let limit = threshold;
  for (;;) {
    let count = zeroCount;
    let isCut = false;
    for (const side of [sides.positive, sides.negative]) {
      for (const [index, bucketCount] of side) {
        const lower = exponentialBound(index - 1, sides.schema);
        if (lower >= limit) continue;
        count += bucketCount;
        const upper = exponentialBound(index, sides.schema);
        if (upper > limit && bucketCount !== 0) {
          limit = upper;
          isCut = true;
        }
      }
    }
    if (!isCut) return { count, threshold: limit };
  }
}

function mapOf(
  spans: FloatHistogram['positiveSpans'],
  counts: Float64Array,
): ReadonlyMap<number, number> {
  const map = new Map<number, number>();
  forEachBucket(spans, counts, (index, count) => map.set(index, count));
  return map;
}

function accumulate(into: Compensated, value: number): void {
  const next = into.sum + value;
  if (!Number.isFinite(next)) into.lost = 0;
  else if (Math.abs(into.sum) >= Math.abs(value)) into.lost += into.sum - next + value;
  else into.lost += value - next + into.sum;
  into.sum = next;
}

function accumulateAt(side: Map<number, Compensated>, index: number, value: number): void {
  const bucket = side.get(index);
  if (bucket === undefined) side.set(index, { sum: value, lost: 0 });
  else accumulate(bucket, value);
}

function scaleBy(value: Compensated, factor: number): void {
  value.sum *= factor;
  value.lost *= factor;
}

function total(value: Compensated): number {
  return Number.isFinite(value.sum) ? value.sum + value.lost : value.sum;
}

function totals(side: ReadonlyMap<number, Compensated>): Map<number, number> {
  const result = new Map<number, number>();
  for (const [index, value] of side) result.set(index, total(value));
  return result;
}

function remap(
  side: ReadonlyMap<number, Compensated>,
  map: (index: number) => number,
): Map<number, Compensated> {
  const result = new Map<number, Compensated>();
  for (const [index, value] of side) {
    const target = result.get(map(index));
    if (target === undefined) result.set(map(index), { ...value });
    else {
      accumulate(target, value.sum);
      target.lost += value.lost;
    }
  }
  return result;
}
