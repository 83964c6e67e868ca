import {
  BUCKET_LABEL,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type Labels,
  LabelsBuilder,
  METRIC_NAME,
  parseFloatText,
} from '@pollux/model';
import { toSpans } from './histogram-literal.ts';
import type { MemorySample } from './memory-series.ts';
import type { LoadCommand, StartLine } from './script.ts';
import type { ScriptStorage } from './script-storage.ts';

/** Puts the series of a load command into storage, their times starting at 0. */
export function applyLoad(command: LoadCommand, storage: ScriptStorage): void {
  const startsByKey = new Map(command.starts.map((start) => [start.labels.key(), start]));
  for (const { labels, points } of command.series) {
    const hints = new ResetHints();
    const start = startsByKey.get(labels.key());
    for (const [index, point] of points.entries()) {
      if (point === null) continue;
      const timestampMs = index * command.stepMs;
      const startTimestampMs = startOf(start, index, timestampMs);
      if (point.kind === 'histogram') {
        const histogram = hints.next(point.histogram);
        storage.add(labels, { timestampMs, value: 0, histogram, startTimestampMs });
        continue;
      }
      hints.interrupt();
      const isStale = point.kind === 'stale';
      const value = point.kind === 'float' ? point.value : Number.NaN;
      storage.add(labels, { timestampMs, value, isStale, startTimestampMs });
    }
  }
  if (command.withCustomBuckets) addCustomBuckets(command, storage);
}

function startOf(start: StartLine | undefined, index: number, timestampMs: number): number {
  const offset = start?.offsetsMs[index];
  return offset === undefined || offset === null ? 0 : timestampMs + offset;
}

/**
 * Gives histograms the reset hints that a store gives them when it reads them back from chunks: unknown for the first of a
 * chunk, not-reset inside it; an explicit reset stays one.
 */
class ResetHints {
  #previous: FloatHistogram | null = null;

  interrupt(): void {
    this.#previous = null;
  }

  next(histogram: FloatHistogram): FloatHistogram {
    const previous = this.#previous;
    this.#previous = histogram;
    if (histogram.counterResetHint === 'gauge') return histogram;
    return { ...histogram, counterResetHint: hintAfter(previous, histogram) };
  }
}

/** A sample that its chunk can not take begins a new one, whose first sample says nothing of the one before it. */
function hintAfter(
  previous: FloatHistogram | null,
  histogram: FloatHistogram,
): FloatHistogram['counterResetHint'] {
  if (histogram.counterResetHint === 'reset') return 'reset';
  if (previous === null || previous.counterResetHint === 'gauge') return 'unknown';
  if (histogram.count < previous.count) return 'unknown';
  const hasSameLayout =
    histogram.schema === previous.schema &&
    histogram.zeroThreshold === previous.zeroThreshold &&
    String(histogram.customValues) === String(previous.customValues);
  if (!hasSameLayout) return 'unknown';
  const grew =
    histogram.zeroCount >= previous.zeroCount &&
    bucketsGrew(histogram.positiveSpans, histogram.positiveBuckets, [
      previous.positiveSpans,
      previous.positiveBuckets,
    ]) &&
    bucketsGrew(histogram.negativeSpans, histogram.negativeBuckets, [
      previous.negativeSpans,
      previous.negativeBuckets,
    ]);
  return grew ? 'not-reset' : 'unknown';
}

function bucketsGrew(
  spans: FloatHistogram['positiveSpans'],
  buckets: Float64Array,
  previous: readonly [FloatHistogram['positiveSpans'], Float64Array],
): boolean {
  const now = indexed(spans, buckets);
  for (const [index, count] of indexed(...previous))
    if ((now.get(index) ?? 0) < count) return false;
  return true;
}

function indexed(
  spans: FloatHistogram['positiveSpans'],
  buckets: Float64Array,
): Map<number, number> {
  const map = new Map<number, number>();
  let index = 0;
  let at = 0;
  for (const span of spans) {
    index += span.offset;
    for (let i = 0; i < span.length; i++) map.set(index++, buckets[at++]!);
  }
  return map;
}

type Classic = {
  readonly labels: Labels;
  /** By time: cumulative counts by bound, sum, count. */
  readonly samples: Map<
    number,
    { readonly buckets: Map<number, number>; sum: number; count: number | null }
  >;
};

/** Adds a native histogram with custom buckets for every classic one of the load. */
function addCustomBuckets(command: LoadCommand, storage: ScriptStorage): void {
  const classics = new Map<string, Classic>();
  for (const { labels, points } of command.series) {
    const name = labels.get(METRIC_NAME);
    const part = /^(.*)_(bucket|sum|count)$/.exec(name);
    if (part === null) continue;
    const base = new LabelsBuilder(labels).set(METRIC_NAME, part[1]!).delete(BUCKET_LABEL).build();
    const upper = parseFloatText(labels.get(BUCKET_LABEL));
    if (part[2] === 'bucket' && upper === null) continue;
    let classic = classics.get(base.key());
    if (classic === undefined) {
      classic = { labels: base, samples: new Map() };
      classics.set(base.key(), classic);
    }
    for (const [index, point] of points.entries()) {
      if (point?.kind !== 'float') continue;
      const timestampMs = index * command.stepMs;
      let sample = classic.samples.get(timestampMs);
      if (sample === undefined) {
        sample = { buckets: new Map(), sum: 0, count: null };
        classic.samples.set(timestampMs, sample);
      }
      if (part[2] === 'bucket') sample.buckets.set(upper!, point.value);
      else if (part[2] === 'sum') sample.sum = point.value;
      else sample.count = point.value;
    }
  }
  for (const classic of classics.values()) addConverted(classic, storage);
}

function addConverted(classic: Classic, storage: ScriptStorage): void {
  const hints = new ResetHints();
  for (const timestampMs of [...classic.samples.keys()].sort((a, b) => a - b)) {
    const { buckets, sum, count } = classic.samples.get(timestampMs)!;
    if (buckets.size === 0) continue;
    const histogram = convert(buckets, sum, count);
    if (histogram === null) continue;
    const sample: MemorySample = { timestampMs, value: 0, histogram: hints.next(histogram) };
    storage.add(classic.labels, sample);
  }
}

/** Null when the buckets do not ascend: that is no histogram. */
function convert(
  buckets: ReadonlyMap<number, number>,
  sum: number,
  count: number | null,
): FloatHistogram | null {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const finite = bounds.filter((bound) => Number.isFinite(bound));
  const infinite = buckets.get(Number.POSITIVE_INFINITY);
  const total = infinite ?? count ?? buckets.get(bounds.at(-1)!)!;
  const counts = new Map<number, number>();
  let previous = 0;
  for (const [index, bound] of finite.entries()) {
    const cumulative = buckets.get(bound)!;
    if (cumulative < previous) return null;
    if (cumulative > previous) counts.set(index, cumulative - previous);
    previous = cumulative;
  }
  if (total < previous) return null;
  if (total > previous) counts.set(finite.length, total - previous);
  const { spans, buckets: positiveBuckets } = toSpans(counts);
  return {
    counterResetHint: 'unknown',
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    count: total,
    sum,
    positiveSpans: spans,
    negativeSpans: [],
    positiveBuckets,
    negativeBuckets: new Float64Array(0),
    customValues: Float64Array.from(finite),
    isInteger: false,
    isStale: false,
  };
}
