import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from '@pollux/model';

/** Empty buckets in a row that an integer histogram keeps inside a span, as Prometheus does; float ones keep none. */
const MAX_EMPTY_BUCKETS = 2;

/**
 * The samples of one classic histogram, gathered to be stored as one native histogram with custom buckets (NHCB). The first
 * fault stays until `clear`. Used again for the next one.
 */
export class ClassicHistogram {
  fault: string | null = null;
  readonly #bounds: number[] = [];
  readonly #cumulative: number[] = [];
  #count: number | null = null;
  #sum = 0;

  get isEmpty(): boolean {
    return this.#bounds.length === 0 && this.#count === null;
  }

  clear(): void {
    this.fault = null;
    this.#bounds.length = 0;
    this.#cumulative.length = 0;
    this.#count = null;
    this.#sum = 0;
  }

  setCount(count: number): void {
    if (count < 0) this.fault ??= `count must be non-negative: count=${count}`;
    this.#count = count;
  }

  setSum(sum: number): void {
    this.#sum = sum;
  }

  /** Buckets may come in any order; of two with one bound the first counts. */
  addBucket(bound: number, cumulative: number): void {
    if (this.fault !== null) return;
    const bounds = this.#bounds;
    const counts = this.#cumulative;
    if (Number.isNaN(bound)) this.fault = 'bucket boundary must not be NaN';
    else if (cumulative < 0)
      this.fault = `bucket count must be non-negative: le=${bound}, count=${cumulative}`;
    if (this.fault !== null) return;
    const at = positionOf(bounds, bound);
    if (bounds[at] === bound) return;
    if (at > 0 && cumulative < counts[at - 1]!)
      this.fault = `count is not cumulative: ${cumulative} < ${counts[at - 1]!}`;
    else if (at < bounds.length && cumulative > counts[at]!)
      this.fault = `count is not cumulative: ${cumulative} > ${counts[at]!}`;
    if (this.fault !== null) return;
    bounds.splice(at, 0, bound);
    counts.splice(at, 0, cumulative);
  }

  /** Null with `fault` set when the samples contradict each other. */
  convert(isGauge: boolean): FloatHistogram | null {
    if (this.fault !== null) return null;
    const bounds = this.#bounds;
    const cumulative = this.#cumulative;
    const count = this.#count ?? cumulative.at(-1) ?? 0;
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) {
      bounds.push(Number.POSITIVE_INFINITY);
      cumulative.push(count);
    }
    if (cumulative.at(-1) !== count) {
      this.fault = `count mismatch: count=${count} != le=+Inf count=${cumulative.at(-1)}`;
      return null;
    }
    const isInteger = Number.isInteger(count) && cumulative.every(Number.isInteger);
    const buckets = Float64Array.from(cumulative, (value, i) => value - (cumulative[i - 1] ?? 0));
    const filled = withoutEmpty(buckets, isInteger ? MAX_EMPTY_BUCKETS : 0);
    return {
      counterResetHint: isGauge ? 'gauge' : 'unknown',
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      count,
      sum: this.#sum,
      positiveSpans: filled.spans,
      negativeSpans: [],
      positiveBuckets: filled.buckets,
      negativeBuckets: new Float64Array(0),
      customValues: Float64Array.from(bounds.slice(0, -1)),
      isInteger,
      isStale: false,
    };
  }
}

/** The position of `bound`, or where it belongs. Bounds nearly always come in order. */
function positionOf(bounds: readonly number[], bound: number): number {
  let high = bounds.length;
  if (high === 0 || bounds[high - 1]! < bound) return high;
  let low = 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bounds[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Cuts runs of more than `maxEmpty` empty buckets out, and all at both ends. */
function withoutEmpty(
  buckets: Float64Array,
  maxEmpty: number,
): { readonly spans: readonly Span[]; readonly buckets: Float64Array } {
  const spans: Span[] = [];
  const kept: number[] = [];
  let end = 0;
  for (let at = 0; at < buckets.length; ) {
    if (buckets[at] === 0) {
      at++;
      continue;
    }
    const start = at;
    let stop = at;
    for (; at < buckets.length && at - stop <= maxEmpty; at++) if (buckets[at] !== 0) stop = at + 1;
    spans.push({ offset: start - end, length: stop - start });
    for (let i = start; i < stop; i++) kept.push(buckets[i]!);
    end = stop;
    at = stop;
  }
  return { spans, buckets: Float64Array.from(kept) };
}
