import { type ByteWriter, DecodeError, type ProtoReader, WIRE } from '@pollux/base';
import {
  type CounterResetHint,
  type FloatHistogram,
  type Span,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
} from '@pollux/model';
import {
  writeDoubleField,
  writeInt64Field,
  writeMessage,
  writeSintField,
  writeUintField,
} from '../proto-writer.ts';

/** Most buckets or spans of one histogram that are read. */
const MAX_BUCKETS = 100_000;
/** In the order of the enum ResetHint. */
const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not-reset', 'gauge'];

export type TimedHistogram = { readonly timestampMs: number; readonly histogram: FloatHistogram };

type Parts = {
  isInteger: boolean;
  count: number;
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  hint: number;
  timestampMs: number;
  readonly sum: Float64Array;
  readonly negativeSpans: Span[];
  readonly positiveSpans: Span[];
  readonly negativeDeltas: number[];
  readonly positiveDeltas: number[];
  readonly negativeCounts: number[];
  readonly positiveCounts: number[];
  readonly customValues: number[];
};

/** Reads the Histogram message that the reader has entered. */
export function readHistogram(reader: ProtoReader): TimedHistogram {
  const parts: Parts = {
    isInteger: true,
    count: 0,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    hint: 0,
    timestampMs: 0,
    sum: new Float64Array(1),
    negativeSpans: [],
    positiveSpans: [],
    negativeDeltas: [],
    positiveDeltas: [],
    negativeCounts: [],
    positiveCounts: [],
    customValues: [],
  };
  while (!reader.isAtEnd) readField(reader, reader.tag(), parts);
  return { timestampMs: parts.timestampMs, histogram: build(parts, reader.offset) };
}

function readField(reader: ProtoReader, tag: number, parts: Parts): void {
  switch (tag >>> 3) {
    case 1:
      reader.expect(tag, WIRE.varint);
      parts.count = reader.uint();
      return;
    case 2:
      reader.expect(tag, WIRE.fixed64);
      parts.isInteger = false;
      parts.count = reader.double();
      return;
    case 3:
      reader.expect(tag, WIRE.fixed64);
      reader.doubleInto(new Uint32Array(parts.sum.buffer), 0);
      return;
    case 4:
      reader.expect(tag, WIRE.varint);
      parts.schema = reader.sint();
      return;
    case 5:
      reader.expect(tag, WIRE.fixed64);
      parts.zeroThreshold = reader.double();
      return;
    case 6:
      reader.expect(tag, WIRE.varint);
      parts.zeroCount = reader.uint();
      return;
    case 7:
      reader.expect(tag, WIRE.fixed64);
      parts.isInteger = false;
      parts.zeroCount = reader.double();
      return;
    case 8:
      readSpan(reader, tag, parts.negativeSpans);
      return;
    case 9:
      readSints(reader, tag, parts.negativeDeltas);
      return;
    case 10:
      readDoubles(reader, tag, parts.negativeCounts);
      return;
    case 11:
      readSpan(reader, tag, parts.positiveSpans);
      return;
    case 12:
      readSints(reader, tag, parts.positiveDeltas);
      return;
    case 13:
      readDoubles(reader, tag, parts.positiveCounts);
      return;
    case 14:
      reader.expect(tag, WIRE.varint);
      parts.hint = reader.uint();
      return;
    case 15:
      reader.expect(tag, WIRE.varint);
      parts.timestampMs = reader.int64();
      return;
    case 16:
      readDoubles(reader, tag, parts.customValues);
      return;
    default:
      reader.skip(tag);
  }
}

function readSpan(reader: ProtoReader, tag: number, into: Span[]): void {
  reader.expect(tag, WIRE.bytes);
  const outer = reader.enter();
  let offset = 0;
  let length = 0;
  while (!reader.isAtEnd) {
    const field = reader.tag();
    if (field >>> 3 === 1) {
      reader.expect(field, WIRE.varint);
      offset = reader.sint();
    } else if (field >>> 3 === 2) {
      reader.expect(field, WIRE.varint);
      length = reader.uint();
    } else reader.skip(field);
  }
  reader.leave(outer);
  into.push({ offset, length });
  bound(into.length, reader);
}

/** A repeated sint64, packed or not. */
function readSints(reader: ProtoReader, tag: number, into: number[]): void {
  if ((tag & 7) === WIRE.varint) into.push(reader.sint());
  else {
    reader.expect(tag, WIRE.bytes);
    const outer = reader.enter();
    while (!reader.isAtEnd) {
      into.push(reader.sint());
      bound(into.length, reader);
    }
    reader.leave(outer);
  }
  bound(into.length, reader);
}

