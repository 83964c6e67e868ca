import {
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type Span,
} from '@pollux/model';

const HINTS: Readonly<Record<string, CounterResetHint>> = {
  unknown: 'unknown',
  reset: 'reset',
  not_reset: 'not-reset',
  gauge: 'gauge',
};

/** `{{schema:0 sum:5 count:4 buckets:[1 2 1] offset:1 …}}`; counts are absolute. Throws Error on anything unknown. */
export function parseHistogramLiteral(text: string): {
  readonly histogram: FloatHistogram;
  readonly hasHint: boolean;
} {
  const fields = new Map<string, string>();
  for (const [, key, value] of text.slice(2, -2).matchAll(/(\w+):(\[[^\]]*\]|\S+)/g)) {
    if (fields.has(key!)) throw new Error(`duplicate key "${key}" in histogram ${text}`);
    fields.set(key!, value!);
  }
  const number = (key: string): number => parseFloatWord(fields.get(key) ?? '0');
  const list = (key: string): Float64Array =>
    Float64Array.from((fields.get(key)?.slice(1, -1).match(/\S+/g) ?? []).map(parseFloatWord));
  const positive = list('buckets');
  const negative = list('n_buckets');
  const schema = number('schema');
  const hint = fields.get('counter_reset_hint');
  const histogram: FloatHistogram = {
    counterResetHint: hint === undefined ? 'unknown' : (HINTS[hint] ?? 'unknown'),
    schema,
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positiveSpans: oneSpan(number('offset'), positive.length),
    negativeSpans: oneSpan(number('n_offset'), negative.length),
    positiveBuckets: positive,
    negativeBuckets: negative,
    customValues: schema === CUSTOM_BUCKETS_SCHEMA ? list('custom_values') : null,
    isInteger: false,
    isStale: false,
  };
  return { histogram, hasHint: hint !== undefined };
}

function oneSpan(offset: number, length: number): readonly Span[] {
  return length === 0 ? [] : [{ offset, length }];
}

function parseFloatWord(word: string): number {
  if (/^\+?[Ii]nf$/.test(word)) return Number.POSITIVE_INFINITY;
  if (/^-[Ii]nf$/.test(word)) return Number.NEGATIVE_INFINITY;
  return Number(word);
}

/** `first`, then `count` more, each `step` further (or the same again without a step). */
export function repeatHistograms(
  first: FloatHistogram,
  step: FloatHistogram | null,
  sign: number,
  count: number,
): FloatHistogram[] {
  const all = [first];
  for (let i = 0; i < count; i++) {
    const previous = all.at(-1)!;
    all.push(step === null ? previous : addLiteral(previous, step, sign));
  }
  return all;
}

/** Adds bucket by bucket at the lower schema, as upstream does when it expands a sequence. */
function addLiteral(a: FloatHistogram, b: FloatHistogram, sign: number): FloatHistogram {
  const schema = Math.min(a.schema, b.schema);
  const positive = addBuckets(
    [a.positiveSpans, a.positiveBuckets, a.schema],
    [b.positiveSpans, b.positiveBuckets, b.schema],
    sign,
    schema,
  );
  const negative = addBuckets(
    [a.negativeSpans, a.negativeBuckets, a.schema],
    [b.negativeSpans, b.negativeBuckets, b.schema],
    sign,
    schema,
  );
  return {
    ...a,
    schema,
    zeroThreshold: Math.max(a.zeroThreshold, b.zeroThreshold),
    zeroCount: a.zeroCount + sign * b.zeroCount,
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
    customValues: a.customValues ?? b.customValues,
  };
}

type Side = readonly [spans: readonly Span[], buckets: Float64Array, schema: number];

function addBuckets(
  a: Side,
  b: Side,
  sign: number,
  schema: number,
): { readonly spans: readonly Span[]; readonly buckets: Float64Array } {
  const counts = new Map<number, number>();
  const add = ([spans, buckets, from]: Side, factor: number): void => {
    let index = 0;
    let at = 0;
    for (const span of spans) {
      index += span.offset;
      for (let i = 0; i < span.length; i++) {
        const target = from === schema ? index : Math.floor((index - 1) / 2 ** (from - schema)) + 1;
        counts.set(target, (counts.get(target) ?? 0) + factor * buckets[at++]!);
        index++;
      }
    }
  };
  add(a, 1);
  add(b, sign);
  return toSpans(counts);
}

/** Spans and counts by ascending index. */
export function toSpans(counts: ReadonlyMap<number, number>): {
  readonly spans: readonly Span[];
  readonly buckets: Float64Array;
} {
  const indexes = [...counts.keys()].sort((x, y) => x - y);
  const spans: { offset: number; length: number }[] = [];
  let end = 0;
  for (const index of indexes) {
    const last = spans.at(-1);
    if (last !== undefined && index === end) last.length++;
    else spans.push({ offset: index - end, length: 1 });
    end = index + 1;
  }
  return { spans, buckets: Float64Array.from(indexes, (index) => counts.get(index)!) };
}
