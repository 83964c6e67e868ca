import { InputError, type ProtoReader, WIRE } from '@pollux/base';
import {
  type FloatHistogram,
  type Span,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  wordsOf,
} from '@pollux/model';
import { readTimestamp } from './timestamp.ts';

/** No exemplar stands here. */
export const NO_EXEMPLAR = -1;

/** One of the two sides of a native histogram, as written: integer ones as deltas, float ones as counts. */
type Side = {
  /** Offset and length in turn. */
  readonly spans: number[];
  readonly deltas: number[];
  readonly counts: number[];
};

/**
 * A `Histogram` message: the classic buckets as columns, the native parts beside them. Used again for the next one.
 * Unknown fields are passed over.
 */
export class HistogramMessage {
  bucketCount = 0;
  bounds = new Float64Array(0);
  /** Cumulative, as written. */
  cumulative = new Float64Array(0);
  /** Where the exemplar of a bucket stands, or {@link NO_EXEMPLAR}. */
  exemplarAt = new Int32Array(0);
  /** Where those of the native histogram stand. */
  readonly nativeExemplarsAt: number[] = [];
  /** 0 = unknown. */
  startMs = 0;
  readonly #sum = new Float64Array(1);
  readonly #sumWords = wordsOf(this.#sum);
  #count = 0;
  #countFloat = 0;
  #schema = 0;
  #zeroThreshold = 0;
  #zeroCount = 0;
  #zeroCountFloat = 0;
  readonly #positive: Side = { spans: [], deltas: [], counts: [] };
  readonly #negative: Side = { spans: [], deltas: [], counts: [] };

  get count(): number {
    return this.#countFloat > 0 ? this.#countFloat : this.#count;
  }

  /** One element, to be copied by its bits. */
  get sumWords(): Uint32Array {
    return this.#sumWords;
  }

  get sum(): number {
    return this.#sum[0]!;
  }

  /** A histogram without a span, zero threshold and zero count is a classic one, as in Prometheus. */
  get isNative(): boolean {
    return (
      this.#positive.spans.length > 0 ||
      this.#negative.spans.length > 0 ||
      this.#zeroThreshold > 0 ||
      this.#zeroCount > 0
    );
  }

