import type { CounterResetHint, FloatHistogram, Span } from '@pollux/model';
import { type NumberText, numberText } from './number-text.ts';

/** What is as here is left out of the text. */
const NOTHING = {
  hint: 'unknown' as CounterResetHint,
  zeroThreshold: 0,
  zeroCount: 0,
  sum: 0,
  positiveSpans: [] as readonly SpanText[],
  positiveBuckets: [] as readonly NumberText[],
  negativeSpans: [] as readonly SpanText[],
  negativeBuckets: [] as readonly NumberText[],
  customValues: null as readonly NumberText[] | null,
  isInteger: false,
  isStale: false,
};

type SpanText = readonly [offset: number, length: number];
type HistogramText = { schema: number; count: NumberText } & {
  -readonly [K in keyof typeof NOTHING]?: K extends 'zeroThreshold' | 'zeroCount' | 'sum'
    ? NumberText
    : (typeof NOTHING)[K];
};

/**
 * A native histogram as the JSON that the text field holds, so that every client of InfluxQL can read it. Numbers are exact;
 * of NaN the bits are not kept, but whether it is a stale marker is.
 */
export function textOfHistogram(histogram: FloatHistogram): string {
  const text: HistogramText = { schema: histogram.schema, count: numberText(histogram.count) };
  if (histogram.counterResetHint !== NOTHING.hint) text.hint = histogram.counterResetHint;
  if (histogram.zeroThreshold !== 0) text.zeroThreshold = numberText(histogram.zeroThreshold);
  if (histogram.zeroCount !== 0) text.zeroCount = numberText(histogram.zeroCount);
  if (!Object.is(histogram.sum, 0)) text.sum = numberText(histogram.sum);
  if (histogram.positiveSpans.length > 0) {
    text.positiveSpans = histogram.positiveSpans.map(spanText);
    text.positiveBuckets = Array.from(histogram.positiveBuckets, numberText);
  }
  if (histogram.negativeSpans.length > 0) {
    text.negativeSpans = histogram.negativeSpans.map(spanText);
    text.negativeBuckets = Array.from(histogram.negativeBuckets, numberText);
  }
  if (histogram.customValues !== null)
    text.customValues = Array.from(histogram.customValues, numberText);
  if (histogram.isInteger) text.isInteger = true;
  if (histogram.isStale) text.isStale = true;
  return JSON.stringify(text);
}

/** Null for a text that {@link textOfHistogram} does not write: anyone may write to the field. */
export function histogramOfText(json: string): FloatHistogram | null {
  try {
    const text: HistogramText = { ...NOTHING, ...(JSON.parse(json) as HistogramText) };
    const positiveSpans = text.positiveSpans!.map(spanOf);
    const negativeSpans = text.negativeSpans!.map(spanOf);
    const positiveBuckets = Float64Array.from(text.positiveBuckets!, Number);
    const negativeBuckets = Float64Array.from(text.negativeBuckets!, Number);
    if (!Number.isInteger(text.schema) || text.count === undefined) return null;
    if (lengthOf(positiveSpans) !== positiveBuckets.length) return null;
    if (lengthOf(negativeSpans) !== negativeBuckets.length) return null;
    const { customValues } = text;
    return {
      counterResetHint: text.hint!,
      schema: text.schema,
      zeroThreshold: Number(text.zeroThreshold),
      zeroCount: Number(text.zeroCount),
      count: Number(text.count),
      sum: Number(text.sum),
      positiveSpans,
      negativeSpans,
      positiveBuckets,
      negativeBuckets,
      customValues: customValues == null ? null : Float64Array.from(customValues, Number),
      isInteger: text.isInteger!,
      isStale: text.isStale!,
    };
  } catch {
    // No JSON, or of another shape.
    return null;
  }
}

function spanText({ offset, length }: Span): SpanText {
  return [offset, length];
}

function spanOf([offset, length]: SpanText): Span {
  return { offset: Number(offset), length: Number(length) };
}

function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { length }) => sum + length, 0);
}
