import type { SeededRandom } from '@pollux/base';
import type { FloatHistogram, Span } from '@pollux/model';

export type SourceOptions = {
  readonly isInteger: boolean;
  readonly isGauge?: boolean;
  readonly isCustom?: boolean;
};

/** Histograms of one series as a program under load gives them: they grow, get buckets, start again, change their layout. */
export class HistogramSource {
  readonly #random: SeededRandom;
  readonly #options: SourceOptions;
  readonly #positive = new Map<number, number>();
  readonly #negative = new Map<number, number>();
  #zero = 0;
  #schema = 1;
  #bounds = Float64Array.of(0.1, 0.25, 1, 1e9);

  constructor(random: SeededRandom, options: SourceOptions) {
    this.#random = random;
    this.#options = options;
  }

  reset(): void {
    this.#positive.clear();
    this.#negative.clear();
    this.#zero = 0;
  }

  /** `isCalm`: it only grows in the buckets that it has. */
  next(isCalm = false): FloatHistogram {
    const random = this.#random;
    const { isGauge = false, isCustom = false } = this.#options;
    if (!isCalm) this.#disturb();
    this.#grow(this.#positive, isCalm);
    if (!isCustom) this.#grow(this.#negative, isCalm);
    if (!isCustom) this.#zero += this.#amount();
    return this.#build(isGauge, random.below(40) === 0 && !isCalm);
  }

  #disturb(): void {
    const random = this.#random;
    if (random.below(30) === 0) this.reset();
    if (random.below(50) === 0) {
      this.#schema = random.below(9) - 2;
      this.#bounds = Float64Array.from(this.#bounds, (bound) => bound * 2);
    }
    if (this.#options.isGauge === true && random.below(4) === 0) {
      for (const bucket of this.#positive.keys()) {
        if (random.below(3) === 0) this.#positive.delete(bucket);
      }
    }
  }

  #grow(side: Map<number, number>, isCalm: boolean): void {
    const random = this.#random;
    const reach = this.#options.isCustom === true ? 5 : 14;
    const lowest = this.#options.isCustom === true ? 0 : -4;
    if (side.size === 0 || (!isCalm && random.below(6) === 0)) {
      side.set(lowest + random.below(reach), this.#amount());
    }
    for (const [bucket, count] of side) side.set(bucket, count + this.#amount());
  }

  #amount(): number {
    const whole = this.#random.below(20);
    return this.#options.isInteger ? whole : whole + this.#random.below(64) / 64;
  }

  #build(isGauge: boolean, hasNanSum: boolean): FloatHistogram {
    const { isInteger, isCustom = false } = this.#options;
    const positive = listOf(this.#positive);
    const negative = listOf(this.#negative);
    let count = this.#zero;
    for (const bucket of positive.buckets) count += bucket;
    for (const bucket of negative.buckets) count += bucket;
    return {
      counterResetHint: isGauge ? 'gauge' : 'unknown',
      schema: isCustom ? -53 : this.#schema,
      zeroThreshold: isCustom ? 0 : 2 ** -128,
      zeroCount: this.#zero,
      count,
      sum: hasNanSum ? Number.NaN : count * 1.25,
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveBuckets: positive.buckets,
      negativeBuckets: negative.buckets,
      customValues: isCustom ? this.#bounds : null,
      isInteger,
      isStale: false,
    };
  }
}

function listOf(side: ReadonlyMap<number, number>): { spans: Span[]; buckets: Float64Array } {
  const sorted = [...side].sort(([a], [b]) => a - b);
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const [bucket] of sorted) {
    const last = spans.at(-1);
    if (last !== undefined && bucket === next) last.length++;
    else spans.push({ offset: bucket - next, length: 1 });
    next = bucket + 1;
  }
  return { spans, buckets: Float64Array.from(sorted, ([, count]) => count) };
}

/** True when both say the same, whatever empty buckets and hints they name. */
export function sameHistogram(a: FloatHistogram | null, b: FloatHistogram | null): boolean {
  return a !== null && b !== null && histogramText(a) === histogramText(b);
}

export function histogramText(histogram: FloatHistogram): string {
  const { isStale, isInteger, schema, zeroThreshold, zeroCount, count, sum } = histogram;
  if (isStale) return 'stale';
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = histogram;
  return [
    ...[isInteger, schema, zeroThreshold, zeroCount, count, sum],
    sideText(positiveSpans, positiveBuckets),
    sideText(negativeSpans, negativeBuckets),
    histogram.customValues?.join(' ') ?? '',
  ].join('|');
}

function sideText(spans: readonly Span[], buckets: Float64Array): string {
  const texts: string[] = [];
  let index = 0;
  let at = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++, index++, at++) {
      if (buckets[at] !== 0) texts.push(`${index}:${buckets[at]}`);
    }
  }
  return texts.join(' ');
}
