import { isStaleAt, wordsOf } from '@pollux/model';
import type { BucketColumn, BucketColumns } from '../buckets.ts';
import type { IntervalSet } from '../coverage/interval-set.ts';
import type { SeriesColumns } from '../queryable.ts';

type Bucketed = SeriesColumns & { readonly buckets: BucketColumns };

/**
 * One series out of its buckets and of samples from elsewhere for other times, each as a bucket of its own. In an interval
 * of `contested`, which begin and end with buckets, the samples stand in place of the buckets when there are any. Samples
 * are floats.
 */
export function joinBuckets(
  local: Bucketed,
  samples: SeriesColumns,
  contested: IntervalSet,
): Bucketed {
  const lost = contested.filter(({ startMs, endMs }) => hasSampleIn(samples, startMs, endMs));
  const target = new BucketRun(local, local.count + samples.count);
  const sampleWords = wordsOf(samples.values);
  let i = 0;
  let j = 0;
  while (i < local.count || j < samples.count) {
    const bucketMs = i < local.count ? local.timestampsMs[i]! : Number.POSITIVE_INFINITY;
    const sampleMs = j < samples.count ? samples.timestampsMs[j]! : Number.POSITIVE_INFINITY;
    if (bucketMs <= sampleMs) {
      const isKept = !isIn(lost, bucketMs);
      if (isKept) target.addBucket(local, i);
      i++;
      if (isKept && bucketMs === sampleMs) j++;
    } else {
      // Buckets know nothing of stale markers.
      if (!isStaleAt(sampleWords, j)) target.addSample(sampleMs, samples.values[j]!);
      j++;
    }
  }
  return target.finish(local);
}

function hasSampleIn(
  { count, timestampsMs, values }: SeriesColumns,
  startMs: number,
  endMs: number,
): boolean {
  const words = wordsOf(values);
  for (let i = 0; i < count && timestampsMs[i]! < endMs; i++) {
    if (timestampsMs[i]! >= startMs && !isStaleAt(words, i)) return true;
  }
  return false;
}

function isIn(set: IntervalSet, atMs: number): boolean {
  return set.some(({ startMs, endMs }) => atMs >= startMs && atMs < endMs);
}

const COLUMNS: readonly BucketColumn[] = [
  'counts',
  'sums',
  'mins',
  'maxs',
  'firstTimesMs',
  'firstValues',
  'resets',
];

/** Growing buckets of one series, with the columns that another has. */
class BucketRun {
  readonly #timestampsMs: Float64Array;
  readonly #values: Float64Array;
  readonly #columns = new Map<BucketColumn, Float64Array>();
  #count = 0;

  constructor({ buckets }: Bucketed, size: number) {
    this.#timestampsMs = new Float64Array(size);
    this.#values = new Float64Array(size);
    for (const name of COLUMNS) {
      if (buckets[name].length > 0) this.#columns.set(name, new Float64Array(size));
    }
  }

  addBucket({ timestampsMs, values, buckets }: Bucketed, index: number): void {
    const at = this.#count++;
    this.#timestampsMs[at] = timestampsMs[index]!;
    this.#values[at] = values[index]!;
    for (const [name, column] of this.#columns) column[at] = buckets[name][index]!;
  }

  addSample(atMs: number, value: number): void {
    const at = this.#count++;
    this.#timestampsMs[at] = atMs;
    this.#values[at] = value;
    for (const [name, column] of this.#columns) {
      if (name === 'counts') column[at] = 1;
      else if (name === 'firstTimesMs') column[at] = atMs;
      else column[at] = name === 'resets' ? 0 : value;
    }
  }

  finish(local: Bucketed): Bucketed {
    const columnOf = (name: BucketColumn): Float64Array =>
      this.#columns.get(name)?.subarray(0, this.#count) ?? new Float64Array(0);
    return {
      ...local,
      count: this.#count,
      timestampsMs: this.#timestampsMs,
      values: this.#values,
      buckets: {
        resolutionMs: local.buckets.resolutionMs,
        counts: columnOf('counts'),
        sums: columnOf('sums'),
        mins: columnOf('mins'),
        maxs: columnOf('maxs'),
        firstTimesMs: columnOf('firstTimesMs'),
        firstValues: columnOf('firstValues'),
        resets: columnOf('resets'),
      },
    };
  }
}
