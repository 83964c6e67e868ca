import { FunctionError } from '../errors.ts';
import { GoScalar, type GoType, type ParamType, type Value } from '../value.ts';

const UNITS = { h: 3_600_000_000_000n, m: 60_000_000_000n, s: 1_000_000_000n } as const;
const MILLISECOND = 1_000_000n;
const MICROSECOND = 1_000n;

/** A duration, or a bare integer, which Go takes for nanoseconds. */
const DURATION_PARAM: ParamType = {
  name: 'time.Duration',
  accepts: (value) => isGoDuration(value) || typeof value === 'bigint',
};

const METHODS: GoType['methods'] = {
  String: { params: [], call: (self) => formatGoDuration(durationNanos(self)) },
  Hours: { params: [], call: (self) => inUnits(self, UNITS.h) },
  Minutes: { params: [], call: (self) => inUnits(self, UNITS.m) },
  Seconds: { params: [], call: (self) => durationSeconds(self) },
  Milliseconds: { params: [], call: (self) => durationNanos(self) / MILLISECOND },
  Microseconds: { params: [], call: (self) => durationNanos(self) / MICROSECOND },
  Nanoseconds: { params: [], call: (self) => durationNanos(self) },
  Abs: { params: [], call: (self) => goDuration(absolute(durationNanos(self))) },
  Truncate: {
    params: [DURATION_PARAM],
    call: (self, [unit]) => {
      const size = nanosOf(unit);
      const nanos = durationNanos(self);
      return goDuration(size <= 0n ? nanos : nanos - (nanos % size));
    },
  },
  Round: {
    params: [DURATION_PARAM],
    call: (self, [unit]) => goDuration(rounded(durationNanos(self), nanosOf(unit))),
  },
};

const DURATION: GoType = { name: 'time.Duration', methods: METHODS };
const DURATION_POINTER: GoType = { name: '*time.Duration', methods: METHODS };

/** A time.Duration of whole nanoseconds, or a pointer to one: templates see no difference but in type names. */
export function goDuration(
  nanos: bigint,
  options: { readonly isPointer?: boolean } = {},
): GoScalar {
  return new GoScalar(options.isPointer === true ? DURATION_POINTER : DURATION, nanos);
}

export function isGoDuration(value: Value | undefined): value is GoScalar {
  return value instanceof GoScalar && (value.type === DURATION || value.type === DURATION_POINTER);
}

export function durationNanos(value: Value | undefined): bigint {
  if (!isGoDuration(value)) throw new FunctionError('not a time.Duration');
  return value.value as bigint;
}

export function durationSeconds(value: Value | undefined): number {
  return inUnits(value, UNITS.s);
}

/** Whole units and the rest apart, so that no digit is lost that a double can hold. */
function inUnits(value: Value | undefined, unit: bigint): number {
  const nanos = durationNanos(value);
  return Number(nanos / unit) + Number(nanos % unit) / Number(unit);
}

function nanosOf(value: Value | undefined): bigint {
  return typeof value === 'bigint' ? value : durationNanos(value);
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** To the nearest multiple, halves away from zero. */
function rounded(nanos: bigint, unit: bigint): bigint {
  if (unit <= 0n) return nanos;
  const rest = nanos % unit;
  const down = nanos - rest;
  if (2n * absolute(rest) < unit) return down;
  return nanos < 0n ? down - unit : down + unit;
}

/** Go's Duration.String: `1h2m3.5s`, `150ms`, `1.5µs`, `0s`. */
export function formatGoDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const size = absolute(nanos);
  if (size < MICROSECOND) return `${sign}${size}ns`;
  if (size < MILLISECOND) return `${sign}${decimal(size, MICROSECOND)}µs`;
  if (size < UNITS.s) return `${sign}${decimal(size, MILLISECOND)}ms`;
  const hours = size / UNITS.h;
  const minutes = (size / UNITS.m) % 60n;
  const seconds = `${decimal(size % UNITS.m, UNITS.s)}s`;
  if (hours > 0n) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0n ? `${sign}${minutes}m${seconds}` : sign + seconds;
}

function decimal(value: bigint, unit: bigint): string {
  const digits = String(unit).length - 1;
  const fraction = String(value % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '');
  return `${value / unit}${fraction === '' ? '' : `.${fraction}`}`;
}
