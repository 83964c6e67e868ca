import {
  CHOSEN_FLOAT_TEXT,
  MOST_SAMPLES,
  type NativeFloatText,
  SAMPLE_TEXT_BYTES,
} from './native-float-text.ts';

/** Bytes that {@link sampleText} may write at once. */
export const SAMPLES_TEXT_BYTES = MOST_SAMPLES * SAMPLE_TEXT_BYTES;

/** Samples from `from` to `to`; times in whole ms. */
export type TextSamples = {
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  readonly from: number;
  readonly to: number;
};

/**
 * Writes samples as `[seconds,"value"],` to `target[at …]`, which has room for {@link SAMPLES_TEXT_BYTES}: the shortest decimals that
 * read as the values, and a part of a second always with three digits. Ends with the samples, with some hundreds of them, or before
 * one whose value has no text without an exponent: NaN, infinities, −0, below 1e-6 and from 1e21 on. Returns
 * `samples << 16 | bytes`.
 */
export function sampleText(
  samples: TextSamples,
  target: Uint8Array,
  at: number,
  native: NativeFloatText | null = CHOSEN_FLOAT_TEXT,
): number {
  const { timestampsMs, values, from } = samples;
  const to = Math.min(samples.to, from + MOST_SAMPLES);
  if (native !== null) {
    for (let i = from, n = 0; i < to; i++, n++) {
      native.times[n] = timestampsMs[i]!;
      native.values[n] = values[i]!;
    }
    const written = native.samples(to - from, from);
    target.set(native.sampleText.subarray(0, written & 0xffff), at);
    return written;
  }
  let end = at;
  let i = from;
  for (; i < to && isPlain(values[i]!); i++) {
    const text = `[${secondsText(timestampsMs[i]!)},"${values[i]!}"],`;
    for (let c = 0; c < text.length; c++) target[end++] = text.charCodeAt(c);
  }
  return ((i - from) << 16) | (end - at);
}

function isPlain(value: number): boolean {
  const abs = Math.abs(value);
  return (abs >= 1e-6 && abs < 1e21) || Object.is(value, 0);
}

function secondsText(timestampMs: number): string {
  const abs = Math.abs(timestampMs);
  const seconds = Math.floor(abs / 1000);
  const ms = abs - seconds * 1000;
  const text = ms === 0 ? `${seconds}` : `${seconds}.${String(ms).padStart(3, '0')}`;
  return timestampMs < 0 ? `-${text}` : text;
}