  /** An absent message reads as one of zeros. */
  clear(): void {
    this.bucketCount = 0;
    this.nativeExemplarsAt.length = 0;
    this.startMs = 0;
    this.#sum[0] = 0;
    this.#count = 0;
    this.#countFloat = 0;
    this.#schema = 0;
    this.#zeroThreshold = 0;
    this.#zeroCount = 0;
    this.#zeroCountFloat = 0;
    for (const side of [this.#positive, this.#negative]) {
      side.spans.length = 0;
      side.deltas.length = 0;
      side.counts.length = 0;
    }
  }

  /** Reads the message that the reader has entered. */
  read(reader: ProtoReader): void {
    this.clear();
    while (!reader.isAtEnd) this.#readField(reader, reader.tag());
  }

  #readField(reader: ProtoReader, tag: number): void {
    switch (tag >>> 3) {
      case 1:
        reader.expect(tag, WIRE.varint);
        this.#count = reader.uint();
        return;
      case 2:
        reader.expect(tag, WIRE.fixed64);
        reader.doubleInto(this.#sumWords, 0);
        return;
      case 3:
        this.#readBucket(reader, tag);
        return;
      case 4:
        reader.expect(tag, WIRE.fixed64);
        this.#countFloat = reader.double();
        return;
      case 5:
        reader.expect(tag, WIRE.varint);
        this.#schema = reader.sint();
        return;
      case 6:
        reader.expect(tag, WIRE.fixed64);
        this.#zeroThreshold = reader.double();
        return;
      case 7:
        reader.expect(tag, WIRE.varint);
        this.#zeroCount = reader.uint();
        return;
      case 8:
        reader.expect(tag, WIRE.fixed64);
        this.#zeroCountFloat = reader.double();
        return;
      case 9:
        readSpan(reader, tag, this.#negative.spans);
        return;
      case 10:
        readSints(reader, tag, this.#negative.deltas);
        return;
      case 11:
        readDoubles(reader, tag, this.#negative.counts);
        return;
      case 12:
        readSpan(reader, tag, this.#positive.spans);
        return;
      case 13:
        readSints(reader, tag, this.#positive.deltas);
        return;
      case 14:
        readDoubles(reader, tag, this.#positive.counts);
        return;
      case 15:
        this.startMs = readTimestamp(reader, tag);
        return;
      case 16:
        reader.expect(tag, WIRE.bytes);
        this.nativeExemplarsAt.push(reader.offset);
        reader.skip(tag);
        return;
      default:
        reader.skip(tag);
    }
  }

  #readBucket(reader: ProtoReader, tag: number): void {
    reader.expect(tag, WIRE.bytes);
    const at = this.bucketCount;
    if (at === this.bounds.length) this.#grow();
    let count = 0;
    let countFloat = 0;
    let bound = 0;
    let exemplarAt = NO_EXEMPLAR;
    const outer = reader.enter();
    while (!reader.isAtEnd) {
      const field = reader.tag();
      switch (field) {
        case 0x08:
          count = reader.uint();
          break;
        case 0x11:
          bound = reader.double();
          break;
        case 0x1a:
          exemplarAt = reader.offset;
          reader.skip(field);
          break;
        case 0x21:
          countFloat = reader.double();
          break;
        default:
          reader.skip(field);
      }
    }
    reader.leave(outer);
    this.bounds[at] = bound;
    this.cumulative[at] = countFloat > 0 ? countFloat : count;
    this.exemplarAt[at] = exemplarAt;
    this.bucketCount = at + 1;
  }

  /** The native histogram, without empty buckets. Throws InputError where spans and buckets do not fit. */
  native(family: string, isGauge: boolean): FloatHistogram {
    const isInteger = !(this.#countFloat > 0 || this.#zeroCountFloat > 0);
    const positive = filled(this.#positive, isInteger, family, 'positive');
    const negative = filled(this.#negative, isInteger, family, 'negative');
    return {
      counterResetHint: isGauge ? 'gauge' : 'unknown',
      schema: this.#schema,
      zeroThreshold: this.#zeroThreshold,
      zeroCount: isInteger ? this.#zeroCount : this.#zeroCountFloat,
      count: isInteger ? this.#count : this.#countFloat,
      sum: this.sum,
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveBuckets: positive.buckets,
      negativeBuckets: negative.buckets,
      customValues: null,
      isInteger,
      isStale: this.#sumWords[1] === STALE_NAN_HIGH && this.#sumWords[0] === STALE_NAN_LOW,
    };
  }

  #grow(): void {
    const capacity = Math.max(16, this.bounds.length * 2);
    const bounds = new Float64Array(capacity);
    const cumulative = new Float64Array(capacity);
    const exemplarAt = new Int32Array(capacity);
    bounds.set(this.bounds);
    cumulative.set(this.cumulative);
    exemplarAt.set(this.exemplarAt);
    this.bounds = bounds;
    this.cumulative = cumulative;
    this.exemplarAt = exemplarAt;
  }
}

/** The buckets of a side that are not empty, in as few spans as hold them. */
function filled(
  side: Side,
  isInteger: boolean,
  family: string,
  name: string,
): { readonly spans: readonly Span[]; readonly buckets: Float64Array } {
  const written = isInteger ? side.deltas : side.counts;
  let needed = 0;
  for (let i = 1; i < side.spans.length; i += 2) needed += side.spans[i]!;
  if (needed !== written.length) {
    throw new InputError(
      'EXPOSITION.PARSE',
      `histogram ${JSON.stringify(family)}`,
      `${name} side: spans require ${needed} buckets, have ${written.length}`,
    );
  }
  const spans: Span[] = [];
  const buckets = new Float64Array(needed);
  let kept = 0;
  let at = 0;
  let index = 0;
  let count = 0;
  /** Of the span that is being written: where it begins, and one behind its last bucket. */
  let runStart = 0;
  let runEnd = 0;
  let lastEnd = 0;
  for (let i = 0; i < side.spans.length; i += 2) {
    index += side.spans[i]!;
    for (const end = at + side.spans[i + 1]!; at < end; at++, index++) {
      count = isInteger ? count + written[at]! : written[at]!;
      if (count === 0) continue;
      if (kept === 0) runStart = index;
      else if (index !== runEnd) {
        spans.push({ offset: runStart - lastEnd, length: runEnd - runStart });
        lastEnd = runEnd;
        runStart = index;
      }
      runEnd = index + 1;
      buckets[kept++] = count;
    }
  }
  if (kept > 0) spans.push({ offset: runStart - lastEnd, length: runEnd - runStart });
  return { spans, buckets: kept === needed ? buckets : buckets.slice(0, kept) };
}

function readSpan(reader: ProtoReader, tag: number, into: number[]): void {
  reader.expect(tag, WIRE.bytes);
  const outer = reader.enter();
  let offset = 0;
  let length = 0;
  while (!reader.isAtEnd) {
    const field = reader.tag();
    if (field === 0x08) offset = reader.sint();
    else if (field === 0x10) length = reader.uint();
    else reader.skip(field);
  }
  reader.leave(outer);
  into.push(offset, length);
}

/** A repeated sint64, packed or not. */
function readSints(reader: ProtoReader, tag: number, into: number[]): void {
  if ((tag & 7) === WIRE.varint) {
    into.push(reader.sint());
    return;
  }
  reader.expect(tag, WIRE.bytes);
  const outer = reader.enter();
  while (!reader.isAtEnd) into.push(reader.sint());
  reader.leave(outer);
}

/** A repeated double, packed or not. */
function readDoubles(reader: ProtoReader, tag: number, into: number[]): void {
  if ((tag & 7) === WIRE.fixed64) {
    into.push(reader.double());
    return;
  }
  reader.expect(tag, WIRE.bytes);
  const outer = reader.enter();
  while (!reader.isAtEnd) into.push(reader.double());
  reader.leave(outer);
}
