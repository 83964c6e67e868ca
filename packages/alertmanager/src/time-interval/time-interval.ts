/** Inclusive at both ends, except minutes, where `to` is excluded. */
export type Range = { readonly from: number; readonly to: number };

/**
 * One entry of a time interval. Fields are joined by AND, the ranges of one field by OR; an empty field holds always.
 */
export type TimeInterval = {
  /** Minutes of the day, 0 to 1440. */
  readonly minutes: readonly Range[];
  /** 0 is Sunday. */
  readonly weekdays: readonly Range[];
  /** 1 to 31, or -31 to -1 counted from the end of the month. */
  readonly daysOfMonth: readonly Range[];
  /** 1 to 12. */
  readonly months: readonly Range[];
  readonly years: readonly Range[];
  /** An IANA name; `UTC` by default. */
  readonly location: string;
};

/** True when the entry holds at `timeMs`. */
export function containsTime(interval: TimeInterval, timeMs: number): boolean {
  const at = localTime(timeMs, interval.location);
  if (!holds(interval.minutes, (range) => at.minute >= range.from && at.minute < range.to)) {
    return false;
  }
  if (!holds(interval.daysOfMonth, (range) => containsDay(range, at))) return false;
  const within = (value: number) => (range: Range) => value >= range.from && value <= range.to;
  return (
    holds(interval.months, within(at.month)) &&
    holds(interval.weekdays, within(at.weekday)) &&
    holds(interval.years, within(at.year))
  );
}

function holds(ranges: readonly Range[], test: (range: Range) => boolean): boolean {
  return ranges.length === 0 || ranges.some(test);
}

type LocalTime = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly minute: number;
};

/** `29:31` holds on no day of a February of 28 days, `25:31` from the 25th to its end. */
function containsDay(range: Range, at: LocalTime): boolean {
  const length = new Date(Date.UTC(at.year, at.month, 0)).getUTCDate();
  const from = range.from < 0 ? length + range.from + 1 : range.from;
  const to = range.to < 0 ? length + range.to + 1 : range.to;
  // A range that lies wholly outside the month never holds; clamping it would make it the month's last day.
  if (from > length || to < 1) return false;
  return at.day >= Math.max(1, from) && at.day <= Math.min(length, to);
}

const FIELDS: Intl.DateTimeFormatOptions = {
  hourCycle: 'h23',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  weekday: 'short',
  hour: 'numeric',
  minute: 'numeric',
};
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

function localTime(timeMs: number, location: string): LocalTime {
  const date = new Date(timeMs);
  if (location === 'UTC') {
    return {
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
      weekday: date.getUTCDay(),
      minute: date.getUTCHours() * 60 + date.getUTCMinutes(),
    };
  }
  const format = new Intl.DateTimeFormat('en-US', { ...FIELDS, timeZone: location });
  const parts = Object.fromEntries(
    format.formatToParts(date).map((part) => [part.type, part.value]),
  );
  return {
    year: Number(parts.year),
    month: Number(parts.month),
    day: Number(parts.day),
    weekday: WEEKDAYS.indexOf(parts.weekday ?? ''),
    minute: Number(parts.hour) * 60 + Number(parts.minute),
  };
}
