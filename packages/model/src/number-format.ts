/**
 * A float as Go's strconv.FormatFloat(v, 'f' or 'e', -1, 64) with Prometheus' API rule: exponent form below 1e-6 and from
 * 1e21 on, at least two exponent digits; NaN, +Inf, -Inf; negative zero keeps its sign.
 */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const text = String(value);
  const at = text.indexOf('e');
  if (at < 0) return text;
  const exponent = text.slice(at + 1);
  // JavaScript switches to exponents at 1e-7 already below 1e-6, the same bound as Go's rule, but pads differently.
  return exponent.length === 2 ? `${text.slice(0, at)}e${exponent[0]}0${exponent[1]}` : text;
}

/** Go's 'e' format, shortest digits: `1e+00`, `1.5e-07`. The rules and alerts APIs print values so. */
export function formatFloatExponent(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0e+00';
  const text = value.toExponential();
  const at = text.indexOf('e');
  const digits = text.slice(at + 2);
  return `${text.slice(0, at)}e${text[at + 1]}${digits.padStart(2, '0')}`;
}

/**
 * Reads a decimal number as the exposition formats have it: what Go's strconv.ParseFloat takes without underscores and
 * hexadecimal. Null when it is none, when a NaN has a sign, and when it is too large for a double.
 */
export function parseFloatText(text: string): number | null {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : null;
  }
  switch (text.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case 'inf':
    case '+inf':
    case 'infinity':
    case '+infinity':
      return Number.POSITIVE_INFINITY;
    case '-inf':
    case '-infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      return null;
  }
}
