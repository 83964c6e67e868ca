import {
  checked,
  list,
  nonEmptyString,
  object,
  optional,
  parsed,
  required,
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
  location: optional(parsed(checkLocation), 'UTC'),
});

const named = object({
  name: required(nonEmptyString),
  time_intervals: optional(list(entry), []),
});

/** `time_intervals:` and the deprecated `mute_time_intervals:` have the same form. */
export const timeIntervalList = list<NamedTimeInterval>((node, path, context) => {
  const read = named(node, path, context);
  const intervals = read.time_intervals.map((item) => ({
    minutes: item.times,
    weekdays: item.weekdays,
    daysOfMonth: item.days_of_month,
    months: item.months,
    years: item.years,
    location: item.location,
  }));
  return { name: read.name, intervals, written: intervals.map(written) };
});

/** The canonical spelling of an entry. */
function written(interval: TimeInterval): Record<string, unknown> {
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
  if (interval.location !== 'UTC') out.location = interval.location;
  return out;
}
