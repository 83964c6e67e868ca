import {
  bucketIndexes,
  hasBucketReset,
  moveBuckets,
  sameSpans,
  spansOfIndexes,
  uniteIndexes,
} from './bucket-layout.ts';
import { type CounterResetHeader, decodeHistograms, isStaleSum } from './histogram-decode.ts';
import { HistogramChunk } from './histogram-encode.ts';
import { bucketsOf, type HistogramLayout } from './histogram-layout.ts';

export type HistogramSample = {
  readonly timestampMs: number;
  /** 0 = unknown. */
  readonly startTimestampMs: number;
  readonly isInteger: boolean;
  /** `reset` and `gauge` are believed, the others are found out. */
  readonly hint: CounterResetHeader;
  readonly layout: HistogramLayout;
  /** As in HistogramColumns. */
  readonly values: Float64Array;
  readonly start: number;
};

/** How a sample goes on from the open chunk. */
type Fit =
  | { readonly kind: 'same' }
  /** After chunk and sample have been brought to these buckets. */
  | {
      readonly kind: 'wider';
      readonly positive: Int32Array;
      readonly negative: Int32Array;
      readonly isChunkChanged: boolean;
    }
  | { readonly kind: 'cut'; readonly counterReset: CounterResetHeader };

/**
 * Turns the histograms of one series into chunks by Prometheus' rules: within a chunk schema, zero threshold and custom
 * bounds are one, there is no counter reset, and after a stale marker come only such; buckets that appear are added to the
 * whole chunk, those that vanish without ever having counted are kept as empty.
 */
export class HistogramWriter {
  readonly #hasStartTimes: boolean;
  #open: HistogramChunk | null = null;

  constructor(hasStartTimes: boolean) {
    this.#hasStartTimes = hasStartTimes;
  }

  /** The chunk that takes the next sample if it fits; null before the first. */
  get open(): HistogramChunk | null {
    return this.#open;
  }

  /**
   * Appends the sample, which is later than the last one; into a new chunk when `isCut` or when it does not fit. Returns
   * the chunk that was completed by that, or null.
   */
  append(sample: HistogramSample, isCut: boolean): HistogramChunk | null {
    const before = this.#open;
    if (before === null) {
      this.#begin(sample, sample.hint === 'not-reset' ? 'unknown' : sample.hint);
      return null;
    }
    const fit = fitOf(before, sample);
    if (fit.kind === 'cut' || isCut || before.isFull) {
      const continued = sample.hint === 'gauge' ? 'gauge' : 'not-reset';
      this.#begin(sample, fit.kind === 'cut' ? fit.counterReset : continued);
      return before;
    }
    let { values, start } = sample;
    let chunk = before;
    if (fit.kind === 'wider') {
      if (fit.isChunkChanged) chunk = widenChunk(before, fit.positive, fit.negative);
      values = widenValues(sample.layout, values, start, fit.positive, fit.negative);
      start = 0;
    }
    chunk.append(sample.timestampMs, values, start, sample.startTimestampMs);
    this.#open = chunk;
    return null;
  }

  /** True when the sample is the last one again, bit for bit but for buckets without observations. */
  isLast(sample: HistogramSample): boolean {
    const open = this.#open;
    if (open === null || open.isInteger !== sample.isInteger) return false;
    const isStale = isStaleSample(sample);
    if (isStale || open.isLastStale) return isStale === open.isLastStale;
    if (!sameScale(open.layout, sample.layout)) return false;
    const last = open.lastValues();
    const positive = unitedSide(open.layout.positiveSpans, sample.layout.positiveSpans);
    const negative = unitedSide(open.layout.negativeSpans, sample.layout.negativeSpans);
    const a = wordsOf(widenValues(open.layout, last, 0, positive, negative));
    const b = wordsOf(widenValues(sample.layout, sample.values, sample.start, positive, negative));
    return a.every((word, i) => word === b[i]);
  }

  #begin(sample: HistogramSample, counterReset: CounterResetHeader): void {
    const { isInteger, layout, timestampMs, values, start, startTimestampMs } = sample;
    this.#open = new HistogramChunk({
      isInteger,
      hasStartTimes: this.#hasStartTimes,
      counterReset,
      layout,
    });
    this.#open.append(timestampMs, values, start, startTimestampMs);
  }
}

