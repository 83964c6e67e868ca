import { FunctionError, GoScalar, GoStruct, type GoType } from '@pollux/gotemplate';

/** Go's zero time.Time: year 1. */
export const ZERO_TIME_MS = -62_135_596_800_000;

/** A time.Time of whole milliseconds in a zone. */
export class GoTime extends GoStruct {
  readonly ms: number;
  /** An IANA name. */
  readonly zone: string;

  constructor(ms: number, zone = 'UTC') {
    super(TIME_TYPE, {});
    this.ms = ms;
    this.zone = zone;
  }
}

const STRING_LAYOUT = '2006-01-02 15:04:05.999999999 -0700 MST';

const TIME_TYPE: GoType = {
  name: 'time.Time',
  methods: {
    Format: {
      params: ['string'],
      call: (self, [layout]) => formatTime(timeOf(self), String(layout)),
    },
    String: { params: [], call: (self) => formatTime(timeOf(self), STRING_LAYOUT) },
    Unix: { params: [], call: (self) => BigInt(Math.floor(timeOf(self).ms / 1000)) },
    UnixMilli: { params: [], call: (self) => BigInt(timeOf(self).ms) },
    UTC: { params: [], call: (self) => new GoTime(timeOf(self).ms) },
    IsZero: { params: [], call: (self) => timeOf(self).ms === ZERO_TIME_MS },
    Year: { params: [], call: (self) => BigInt(fieldsIn(timeOf(self)).year) },
    Sub: {
      params: [{ name: 'time.Time', accepts: (value) => value instanceof GoTime }],
      call: (self, [other]) => goDuration(timeOf(self).ms - timeOf(other ?? null).ms),
    },
  },
};

const DURATION_TYPE: GoType = {
  name: 'time.Duration',
  methods: {
    String: { params: [], call: (self) => formatGoDuration(durationMs(self)) },
    Seconds: { params: [], call: (self) => durationMs(self) / 1000 },
    Minutes: { params: [], call: (self) => durationMs(self) / 60_000 },
    Hours: { params: [], call: (self) => durationMs(self) / 3_600_000 },
  },
};

/** A time.Duration. */
export function goDuration(ms: number): GoScalar {
  return new GoScalar(DURATION_TYPE, BigInt(Math.round(ms * 1_000_000)));
}

export function isGoDuration(value: unknown): value is GoScalar {
  return value instanceof GoScalar && value.type === DURATION_TYPE;
}

export function durationMs(value: unknown): number {
  if (!isGoDuration(value)) throw new FunctionError('not a time.Duration');
  return Number(value.value) / 1_000_000;
}

function timeOf(value: unknown): GoTime {
  if (!(value instanceof GoTime)) throw new FunctionError('not a time.Time');
  return value;
}

/** Go's Duration.String: `1h2m3.5s`, `150ms`, `0s`. */
export function formatGoDuration(ms: number): string {
  if (ms === 0) return '0s';
  const sign = ms < 0 ? '-' : '';
  const size = Math.abs(ms);
  if (size < 1000) return `${sign}${size}ms`;
  const hours = Math.floor(size / 3_600_000);
  const minutes = Math.floor(size / 60_000) % 60;
  const seconds = (size % 60_000) / 1000;
  const tail = `${seconds}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${tail}`;
  return minutes > 0 ? `${sign}${minutes}m${tail}` : sign + tail;
}

type Fields = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly ms: number;
  readonly offsetMinutes: number;
  readonly zoneName: string;
};

function fieldsIn(time: GoTime): Fields {
  const offsetMinutes = time.zone === 'UTC' ? 0 : zoneOffset(time.ms, time.zone);
  const local = new Date(time.ms + offsetMinutes * 60_000);
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    weekday: local.getUTCDay(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    ms: local.getUTCMilliseconds(),
    offsetMinutes,
    zoneName: time.zone === 'UTC' ? 'UTC' : zoneName(time.ms, time.zone, offsetMinutes),
  };
}

