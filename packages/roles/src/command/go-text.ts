/** Go's `%g` of a float64: shortest digits, exponents below 1e-04 and from 1e+06 on. */
export function floatG(value: number): string {
  return shaped(value, 6);
}

/** Go's strconv.FormatFloat(v, 'f', -1, 64): never an exponent. */
export function floatF(value: number): string {
  return shaped(value, Number.POSITIVE_INFINITY);
}

function shaped(value: number, exponentFrom: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (value === 0) return `${sign}0`;
  const [mantissa = '', exponentText = '0'] = Math.abs(value).toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponentFrom !== Number.POSITIVE_INFINITY && (exponent < -4 || exponent >= exponentFrom)) {
    const size = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  const digits = mantissa.replace('.', '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = digits.slice(exponent + 1);
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Go's time.Duration as text: `33.049s`, `1h59m59.999s`, `250ms`, `0s`. */
export function durationText(durationMs: number): string {
  if (durationMs === 0) return '0s';
  const sign = durationMs < 0 ? '-' : '';
  const ms = Math.abs(durationMs);
  if (ms < 1_000) return `${sign}${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = floatF((ms % 60_000) / 1_000);
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}

const MONTHS =
  'January February March April May June July August September October November December'.split(
    ' ',
  );
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const LAYOUT =
  /2006|January|Jan|Monday|Mon|MST|Z07:00|-07:00|-0700|\.000|15|01|02|03|04|05|06|PM|_2|1|2|3/g;

/** A time in UTC by Go's layout (`2006-01-02 15:04:05 MST`). */
export function timeByLayout(layout: string, timeMs: number): string {
  const at = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const month = MONTHS[at.getUTCMonth()]!;
  const day = DAYS[at.getUTCDay()]!;
  const hour12 = at.getUTCHours() % 12 === 0 ? 12 : at.getUTCHours() % 12;
  const parts: Readonly<Record<string, string>> = {
    '2006': String(at.getUTCFullYear()).padStart(4, '0'),
    January: month,
    Jan: month.slice(0, 3),
    Monday: day,
    Mon: day.slice(0, 3),
    MST: 'UTC',
    'Z07:00': 'Z',
    '-07:00': '+00:00',
    '-0700': '+0000',
    '.000': `.${String(at.getUTCMilliseconds()).padStart(3, '0')}`,
    '15': two(at.getUTCHours()),
    '01': two(at.getUTCMonth() + 1),
    '02': two(at.getUTCDate()),
    '03': two(hour12),
    '04': two(at.getUTCMinutes()),
    '05': two(at.getUTCSeconds()),
    '06': two(at.getUTCFullYear() % 100),
    PM: at.getUTCHours() < 12 ? 'AM' : 'PM',
    _2: String(at.getUTCDate()).padStart(2, ' '),
    '1': String(at.getUTCMonth() + 1),
    '2': String(at.getUTCDate()),
    '3': String(hour12),
  };
  return layout.replace(LAYOUT, (token) => parts[token] ?? token);
}

const GO_SPECIAL = /[<>&\u2028\u2029]/g;

/** JSON with the characters escaped that Go's encoder escapes. */
export function goJson(value: unknown, indent?: string): string {
  return JSON.stringify(value, null, indent).replace(
    GO_SPECIAL,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Why a text is no JSON, in Go's words where it begins wrongly or is empty, else in the engine's. */
export function jsonFault(text: string, error: unknown): string {
  const [first] = text.trimStart();
  if (first === undefined) return 'EOF';
  if (!/[[{"tfn\d-]/.test(first)) {
    return `invalid character ${first === "'" ? "'\\''" : `'${first}'`} looking for beginning of value`;
  }
  return error instanceof Error ? error.message : String(error);
}
