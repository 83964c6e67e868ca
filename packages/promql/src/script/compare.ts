import type { FloatHistogram, Labels, Span } from '@pollux/model';
import type { InstantVector, RangeMatrix } from '../result.ts';
import type { EvalCommand } from './script.ts';
import type { Point } from './sequence.ts';

/** Null when equal, else what differs. */
export function compareScalar(expected: number, actual: number): string | null {
  return almostEqual(expected, actual) ? null : `expected scalar ${expected}, got ${actual}`;
}

export function compareVector(
  command: EvalCommand,
  vector: InstantVector,
  isOrdered: boolean,
): string | null {
  if (command.expectedScalar !== null) return 'expected a scalar, got a vector';
  const byKey = new Map(vector.labels.map((labels, index) => [labels.key(), index]));
  if (byKey.size !== vector.labels.length) return 'the result holds a series twice';
  for (const [position, { labels, points }] of command.expected.entries()) {
    const index = byKey.get(labels.key());
    if (index === undefined) return `expected series ${labels}, got ${show(vector.labels)}`;
    if (isOrdered && index !== position)
      return `expected ${labels} at position ${position}, got it at ${index}`;
    const histogram = vector.histograms?.[index] ?? null;
    const message = comparePoint(points[0] ?? null, vector.values[index]!, histogram);
    if (message !== null) return `${labels}: ${message}`;
    byKey.delete(labels.key());
  }
  if (byKey.size > 0) {
    return `unexpected series ${[...byKey.values()].map((index) => `${vector.labels[index]} ${vector.values[index]}`).join(' ')}`;
  }
  return null;
}

export function compareMatrix(command: EvalCommand, matrix: RangeMatrix): string | null {
  const startMs = command.expectedRange?.startMs ?? command.startMs;
  const stepMs = command.expectedRange?.stepMs ?? command.stepMs;
  const byKey = new Map(matrix.series.map((series) => [series.labels.key(), series]));
  if (byKey.size !== matrix.series.length) return 'the result holds a series twice';
  const expected =
    command.expectedScalar === null
      ? command.expected
      : [{ labels: null, points: [{ kind: 'float', value: command.expectedScalar } as const] }];
  for (const { labels, points } of expected) {
    const key = labels?.key() ?? '';
    const series = byKey.get(key);
    if (series === undefined) {
      if (points.every((point) => point === null)) continue;
      return `expected series ${labels}, got ${show(matrix.series.map((item) => item.labels))}`;
    }
    let at = 0;
    for (const [index, point] of points.entries()) {
      if (point === null) continue;
      const timeMs = startMs + index * stepMs;
      if (at >= series.count) return `${labels}: no sample at ${timeMs}`;
      if (series.timestampsMs[at] !== timeMs)
        return `${labels}: expected a sample at ${timeMs}, got one at ${series.timestampsMs[at]}`;
      const histogram = series.histograms?.[at] ?? null;
      const message = comparePoint(point, series.values[at]!, histogram);
      if (message !== null) return `${labels} at ${timeMs}: ${message}`;
      at++;
    }
    if (at < series.count) {
      return `${labels}: unexpected sample at ${series.timestampsMs[at]}: ${series.values[at]}`;
    }
    byKey.delete(key);
  }
  if (byKey.size > 0)
    return `unexpected series ${show([...byKey.values()].map(({ labels }) => labels))}`;
  return null;
}

function show(labels: readonly Labels[]): string {
  return labels.length === 0 ? 'nothing' : labels.map(String).join(' ');
}

function comparePoint(
  expected: Point | null,
  value: number,
  histogram: FloatHistogram | null,
): string | null {
  if (expected === null) return 'unexpected sample';
  if (expected.kind === 'histogram') {
    if (histogram === null) return `expected a histogram, got ${value}`;
    return compareHistograms(expected.histogram, histogram, expected.hasHint);
  }
  if (histogram !== null) return `expected a float, got histogram ${shown(histogram)}`;
  const wanted = expected.kind === 'stale' ? Number.NaN : expected.value;
  return almostEqual(wanted, value) ? null : `expected ${wanted}, got ${value}`;
}

const TOLERANCE = 1e-6;
const SMALLEST_NORMAL = 2 ** -1022;

/** Equal within a millionth of the sum of magnitudes. */
export function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < SMALLEST_NORMAL) return difference < TOLERANCE * SMALLEST_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < TOLERANCE;
}

function compareHistograms(
  expected: FloatHistogram,
  actual: FloatHistogram,
  comparesHint: boolean,
): string | null {
  const isEqual =
    expected.schema === actual.schema &&
    almostEqual(expected.count, actual.count) &&
    almostEqual(expected.sum, actual.sum) &&
    almostEqual(expected.zeroCount, actual.zeroCount) &&
    almostEqual(expected.zeroThreshold, actual.zeroThreshold) &&
    sameBuckets(
      [expected.positiveSpans, expected.positiveBuckets],
      [actual.positiveSpans, actual.positiveBuckets],
    ) &&
    sameBuckets(
      [expected.negativeSpans, expected.negativeBuckets],
      [actual.negativeSpans, actual.negativeBuckets],
    ) &&
    String(expected.customValues ?? '') === String(actual.customValues ?? '');
  if (!isEqual) return `expected histogram ${shown(expected)}, got ${shown(actual)}`;
  if (comparesHint && expected.counterResetHint !== actual.counterResetHint)
    return `expected hint ${expected.counterResetHint}, got ${actual.counterResetHint}`;
  return null;
}

type Side = readonly [readonly Span[], Float64Array];

function sameBuckets(a: Side, b: Side): boolean {
  const left = indexed(a);
  const right = indexed(b);
  for (const index of new Set([...left.keys(), ...right.keys()]))
    if (!almostEqual(left.get(index) ?? 0, right.get(index) ?? 0)) return false;
  return true;
}

function indexed([spans, buckets]: Side): Map<number, number> {
  const map = new Map<number, number>();
  let index = 0;
  let at = 0;
  for (const span of spans) {
    index += span.offset;
    for (let i = 0; i < span.length; i++) map.set(index++, buckets[at++]!);
  }
  return map;
}

function shown(histogram: FloatHistogram): string {
  const side = (spans: readonly Span[], buckets: Float64Array): string =>
    JSON.stringify([...indexed([spans, buckets])]);
  return `{schema:${histogram.schema} count:${histogram.count} sum:${histogram.sum} zero:${histogram.zeroCount}@${histogram.zeroThreshold} positive:${side(histogram.positiveSpans, histogram.positiveBuckets)} negative:${side(histogram.negativeSpans, histogram.negativeBuckets)} custom:${histogram.customValues ?? ''} hint:${histogram.counterResetHint}}`;
}
