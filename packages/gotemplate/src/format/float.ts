/** How Go's strconv writes floats: 'e', 'f' or 'g' with a number of digits, or the shortest that reads back (-1). */
export type FloatForm = 'e' | 'f' | 'g';

/** Digits after which a double has only zeros behind the point (its smallest step is 2^-1074). */
const MAX_FRACTION_DIGITS = 1074;

/** Decimal digits `digits` with the point before digit `point`: 0.digits × 10^point. */
type Decimal = { readonly digits: string; readonly point: number };

/** `value` in Go's notation, with a minus sign where negative (also for −0); NaN, +Inf, -Inf. */
export function formatFloat(value: number, form: FloatForm, precision: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  return sign + formatMagnitude(Math.abs(value), form, precision);
}

function formatMagnitude(value: number, form: FloatForm, precision: number): string {
  const isShortest = precision < 0;
  switch (form) {
    case 'f': {
      if (isShortest) return plain(shortest(value), 0);
      const scaled = roundedTimesPowerOfTen(value, Math.min(precision, MAX_FRACTION_DIGITS));
      const kept = Math.min(precision, MAX_FRACTION_DIGITS);
      const digits = scaled.toString().padStart(kept + 1, '0');
      const whole = digits.slice(0, digits.length - kept);
      if (precision === 0) return whole;
      return `${whole}.${digits.slice(digits.length - kept).padEnd(precision, '0')}`;
    }
    case 'e': {
      const decimal = isShortest ? shortest(value) : significant(value, precision + 1);
      return scientific(decimal, isShortest ? decimal.digits.length - 1 : precision);
    }
    case 'g': {
      const count = precision === 0 ? 1 : precision;
      const decimal = isShortest ? shortest(value) : trimmed(significant(value, count));
      const exponent = decimal.point - 1;
      // Go decides the shortest form as if it had been asked for six digits.
      const limit = isShortest ? 6 : count;
      if (value !== 0 && (exponent < -4 || exponent >= limit)) {
        return scientific(decimal, decimal.digits.length - 1);
      }
      return plain(decimal, 0);
    }
  }
}

function shortest(value: number): Decimal {
  if (value === 0) return { digits: '0', point: 1 };
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 };
}

/** Rounded to `count` significant digits, ties to even as decided on the exact value. */
function significant(value: number, count: number): Decimal {
  if (value === 0) return { digits: '0'.repeat(count), point: 1 };
  const kept = Math.min(count, MAX_FRACTION_DIGITS);
  let point = shortest(value).point;
  let digits = roundedTimesPowerOfTen(value, kept - point).toString();
  if (digits.length > kept) {
    // Rounding carried into a new digit (9.99 → 10.0).
    digits = digits.slice(0, kept);
    point++;
  }
  return { digits: digits.padEnd(count, '0'), point };
}

function trimmed(decimal: Decimal): Decimal {
  return { digits: decimal.digits.replace(/0+$/, '') || '0', point: decimal.point };
}

function scientific(decimal: Decimal, fractionDigits: number): string {
  const exponent = /^0+$/.test(decimal.digits) ? 0 : decimal.point - 1;
  const fraction = decimal.digits.slice(1).padEnd(fractionDigits, '0');
  const sign = exponent < 0 ? '-' : '+';
  const size = String(Math.abs(exponent)).padStart(2, '0');
  return `${decimal.digits[0]}${fraction === '' ? '' : `.${fraction}`}e${sign}${size}`;
}

function plain(decimal: Decimal, minFractionDigits: number): string {
  const { digits, point } = decimal;
  const whole = point <= 0 ? '0' : digits.slice(0, point).padEnd(point, '0');
  const fraction = point <= 0 ? '0'.repeat(-point) + digits : digits.slice(point);
  const shown = (digits === '0' ? '' : fraction).padEnd(minFractionDigits, '0');
  return shown === '' ? whole : `${whole}.${shown}`;
}

/** round(value × 10^power), exact, ties to even. */
function roundedTimesPowerOfTen(value: number, power: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n;
  const exponent = (biased === 0 ? 1 : biased) - 1075;
  let numerator = mantissa;
  let denominator = 1n;
  if (power >= 0) numerator *= 10n ** BigInt(power);
  else denominator *= 10n ** BigInt(-power);
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  const quotient = numerator / denominator;
  const twiceRest = (numerator % denominator) * 2n;
  const roundsUp = twiceRest > denominator || (twiceRest === denominator && (quotient & 1n) === 1n);
  return roundsUp ? quotient + 1n : quotient;
}
