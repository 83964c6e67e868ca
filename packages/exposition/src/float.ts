import { parseFloatText } from '@pollux/model';
import type { SampleColumns } from './sample-columns.ts';

/** Digits that reach this may have been rounded on the way, so they are left to the slow way. */
const MANTISSA_LIMIT = 2 ** 53;
const MAX_EXACT_EXPONENT = 22;
/** 10^0 … 10^22 are exact doubles, so one multiplication or division by them rounds correctly (Clinger). */
const POWERS_OF_TEN = Float64Array.from({ length: MAX_EXACT_EXPONENT + 1 }, (_, exponent) =>
  Number(`1e${exponent}`),
);
/** Longest value text; Go's formatter writes at most 24 bytes, other programs pad with zeros. */
const MAX_VALUE_BYTES = 1_000;

/**
 * Reads the value that starts at `start` into `columns.values[index]`; it ends at a space, tab, newline or `limit`.
 * Returns the end, or -1 when the text is no value. NaN is stored with Prometheus' ordinary bits.
 */
export function scanFloat(
  bytes: Uint8Array,
  start: number,
  limit: number,
  columns: SampleColumns,
  index: number,
): number {
  let at = start;
  let byte = at < limit ? bytes[at]! : 0;
  const isNegative = byte === 0x2d;
  if (isNegative || byte === 0x2b) byte = ++at < limit ? bytes[at]! : 0;
  let mantissa = 0;
  let digits = 0;
  let exponent = 0;
  while (byte >= 0x30 && byte <= 0x39) {
    mantissa = mantissa * 10 + (byte - 0x30);
    digits++;
    byte = ++at < limit ? bytes[at]! : 0;
  }
  if (byte === 0x2e) {
    byte = ++at < limit ? bytes[at]! : 0;
    while (byte >= 0x30 && byte <= 0x39) {
      mantissa = mantissa * 10 + (byte - 0x30);
      digits++;
      exponent--;
      byte = ++at < limit ? bytes[at]! : 0;
    }
  }
  if (byte === 0x65 || byte === 0x45) {
    byte = ++at < limit ? bytes[at]! : 0;
    const isDown = byte === 0x2d;
    if (isDown || byte === 0x2b) byte = ++at < limit ? bytes[at]! : 0;
    const from = at;
    let written = 0;
    while (byte >= 0x30 && byte <= 0x39 && at - from < 6) {
      written = written * 10 + (byte - 0x30);
      byte = ++at < limit ? bytes[at]! : 0;
    }
    if (at === from) digits = 0;
    exponent += isDown ? -written : written;
  }
  const isWhole = at >= limit || byte === 0x0a || byte === 0x20 || byte === 0x09;
  if (
    isWhole &&
    digits > 0 &&
    mantissa < MANTISSA_LIMIT &&
    exponent >= -MAX_EXACT_EXPONENT &&
    exponent <= MAX_EXACT_EXPONENT
  ) {
    const value =
      exponent < 0 ? mantissa / POWERS_OF_TEN[-exponent]! : mantissa * POWERS_OF_TEN[exponent]!;
    columns.values[index] = isNegative ? -value : value;
    return at;
  }
  return scanAnyFloat(bytes, start, limit, columns, index);
}

/** NaN, infinities, long mantissas and large exponents; about one value in five hundred. */
function scanAnyFloat(
  bytes: Uint8Array,
  start: number,
  limit: number,
  columns: SampleColumns,
  index: number,
): number {
  let end = start;
  while (end < limit && !isValueEnd(bytes[end]!)) end++;
  if (end === start || end - start > MAX_VALUE_BYTES) return -1;
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  const value = parseFloatText(text);
  if (value === null) return -1;
  if (Number.isNaN(value)) columns.setNormalNan(index);
  else columns.values[index] = value;
  return end;
}

function isValueEnd(byte: number): boolean {
  return byte === 0x0a || byte === 0x20 || byte === 0x09;
}

/**
 * A bucket bound or quantile as OpenMetrics spells it: Go's shortest `%g`, with `.0` after a whole number. Prometheus
 * normalises `le` and `quantile` so on ingestion, whatever the exposition said.
 */
export function formatOpenMetricsFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const scientific = value.toExponential();
  const at = scientific.indexOf('e');
  const exponent = Number(scientific.slice(at + 1));
  // Go decides between the forms as if the precision were 6, also where it prints the shortest digits.
  return exponent < -4 || exponent >= 6
    ? exponentForm(scientific.slice(0, at), exponent)
    : withPoint(String(value));
}

function exponentForm(mantissa: string, exponent: number): string {
  const size = String(Math.abs(exponent)).padStart(2, '0');
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${size}`;
}

function withPoint(text: string): string {
  return text.includes('.') ? text : `${text}.0`;
}
