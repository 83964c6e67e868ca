import { assert } from '@pollux/base';
import { type FloatHistogram, Labels } from '@pollux/model';
import type { BucketColumns, LabelProjection, SeriesColumns } from '@pollux/storage';

/** A batch of series as it crosses to another thread: texts once, samples of all series in one buffer. */
export type PackedSeries = {
  readonly kind: 'series';
  readonly labels: PackedLabels;
  /** Samples of each series. */
  readonly counts: Uint32Array;
  /** Timestamps, then values of each series after the other. Values are copied as bits. */
  readonly samples: Float64Array;
  /** By number of the series; only those that have some. */
  readonly extras: readonly PackedExtra[];
};

type PackedExtra = {
  readonly series: number;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
  readonly startTimestampsMs: Float64Array | null;
  readonly replica: string;
  readonly buckets: BucketColumns | null;
};

/** Label sets as numbers of texts. */
export type PackedLabels = {
  readonly texts: readonly string[];
  /** Labels of each set. */
  readonly sizes: Uint16Array;
  /** Name and value of each label. */
  readonly items: Uint32Array;
};

export function packSeries(
  batch: readonly SeriesColumns[],
  projection: LabelProjection | null = null,
): PackedSeries {
  const counts = new Uint32Array(batch.length);
  let total = 0;
  for (const [s, { count }] of batch.entries()) {
    counts[s] = count;
    total += count;
  }
  const samples = new Float64Array(total * 2);
  const extras: PackedExtra[] = [];
  let at = 0;
  for (const [s, series] of batch.entries()) {
    const { count, timestampsMs, values, histograms, startTimestampsMs, replica } = series;
    samples.set(timestampsMs.subarray(0, count), at);
    samples.set(values.subarray(0, count), at + count);
    at += count * 2;
    const buckets = series.buckets ?? null;
    if (histograms === null && startTimestampsMs === null && replica === '' && buckets === null) {
      continue;
    }
    extras.push({
      series: s,
      histograms: histograms?.slice(0, count).map(packHistogram) ?? null,
      startTimestampsMs: startTimestampsMs?.slice(0, count) ?? null,
      replica,
      buckets: buckets === null ? null : packBuckets(buckets, count),
    });
  }
  return {
    kind: 'series',
    labels: packLabels(
      batch.map(({ labels }) => labels),
      projection,
    ),
    counts,
    samples,
    extras,
  };
}

/** What may be given away with the batch instead of being copied. */
export function buffersOf({ samples, labels, counts }: PackedSeries): ArrayBuffer[] {
  return [samples.buffer, labels.items.buffer, counts.buffer] as ArrayBuffer[];
}

export function unpackSeries(packed: PackedSeries): SeriesColumns[] {
  const { counts, samples, extras } = packed;
  const labels = unpackLabels(packed.labels);
  assert(labels.length === counts.length, 'BUG: labels and columns of a batch differ in number');
  const batch: SeriesColumns[] = [];
  let at = 0;
  let nextExtra = 0;
  for (const [s, count] of counts.entries()) {
    const columns: SeriesColumns = {
      labels: labels[s]!,
      count,
      timestampsMs: samples.subarray(at, at + count),
      values: samples.subarray(at + count, at + count * 2),
      histograms: null,
      startTimestampsMs: null,
      replica: '',
    };
    at += count * 2;
    const extra = extras[nextExtra];
    if (extra?.series !== s) {
      batch.push(columns);
      continue;
    }
    nextExtra++;
    const { histograms, startTimestampsMs, replica, buckets } = extra;
    const added = { histograms, startTimestampsMs, replica };
    batch.push({ ...columns, ...added, ...(buckets === null ? {} : { buckets }) });
  }
  return batch;
}

/** With a projection, only its labels of each set. */
export function packLabels(
  sets: readonly Labels[],
  projection: LabelProjection | null = null,
): PackedLabels {
  const sizes = new Uint16Array(sets.length);
  let total = 0;
  for (const labels of sets) total += labels.size;
  const items = new Uint32Array(total * 2);
  const texts: string[] = [];
  const numbers = new Map<string, number>();
  const numberOf = (text: string): number => {
    let number = numbers.get(text);
    if (number === undefined) {
      number = texts.push(text) - 1;
      numbers.set(text, number);
    }
    return number;
  };
  const isTold = projection === null ? () => true : toldBy(projection);
  let at = 0;
  for (const [s, labels] of sets.entries()) {
    const before = at;
    for (let i = 0; i < labels.size; i++) {
      const name = labels.nameAt(i);
      if (!isTold(name)) continue;
      items[at++] = numberOf(name);
      items[at++] = numberOf(labels.valueAt(i));
    }
    sizes[s] = (at - before) / 2;
  }
  return { texts, sizes, items: at === items.length ? items : items.slice(0, at) };
}

function toldBy({ names, isExclusion }: LabelProjection): (name: string) => boolean {
  const known = new Set(names);
  return (name) => known.has(name) !== isExclusion;
}

export function unpackLabels({ texts, sizes, items }: PackedLabels): Labels[] {
  const sets: Labels[] = [];
  let at = 0;
  for (const size of sizes) {
    const flat: string[] = [];
    for (const end = at + size * 2; at < end; at++) flat.push(texts[items[at]!]!);
    sets.push(Labels.fromSortedFlat(flat));
  }
  return sets;
}

/** A copy whose columns have buffers of their own: a part of a buffer would cross with all of the buffer. */
export function packHistogram(histogram: FloatHistogram | null): FloatHistogram | null {
  if (histogram === null) return null;
  return {
    ...histogram,
    positiveBuckets: ownBuffer(histogram.positiveBuckets),
    negativeBuckets: ownBuffer(histogram.negativeBuckets),
    customValues: histogram.customValues === null ? null : ownBuffer(histogram.customValues),
  };
}

function packBuckets(buckets: BucketColumns, count: number): BucketColumns {
  const part = (column: Float64Array): Float64Array => column.slice(0, count);
  return {
    resolutionMs: buckets.resolutionMs,
    counts: part(buckets.counts),
    sums: part(buckets.sums),
    mins: part(buckets.mins),
    maxs: part(buckets.maxs),
    firstTimesMs: part(buckets.firstTimesMs),
    firstValues: part(buckets.firstValues),
    resets: part(buckets.resets),
  };
}

function ownBuffer(column: Float64Array): Float64Array {
  return column.byteLength === column.buffer.byteLength ? column : column.slice();
}
