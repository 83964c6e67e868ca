import { FunctionError } from '../errors.ts';
import { GoScalar, GoStruct, type GoType, type ParamType, type Value } from '../value.ts';
import { durationNanos, goDuration, isGoDuration } from './duration.ts';
import { formatTime } from './format-time.ts';
import { MONTHS, WEEKDAYS } from './layout.ts';
import { UTC, type Zone, zoneAt } from './zone.ts';

const NANOS_PER_MS = 1_000_000n;
const NANOS_PER_SECOND = 1_000_000_000n;

/** Go's zero time.Time: the first second of year 1, in nanoseconds since 1970. */
export const ZERO_TIME_NANOS = -62_135_596_800n * NANOS_PER_SECOND;

const STRING_LAYOUT = '2006-01-02 15:04:05.999999999 -0700 MST';
const RFC3339_NANO = '2006-01-02T15:04:05.999999999Z07:00';

/** A time.Time: nanoseconds since 1970 and the zone in which it is shown. */
export class GoTime extends GoStruct {
  readonly nanos: bigint;
  readonly zone: Zone;

  constructor(nanos: bigint, options: { readonly zone?: Zone; readonly isPointer?: boolean } = {}) {
    super(options.isPointer === true ? TIME_POINTER : TIME, {});
    this.nanos = nanos;
    this.zone = options.zone ?? UTC;
  }

  static fromMs(ms: number, zone: Zone = UTC): GoTime {
    return new GoTime(BigInt(Math.round(ms)) * NANOS_PER_MS, { zone });
  }

  format(layout: string): string {
    return formatTime(this, layout);
  }

  /** As JSON has it: RFC 3339 without trailing zeros. */
  toRfc3339(): string {
    return this.format(RFC3339_NANO);
  }
}

export const TIME_PARAM: ParamType = {
  name: 'time.Time',
  accepts: (value) => value instanceof GoTime,
};
const DURATION_PARAM: ParamType = {
  name: 'time.Duration',
  accepts: (value) => isGoDuration(value) || typeof value === 'bigint',
};

const MONTH: GoType = {
  name: 'time.Month',
  methods: { String: { params: [], call: (self) => MONTHS[Number(scalarOf(self)) - 1] ?? '' } },
};
const WEEKDAY: GoType = {
  name: 'time.Weekday',
  methods: { String: { params: [], call: (self) => WEEKDAYS[Number(scalarOf(self))] ?? '' } },
};

const METHODS: GoType['methods'] = {
  Format: { params: ['string'], call: (self, [layout]) => timeOf(self).format(String(layout)) },
  String: { params: [], call: (self) => timeOf(self).format(STRING_LAYOUT) },
  UTC: { params: [], call: (self) => new GoTime(timeOf(self).nanos) },
  IsZero: { params: [], call: (self) => timeOf(self).nanos === ZERO_TIME_NANOS },
  Unix: { params: [], call: (self) => floorDivide(timeOf(self).nanos, NANOS_PER_SECOND) },
  UnixMilli: { params: [], call: (self) => floorDivide(timeOf(self).nanos, NANOS_PER_MS) },
  UnixMicro: { params: [], call: (self) => floorDivide(timeOf(self).nanos, 1_000n) },
  UnixNano: { params: [], call: (self) => BigInt.asIntN(64, timeOf(self).nanos) },
  Year: { params: [], call: (self) => BigInt(dateOf(self).getUTCFullYear()) },
  Month: {
    params: [],
    call: (self) => new GoScalar(MONTH, BigInt(dateOf(self).getUTCMonth() + 1)),
  },
  Day: { params: [], call: (self) => BigInt(dateOf(self).getUTCDate()) },
  Weekday: { params: [], call: (self) => new GoScalar(WEEKDAY, BigInt(dateOf(self).getUTCDay())) },
  YearDay: { params: [], call: (self) => BigInt(timeOf(self).format('__2').trim()) },
  Hour: { params: [], call: (self) => BigInt(dateOf(self).getUTCHours()) },
  Minute: { params: [], call: (self) => BigInt(dateOf(self).getUTCMinutes()) },
  Second: { params: [], call: (self) => BigInt(dateOf(self).getUTCSeconds()) },
  Nanosecond: {
    params: [],
    call: (self) => {
      const { nanos } = timeOf(self);
      return nanos - floorDivide(nanos, NANOS_PER_SECOND) * NANOS_PER_SECOND;
    },
  },
  Add: {
    params: [DURATION_PARAM],
    call: (self, [span]) => shifted(timeOf(self), spanNanos(span)),
  },
  AddDate: {
    params: ['int', 'int', 'int'],
    call: (self, [years, months, days]) => addDate(timeOf(self), [years, months, days].map(Number)),
  },
  Sub: {
    params: [TIME_PARAM],
    call: (self, [other]) => goDuration(timeOf(self).nanos - timeOf(other).nanos),
  },
  After: {
    params: [TIME_PARAM],
    call: (self, [other]) => timeOf(self).nanos > timeOf(other).nanos,
  },
  Before: {
    params: [TIME_PARAM],
    call: (self, [other]) => timeOf(self).nanos < timeOf(other).nanos,
  },
  Equal: {
    params: [TIME_PARAM],
    call: (self, [other]) => timeOf(self).nanos === timeOf(other).nanos,
  },
  Compare: {
    params: [TIME_PARAM],
    call: (self, [other]) => {
      const [a, b] = [timeOf(self).nanos, timeOf(other).nanos];
      return a < b ? -1n : a > b ? 1n : 0n;
    },
  },
};

const TIME: GoType = { name: 'time.Time', methods: METHODS };
const TIME_POINTER: GoType = { name: '*time.Time', methods: METHODS };

function timeOf(value: Value | undefined): GoTime {
  if (!(value instanceof GoTime)) throw new FunctionError('not a time.Time');
  return value;
}

function scalarOf(value: Value): bigint {
  return value instanceof GoScalar && typeof value.value === 'bigint' ? value.value : 0n;
}

function spanNanos(value: Value | undefined): bigint {
  return typeof value === 'bigint' ? value : durationNanos(value);
}

/** The wall clock of the time's own zone, as the UTC fields of a Date. */
function dateOf(value: Value): Date {
  const time = timeOf(value);
  const ms = Number(floorDivide(time.nanos, NANOS_PER_MS));
  return new Date(ms + zoneAt(ms, time.zone).offsetSeconds * 1_000);
}

function shifted(time: GoTime, nanos: bigint): GoTime {
  return new GoTime(time.nanos + nanos, { zone: time.zone });
}

/** Calendar arithmetic on the wall clock; the 31st of a short month runs over into the next, as in Go. */
function addDate(time: GoTime, [years = 0, months = 0, days = 0]: readonly number[]): GoTime {
  const wall = dateOf(time);
  const before = wall.getTime();
  wall.setUTCFullYear(
    wall.getUTCFullYear() + years,
    wall.getUTCMonth() + months,
    wall.getUTCDate() + days,
  );
  const moved = shifted(time, BigInt(wall.getTime() - before) * NANOS_PER_MS);
  const drift = dateOf(moved).getTime() - wall.getTime();
  return shifted(moved, BigInt(-drift) * NANOS_PER_MS);
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}
