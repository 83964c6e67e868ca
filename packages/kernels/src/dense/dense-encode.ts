import { DENSE_MAX_SAMPLES, DENSE_UNFIT, WHOLE_LIMIT } from './dense-format.ts';
import {
  columnMaxBytes,
  createValueScratch,
  encodeValues,
  type ValueKind,
  type ValueScratch,
} from './values-encode.ts';
import { encodeWhole } from './whole-encode.ts';

/** Working memory of the encoders, some 700 KiB; one serves any number of chunks, one after the other. */
export type DenseEncoder = ValueScratch;

export function createDenseEncoder(): DenseEncoder {
  return createValueScratch();
}

/** Bytes that a chunk of `count` samples, or a column of as many, never passes. */
export function denseMaxBytes(count: number): number {
  return 8 + 2 * columnMaxBytes(count);
}

/**
 * Writes samples [from, to), ascending in time, as one chunk to `target` from `at` on, where {@link denseMaxBytes} are
 * free. Returns the place behind it, or {@link DENSE_UNFIT} when a time is no whole number of ms below 2^50 or the samples
 * are none or more than DENSE_MAX_SAMPLES.
 */
export function denseEncode(
  encoder: DenseEncoder,
  samples: { readonly timestampsMs: Float64Array; readonly values: Float64Array },
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): number {
  if (!isCount(to - from)) return DENSE_UNFIT;
  // As all of Prometheus' chunks begin.
  target[at] = (to - from) >>> 8;
  target[at + 1] = to - from;
  const next = denseEncodeWhole(encoder, samples.timestampsMs, from, to, target, at + 2);
  if (next === DENSE_UNFIT) return DENSE_UNFIT;
  return encodeValues(encoder, 'float', samples.values, from, to, target, next);
}

/** Writes a column of whole numbers, as times or nanoseconds; {@link DENSE_UNFIT} as above. */
export function denseEncodeWhole(
  encoder: DenseEncoder,
  numbers: Float64Array | Int32Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): number {
  if (!isCount(to - from)) return DENSE_UNFIT;
  const whole = encoder.numbers;
  for (let i = from; i < to; i++) {
    const number = numbers[i]!;
    if (!Number.isInteger(number) || Math.abs(number) > WHOLE_LIMIT) return DENSE_UNFIT;
    // A zero is never negative here.
    whole[i - from] = number + 0;
  }
  return encodeWhole(encoder.whole, whole, to - from, target, at);
}

/**
 * Writes a column of the 64 bits of values: a `float`'s or, in the bytes of a double, an `integer`'s (int64).
 * {@link DENSE_UNFIT} when they are none or more than DENSE_MAX_SAMPLES.
 */
export function denseEncodeValues(
  encoder: DenseEncoder,
  kind: ValueKind,
  values: Float64Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): number {
  if (!isCount(to - from)) return DENSE_UNFIT;
  return encodeValues(encoder, kind, values, from, to, target, at);
}

function isCount(count: number): boolean {
  return count > 0 && count <= DENSE_MAX_SAMPLES;
}
