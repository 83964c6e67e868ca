import {
  checked,
  type Decoder,
  list,
  nullable,
  object,
  optional,
  parsed,
  refuse,
  string,
} from '@pollux/config';
import {
  checkLocation,
  minuteRange,
  parseDaysOfMonth,
  parseMonths,
  parseWeekdays,
  parseYears,
} from '../time-interval/parse.ts';
import type { TimeInterval } from '../time-interval/time-interval.ts';

export type NamedTimeInterval = {
  readonly name: string;
  readonly intervals: readonly TimeInterval[];
  /** Whether it stands under `mute_time_intervals`. */
  readonly isDeprecated: boolean;
  /** The entries as written, for the re-marshalled configuration. */
  readonly written: readonly unknown[];
};

const entry = object({
  times: optional(
    list(
      checked(
        object({ start_time: optional(string, ''), end_time: optional(string, '') }),
        ({ start_time, end_time }) => minuteRange(start_time, end_time),
      ),
    ),
    [],
  ),
  weekdays: optional(list(parsed(parseWeekdays)), []),
  days_of_month: optional(list(parsed(parseDaysOfMonth)), []),
  months: optional(list(parsed(parseMonths)), []),
  years: optional(list(parsed(parseYears)), []),
  location: optional(nullable(parsed(checkLocation)), null),
});

/** Entries of an interval, as `time_intervals` has them. */
export const timeIntervalEntries: Decoder<readonly TimeInterval[]> = (node, path, context) =>
  list(entry)(node, path, context).map(intervalOf);

function intervalOf(item: ReturnType<typeof entry>): TimeInterval {
  return {
    minutes: item.times,
    weekdays: item.weekdays,
    daysOfMonth: item.days_of_month,
    months: item.months,
    years: item.years,
    location: item.location ?? 'UTC',
  };
}

const named = object({
  name: optional(string, ''),
  time_intervals: optional(list(entry), []),
});

/** `time_intervals:` and the deprecated `mute_time_intervals:` have the same form. */
export function timeIntervalList(isDeprecated: boolean) {
  return list<NamedTimeInterval>((node, path, context) => {
    const read = named(node, path, context);
    if (read.name === '') {
      refuse(node, path, `missing name in ${isDeprecated ? 'mute ' : ''}time interval`);
    }
    const intervals = read.time_intervals.map(intervalOf);
    return {
      name: read.name,
      isDeprecated,
      intervals,
      written: intervals.map((interval, index) =>
        written(interval, read.time_intervals[index]?.location ?? null),
      ),
    };
  });
}

/** The canonical spelling of an entry. */
function written(interval: TimeInterval, location: string | null): Record<string, unknown> {
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = (minute: number): string => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
  const ranges = (list: TimeInterval['years'], name: (value: number) => string): string[] =>
    list.map(({ from, to }) => (from === to ? name(from) : `${name(from)}:${name(to)}`));
  const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
  const out: Record<string, unknown> = {};
  if (interval.minutes.length > 0) {
    out.times = interval.minutes.map(({ from, to }) => ({
      start_time: clock(from),
      end_time: clock(to),
    }));
  }
  if (interval.weekdays.length > 0) {
    out.weekdays = ranges(interval.weekdays, (day) => weekdays[day] ?? String(day));
  }
  if (interval.daysOfMonth.length > 0) out.days_of_month = ranges(interval.daysOfMonth, String);
  if (interval.months.length > 0) out.months = ranges(interval.months, String);
  if (interval.years.length > 0) out.years = ranges(interval.years, String);
  if (location !== null) out.location = location;
  return out;
}
