import { TimeIntervalError } from '../errors.ts';
import type { Range } from './time-interval.ts';

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];

/** `HH:MM` to minutes of the day; 24:00 is allowed. */
export function parseClock(text: string): number {
  const match = /^(\d{2}):(\d{2})$/.exec(text);
  const hours = Number(match?.[1]);
  const minutes = Number(match?.[2]);
  const total = hours * 60 + minutes;
  if (match === null || minutes > 59 || total > 1440) {
    throw new TimeIntervalError(`couldn't parse timestamp ${text}, invalid format; write HH:MM`);
  }
  return total;
}

export function minuteRange(start: string, end: string): Range {
  if (start === '' || end === '') {
    throw new TimeIntervalError('both start and end times must be provided');
  }
  const range = { from: parseClock(start), to: parseClock(end) };
  if (range.from >= range.to) {
    throw new TimeIntervalError('start time cannot be equal or greater than end time');
  }
  return range;
}

/** `monday`, or `monday:friday`; no wrap over Saturday. */
export function parseWeekdays(text: string): Range {
  const range = rangeOf(text, (word) => nameOrNull(word, WEEKDAYS, 0) ?? bad(word, 'weekday'));
  if (range.from > range.to) throw new TimeIntervalError('start day cannot be before end day');
  return range;
}

export function parseMonths(text: string): Range {
  const range = rangeOf(text, (word) => {
    const named = nameOrNull(word, MONTHS, 1);
    const number = /^\d{1,2}$/.test(word) ? Number(word) : 0;
    return named ?? (number >= 1 && number <= 12 ? number : bad(word, 'month'));
  });
  return inOrder(text, range, 'month');
}

export function parseYears(text: string): Range {
  const range = rangeOf(text, (word) => wholeNumber(word, 'year', 0, 9999));
  return inOrder(text, range, 'year');
}

/** -31 to 31 without 0; negative days count from the end of the month. */
export function parseDaysOfMonth(text: string): Range {
  const range = rangeOf(text, (word) => wholeNumber(word, 'day of the month', -31, 31));
  if (range.from === 0 || range.to === 0) bad('0', 'day of the month: out of range');
  if (range.from < 0 && range.to > 0) {
    throw new TimeIntervalError('end day must be negative if start day is negative');
  }
  // Counted in a month of 31 days, the start must not lie behind the end.
  const inLongMonth = (day: number): number => (day < 0 ? 32 + day : day);
  if (inLongMonth(range.from) > inLongMonth(range.to)) {
    throw new TimeIntervalError(`end day ${range.to} is always before start day ${range.from}`);
  }
  return range;
}

/** Throws for a time zone that the system does not know. */
export function checkLocation(name: string): string {
  if (name === '' || name === 'UTC') return 'UTC';
  // Go's "Local" is the zone of the process, which differs from member to member.
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return name;
  } catch {
    throw new TimeIntervalError(`unknown time zone ${name}; use an IANA name, as Asia/Shanghai`);
  }
}

function rangeOf(text: string, read: (word: string) => number): Range {
  const words = text.toLowerCase().split(':');
  if (words.length > 2) {
    throw new TimeIntervalError(`couldn't parse range ${text}, invalid format; write first:last`);
  }
  const from = read(words[0]!.trim());
  const to = words[1] === undefined ? from : read(words[1].trim());
  return { from, to };
}

function inOrder(text: string, range: Range, what: string): Range {
  if (range.from <= range.to) return range;
  const [start, end] = text.toLowerCase().split(':');
  throw new TimeIntervalError(`end ${what} ${end} is before start ${what} ${start}`);
}

function nameOrNull(word: string, names: readonly string[], first: number): number | null {
  const index = names.indexOf(word);
  return index < 0 ? null : index + first;
}

function wholeNumber(word: string, what: string, min: number, max: number): number {
  const value = Number(word);
  if (!/^-?\d+$/.test(word)) {
    throw new TimeIntervalError(`strconv.Atoi: parsing "${word}": invalid syntax`);
  }
  if (value < min || value > max) bad(word, `${what}: out of range`);
  return value;
}

function bad(word: string, what: string): never {
  throw new TimeIntervalError(`${word} is not a valid ${what}`);
}
