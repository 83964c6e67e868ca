import { DecodeError } from '@pollux/base';
import type { BitReader } from '../bits/bit-reader.ts';
import type { BitWriter } from '../bits/bit-writer.ts';

/** A run of consecutive buckets: `offset` buckets after the end of the run before (or from 0), then `length` buckets. */
export type BucketSpan = { readonly offset: number; readonly length: number };

/** What all histograms of one chunk have in common. */
export type HistogramLayout = {
  /** −4 to 8 exponential, −53 custom bounds; readers may meet −9 to 52. */
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly positiveSpans: readonly BucketSpan[];
  readonly negativeSpans: readonly BucketSpan[];
  /** Null unless the schema is −53. */
  readonly customValues: Float64Array | null;
};

/** Of a chunk that begins with a stale marker, whose buckets mean nothing. */
export const EMPTY_HISTOGRAM_LAYOUT: HistogramLayout = {
  schema: 0,
  zeroThreshold: 0,
  positiveSpans: [],
  negativeSpans: [],
  customValues: null,
};

const CUSTOM_BUCKETS_SCHEMA = -53;
const MAX_BUCKET = 2 ** 31 - 1;
const MIN_SCHEMA = -9;
const MAX_SCHEMA = 52;
/** Exponents of two that a zero threshold may have to fit into a byte, 1 for the smallest. */
const MIN_THRESHOLD_EXPONENT = -243;
const MAX_THRESHOLD_EXPONENT = 10;
const FULL_THRESHOLD = 255;
/** Bounds up to it in thousandths take at most four bytes. */
const MAX_BOUND_THOUSANDTHS = 33_554_430;

export function bucketsOf(spans: readonly BucketSpan[]): number {
  let buckets = 0;
  for (const { length } of spans) buckets += length;
  return buckets;
}

export function writeLayout(writer: BitWriter, layout: HistogramLayout): void {
  writeZeroThreshold(writer, layout.zeroThreshold);
  writer.varbitInt(layout.schema);
  writeSpans(writer, layout.positiveSpans);
  writeSpans(writer, layout.negativeSpans);
  if (layout.schema !== CUSTOM_BUCKETS_SCHEMA) return;
  const bounds = layout.customValues ?? new Float64Array(0);
  writer.varbitUint(bounds.length);
  for (const bound of bounds) writeBound(writer, bound);
}

/** Throws DecodeError, also for a schema that nobody knows. */
export function readLayout(reader: BitReader): HistogramLayout {
  const zeroThreshold = readZeroThreshold(reader);
  const schema = reader.varbitInt();
  const isCustom = schema === CUSTOM_BUCKETS_SCHEMA;
  if (!isCustom && !(schema >= MIN_SCHEMA && schema <= MAX_SCHEMA)) {
    throw new DecodeError(`histogram schema ${schema} is unknown`, 0);
  }
  const positiveSpans = readSpans(reader);
  const negativeSpans = readSpans(reader);
  // A bucket takes at least a bit of the samples, so a lying length is found before memory is taken for it.
  if (bucketsOf(positiveSpans) + bucketsOf(negativeSpans) > reader.remaining) {
    throw new DecodeError('more buckets than bits', 0);
  }
  return {
    schema,
    zeroThreshold,
    positiveSpans,
    negativeSpans,
    customValues: isCustom ? readBounds(reader) : null,
  };
}

function writeSpans(writer: BitWriter, spans: readonly BucketSpan[]): void {
  writer.varbitUint(spans.length);
  for (const { offset, length } of spans) {
    writer.varbitUint(length);
    writer.varbitInt(offset);
  }
}

function readSpans(reader: BitReader): BucketSpan[] {
  const count = reader.varbitUint();
  if (count > reader.remaining) throw new DecodeError('more spans than bits', 0);
  const spans: BucketSpan[] = [];
  let next = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.varbitUint();
    const offset = reader.varbitInt();
    next += offset + length;
    if ((i > 0 && offset < 0) || Math.abs(offset) > MAX_BUCKET || next > MAX_BUCKET) {
      throw new DecodeError('impossible bucket span', 0);
    }
    spans.push({ offset, length });
  }
  return spans;
}

function writeZeroThreshold(writer: BitWriter, threshold: number): void {
  const exponent = Math.round(Math.log2(threshold));
  if (threshold === 0) writer.bits(0, 8);
  else if (
    exponent >= MIN_THRESHOLD_EXPONENT &&
    exponent <= MAX_THRESHOLD_EXPONENT &&
    2 ** exponent === threshold
  ) {
    writer.bits(exponent - MIN_THRESHOLD_EXPONENT + 1, 8);
  } else {
    writer.bits(FULL_THRESHOLD, 8);
    writeDouble(writer, threshold);
  }
}

function readZeroThreshold(reader: BitReader): number {
  const byte = reader.bits(8);
  if (byte === 0) return 0;
  return byte === FULL_THRESHOLD ? readDouble(reader) : 2 ** (byte - 1 + MIN_THRESHOLD_EXPONENT);
}

function writeBound(writer: BitWriter, bound: number): void {
  const thousandths = bound * 1000;
  const rounded = Math.round(thousandths);
  const isShort =
    thousandths >= 0 && thousandths <= MAX_BOUND_THOUSANDTHS && rounded / 1000 === bound;
  if (isShort) {
    writer.varbitUint(rounded + 1);
    return;
  }
  writer.bits(0, 1);
  writeDouble(writer, bound);
}

function readBounds(reader: BitReader): Float64Array {
  const count = reader.varbitUint();
  if (count > reader.remaining) throw new DecodeError('more bounds than bits', 0);
  const bounds = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const thousandths = reader.varbitUint();
    bounds[i] = thousandths === 0 ? readDouble(reader) : (thousandths - 1) / 1000;
  }
  return bounds;
}

function writeDouble(writer: BitWriter, value: number): void {
  const words = new Uint32Array(Float64Array.of(value).buffer);
  writer.words(words[1]!, words[0]!);
}

function readDouble(reader: BitReader): number {
  const words = new Uint32Array(2);
  words[1] = reader.words();
  words[0] = reader.low;
  return new Float64Array(words.buffer)[0]!;
}