function fitOf(open: HistogramChunk, sample: HistogramSample): Fit {
  const isGauge = sample.hint === 'gauge';
  const cut = (counterReset: CounterResetHeader): Fit => ({
    kind: 'cut',
    counterReset: isGauge ? 'gauge' : counterReset,
  });
  if (sample.hint === 'reset') return cut('reset');
  if (open.isInteger !== sample.isInteger || (open.counterReset === 'gauge') !== isGauge) {
    return cut('unknown');
  }
  if (isStaleSample(sample)) return { kind: 'same' };
  if (open.isLastStale) return cut('unknown');
  const { layout, values, start } = sample;
  const last = open.lastValues();
  if (!isGauge && values[start]! < last[0]!) return cut('reset');
  if (open.layout.schema !== layout.schema || open.layout.zeroThreshold !== layout.zeroThreshold) {
    return cut('unknown');
  }
  if (!sameBounds(open.layout.customValues, layout.customValues)) return cut('reset');
  if (!isGauge && values[start + 1]! < last[1]!) return cut('reset');
  return fitBuckets(open, last, sample, isGauge) ?? cut('reset');
}

/** Null when a bucket was reset. */
function fitBuckets(
  open: HistogramChunk,
  last: Float64Array,
  sample: HistogramSample,
  isGauge: boolean,
): Fit | null {
  const { layout, values, start } = sample;
  if (
    sameSpans(open.layout.positiveSpans, layout.positiveSpans) &&
    sameSpans(open.layout.negativeSpans, layout.negativeSpans)
  ) {
    if (isGauge) return { kind: 'same' };
    for (let k = 3; k < last.length; k++) if (last[k]! > values[start + k]!) return null;
    return { kind: 'same' };
  }
  let lastAt = 3;
  let at = start + 3;
  let isChunkChanged = false;
  const sides: Int32Array[] = [];
  for (const side of ['positiveSpans', 'negativeSpans'] as const) {
    const before = bucketIndexes(open.layout[side]);
    const now = bucketIndexes(layout[side]);
    const earlier = { indexes: before, values: last, at: lastAt };
    if (!isGauge && hasBucketReset(earlier, { indexes: now, values, at })) return null;
    const united = uniteIndexes(before, now);
    if (united.length > before.length) isChunkChanged = true;
    sides.push(united);
    lastAt += before.length;
    at += now.length;
  }
  return { kind: 'wider', positive: sides[0]!, negative: sides[1]!, isChunkChanged };
}

/** The chunk's samples again, with empty buckets where they had none. */
function widenChunk(
  chunk: HistogramChunk,
  positive: Int32Array,
  negative: Int32Array,
): HistogramChunk {
  const columns = decodeHistograms(chunk.bytes, 0, chunk.byteLength, chunk.encoding);
  const { isInteger, hasStartTimes, counterReset, layout } = chunk;
  const wider = new HistogramChunk({
    isInteger,
    hasStartTimes,
    counterReset,
    layout: {
      ...layout,
      positiveSpans: spansOfIndexes(positive),
      negativeSpans: spansOfIndexes(negative),
    },
  });
  const { timestampsMs, startTimestampsMs, values, starts } = columns;
  for (let i = 0; i < columns.count; i++) {
    const row = widenValues(layout, values, starts[i]!, positive, negative);
    wider.append(timestampsMs[i]!, row, 0, startTimestampsMs?.[i] ?? 0);
  }
  return wider;
}

function widenValues(
  layout: HistogramLayout,
  values: Float64Array,
  start: number,
  positive: Int32Array,
  negative: Int32Array,
): Float64Array {
  const wider = new Float64Array(3 + positive.length + negative.length);
  const target = wordsOf(wider);
  const source = wordsOf(values);
  target.set(source.subarray(start * 2, (start + 3) * 2));
  const from = bucketIndexes(layout.positiveSpans);
  moveBuckets(source, start + 3, from, target, 3, positive);
  const at = start + 3 + from.length;
  const fromNegative = bucketIndexes(layout.negativeSpans);
  moveBuckets(source, at, fromNegative, target, 3 + positive.length, negative);
  return wider;
}

function unitedSide(
  a: HistogramLayout['positiveSpans'],
  b: HistogramLayout['positiveSpans'],
): Int32Array {
  return uniteIndexes(bucketIndexes(a), bucketIndexes(b));
}

function sameScale(a: HistogramLayout, b: HistogramLayout): boolean {
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    sameBounds(a.customValues, b.customValues)
  );
}

function sameBounds(a: Float64Array | null, b: Float64Array | null): boolean {
  if (a === null || b === null) return (a?.length ?? 0) === (b?.length ?? 0);
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

function isStaleSample({ values, start }: HistogramSample): boolean {
  const words = wordsOf(values);
  return isStaleSum(words[(start + 2) * 2 + 1]!, words[(start + 2) * 2]!);
}

function wordsOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** Values of a sample with this layout. */
export function histogramValueCount(layout: HistogramLayout): number {
  return 3 + bucketsOf(layout.positiveSpans) + bucketsOf(layout.negativeSpans);
}