/** Minutes east of Greenwich at that moment. */
export function zoneOffset(ms: number, zone: string): number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(ms).find((part) => part.type === 'timeZoneName')?.value ?? '';
  const match = /GMT([+-])(\d{2}):(\d{2})/.exec(name);
  if (match === null) return 0;
  const size = Number(match[2]) * 60 + Number(match[3]);
  return match[1] === '-' ? -size : size;
}

function zoneName(ms: number, zone: string, offsetMinutes: number): string {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'short' });
  const name = format.formatToParts(ms).find((part) => part.type === 'timeZoneName')?.value ?? '';
  // Go has the abbreviations of the zone database; where the system has none it prints the offset.
  return /^[A-Z]{2,5}$/.test(name) && name !== 'GMT' ? name : offsetText(offsetMinutes, '');
}

function offsetText(minutes: number, separator: string): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}${separator}${pad(size % 60)}`;
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** The elements of Go's reference time, longest first where one begins another. */
const ELEMENTS =
  /January|Jan|Monday|Mon|MST|2006|Z07:00|Z0700|-07:00|-0700|-07|002|__2|_2|01|02|03|04|05|06|15|PM|pm|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5/g;

/** Formats as Go's time.Format does: the layout shows how Mon Jan 2 15:04:05 MST 2006 would look. */
export function formatTime(time: GoTime, layout: string): string {
  const at = fieldsIn(time);
  return layout.replace(ELEMENTS, (element) => formatElement(element, at));
}

function formatElement(element: string, at: Fields): string {
  const hour12 = at.hour % 12 === 0 ? 12 : at.hour % 12;
  const month = MONTHS[at.month - 1] ?? '';
  const day = DAYS[at.weekday] ?? '';
  const simple: Readonly<Record<string, string>> = {
    January: month,
    Jan: month.slice(0, 3),
    Monday: day,
    Mon: day.slice(0, 3),
    MST: at.zoneName,
    '2006': String(at.year).padStart(4, '0'),
    '06': pad(at.year % 100),
    '01': pad(at.month),
    '1': String(at.month),
    '02': pad(at.day),
    _2: String(at.day).padStart(2, ' '),
    '2': String(at.day),
    '15': pad(at.hour),
    '03': pad(hour12),
    '3': String(hour12),
    '04': pad(at.minute),
    '4': String(at.minute),
    '05': pad(at.second),
    '5': String(at.second),
    PM: at.hour < 12 ? 'AM' : 'PM',
    pm: at.hour < 12 ? 'am' : 'pm',
    '-0700': offsetText(at.offsetMinutes, ''),
    '-07:00': offsetText(at.offsetMinutes, ':'),
    '-07': offsetText(at.offsetMinutes, '').slice(0, 3),
    Z0700: at.offsetMinutes === 0 ? 'Z' : offsetText(at.offsetMinutes, ''),
    'Z07:00': at.offsetMinutes === 0 ? 'Z' : offsetText(at.offsetMinutes, ':'),
  };
  const known = simple[element];
  if (known !== undefined) return known;
  if (element === '002' || element === '__2') {
    const dayOfYear = Math.floor(
      (Date.UTC(at.year, at.month - 1, at.day) - Date.UTC(at.year, 0, 1)) / 86_400_000,
    );
    return String(dayOfYear + 1).padStart(3, element === '002' ? '0' : ' ');
  }
  const digits = String(at.ms)
    .padStart(3, '0')
    .padEnd(element.length - 1, '0')
    .slice(0, element.length - 1);
  if (element[1] === '0') return `${element[0]}${digits}`;
  const short = digits.replace(/0+$/, '');
  return short === '' ? '' : `${element[0]}${short}`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

/** Go's RFC3339Nano in UTC: no trailing zeros, year 1 for {@link ZERO_TIME_MS}. */
export function rfc3339Nano(ms: number): string {
  const [whole = '', fraction = ''] = new Date(ms).toISOString().slice(0, -1).split('.');
  const digits = fraction.replace(/0+$/, '');
  return digits === '' ? `${whole}Z` : `${whole}.${digits}Z`;
}
