import { FunctionError } from '../errors.ts';
import { formatFloat } from '../format/float.ts';
import { quote } from '../format/quote.ts';
import { durationSeconds, isGoDuration } from '../time/duration.ts';
import { typeName, type Value } from '../value.ts';

const SMALL = ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y'] as const;

/** What the humanizing functions take: numbers, texts of numbers, durations in seconds. */
export function toFloat(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') return parseFloatText(value);
  if (isGoDuration(value) && value.type.name === 'time.Duration') return durationSeconds(value);
  throw new FunctionError(`can't convert ${typeName(value)} to float`);
}

function parseFloatText(text: string): number {
  const special = /^([+-]?)(?:inf|infinity|nan)$/i.exec(text);
  if (special !== null) {
    if (/nan$/i.test(text)) {
      if (special[1] === '') return Number.NaN;
    } else {
      return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    }
  }
  const failure = (why: string): FunctionError =>
    new FunctionError(`strconv.ParseFloat: parsing ${quote(text)}: ${why}`);
  const hex = /^([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?\d+)$/.exec(text);
  if (hex !== null) {
    const [, sign, whole = '', fraction = '', exponent] = hex;
    if (whole + fraction === '') throw failure('invalid syntax');
    const size =
      Number.parseInt(whole + fraction, 16) * 2 ** (Number(exponent) - 4 * fraction.length);
    return sign === '-' ? -size : size;
  }
  const plain = text.replace(/(?<=\d)_(?=\d)/g, '');
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(plain)) throw failure('invalid syntax');
  const value = Number(plain);
  if (!Number.isFinite(value)) throw failure('value out of range');
  return value;
}

/** Go's %.4g. */
export function fourDigits(value: number): string {
  return formatFloat(value, 'g', 4);
}

/** Seconds as `1d 2h 3m 4s`, below a minute with four digits, below a second with a prefix. */
export function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return fourDigits(seconds);
  if (seconds === 0) return `${fourDigits(seconds)}s`;
  if (Math.abs(seconds) < 1) return `${scaleUp(seconds)}s`;
  const sign = seconds < 0 ? '-' : '';
  const total = toInt64(Math.abs(seconds));
  const s = total % 60n;
  const m = (total / 60n) % 60n;
  const h = (total / 3_600n) % 24n;
  const d = total / 86_400n;
  if (d !== 0n) return `${sign}${d}d ${h}h ${m}m ${s}s`;
  if (h !== 0n) return `${sign}${h}h ${m}m ${s}s`;
  if (m !== 0n) return `${sign}${m}m ${s}s`;
  return `${sign}${fourDigits(Math.abs(seconds))}s`;
}

/** Go's conversion on amd64: what does not fit becomes the least integer. */
function toInt64(value: number): bigint {
  return value < 2 ** 63 ? BigInt(Math.trunc(value)) : -(2n ** 63n);
}

/** A number below one with the prefix that brings it over one: `12.5m`. */
export function scaleUp(value: number): string {
  let scaled = value;
  let prefix = '';
  for (const next of SMALL) {
    if (Math.abs(scaled) >= 1) break;
    prefix = next;
    scaled *= 1000;
  }
  return fourDigits(scaled) + prefix;
}