/** A repeated double, packed or not. */
function readDoubles(reader: ProtoReader, tag: number, into: number[]): void {
  if ((tag & 7) === WIRE.fixed64) into.push(reader.double());
  else {
    reader.expect(tag, WIRE.bytes);
    const outer = reader.enter();
    while (!reader.isAtEnd) {
      into.push(reader.double());
      bound(into.length, reader);
    }
    reader.leave(outer);
  }
  bound(into.length, reader);
}

function bound(count: number, reader: ProtoReader): void {
  if (count > MAX_BUCKETS) throw new DecodeError('too many histogram buckets', reader.offset);
}

function build(parts: Parts, offset: number): FloatHistogram {
  const words = new Uint32Array(parts.sum.buffer);
  const positive = buckets(parts.isInteger, parts.positiveDeltas, parts.positiveCounts);
  const negative = buckets(parts.isInteger, parts.negativeDeltas, parts.negativeCounts);
  checkSpans(parts.positiveSpans, positive.length, offset);
  checkSpans(parts.negativeSpans, negative.length, offset);
  return {
    counterResetHint: HINTS[parts.hint] ?? 'unknown',
    schema: parts.schema,
    zeroThreshold: parts.zeroThreshold,
    zeroCount: parts.zeroCount,
    count: parts.count,
    sum: parts.sum[0] ?? 0,
    positiveSpans: parts.positiveSpans,
    negativeSpans: parts.negativeSpans,
    positiveBuckets: positive,
    negativeBuckets: negative,
    customValues: parts.customValues.length === 0 ? null : Float64Array.from(parts.customValues),
    isInteger: parts.isInteger,
    isStale: words[1] === STALE_NAN_HIGH && words[0] === STALE_NAN_LOW,
  };
}

/** Integer histograms send deltas between neighbouring buckets, float histograms absolute counts. */
function buckets(
  isInteger: boolean,
  deltas: readonly number[],
  counts: readonly number[],
): Float64Array {
  if (!isInteger) return Float64Array.from(counts);
  let sum = 0;
  return Float64Array.from(deltas, (delta) => {
    sum += delta;
    return sum;
  });
}

function checkSpans(spans: readonly Span[], bucketCount: number, offset: number): void {
  let total = 0;
  for (const span of spans) total += span.length;
  if (total !== bucketCount) {
    throw new DecodeError(
      `histogram spans need ${total} buckets, have ${bucketCount} buckets`,
      offset,
    );
  }
}

/** Writes the fields of a Histogram message. */
export function writeHistogram(
  out: ByteWriter,
  timestampMs: number,
  histogram: FloatHistogram,
): void {
  const { isInteger } = histogram;
  // A oneof member is written even when zero, so that the reader sees which kind of histogram it is.
  out.u8(isInteger ? 0x08 : 0x11);
  if (isInteger) out.uvarint(histogram.count);
  else out.f64le(histogram.count);
  if (histogram.isStale) {
    out.u8(0x19);
    out.u32le(STALE_NAN_LOW);
    out.u32le(STALE_NAN_HIGH);
  } else writeDoubleField(out, 0x19, histogram.sum);
  writeSintField(out, 0x20, histogram.schema);
  writeDoubleField(out, 0x29, histogram.zeroThreshold);
  out.u8(isInteger ? 0x30 : 0x39);
  if (isInteger) out.uvarint(histogram.zeroCount);
  else out.f64le(histogram.zeroCount);
  writeSpans(out, 0x42, histogram.negativeSpans);
  writeBuckets(out, isInteger, 0x4a, 0x52, histogram.negativeBuckets);
  writeSpans(out, 0x5a, histogram.positiveSpans);
  writeBuckets(out, isInteger, 0x62, 0x6a, histogram.positiveBuckets);
  writeUintField(out, 0x70, HINTS.indexOf(histogram.counterResetHint));
  writeInt64Field(out, 0x78, timestampMs);
  const bounds = histogram.customValues;
  if (bounds !== null && bounds.length > 0) {
    writeMessage(out, 0x82, (inner) => {
      for (const value of bounds) inner.f64le(value);
    });
  }
}

function writeSpans(out: ByteWriter, tag: number, spans: readonly Span[]): void {
  for (const span of spans) {
    writeMessage(out, tag, (inner) => {
      writeSintField(inner, 0x08, span.offset);
      writeUintField(inner, 0x10, span.length);
    });
  }
}

function writeBuckets(
  out: ByteWriter,
  isInteger: boolean,
  deltaTag: number,
  countTag: number,
  counts: Float64Array,
): void {
  if (counts.length === 0) return;
  writeMessage(out, isInteger ? deltaTag : countTag, (inner) => {
    let previous = 0;
    for (const count of counts) {
      if (isInteger) inner.varint(count - previous);
      else inner.f64le(count);
      previous = count;
    }
  });
}
