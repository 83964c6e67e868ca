import { describe, expect, it } from 'vitest';
import {
  checkLocation,
  minuteRange,
  parseDaysOfMonth,
  parseMonths,
  parseWeekdays,
  parseYears,
} from './parse.ts';
import { containsTime, type TimeInterval } from './time-interval.ts';

const ALWAYS: TimeInterval = {
  minutes: [],
  weekdays: [],
  daysOfMonth: [],
  months: [],
  years: [],
  location: 'UTC',
};

function holds(interval: Partial<TimeInterval>, time: string): boolean {
  return containsTime({ ...ALWAYS, ...interval }, Date.parse(time));
}

describe('a time interval', () => {
  it('without fields holds always', () => {
    expect(holds({}, '2026-01-05T00:00:00Z')).toBe(true);
  });

  it('includes its first minute and not its last', () => {
    const minutes = [minuteRange('09:00', '17:00')];
    expect(holds({ minutes }, '2026-01-05T08:59:59Z')).toBe(false);
    expect(holds({ minutes }, '2026-01-05T09:00:00Z')).toBe(true);
    expect(holds({ minutes }, '2026-01-05T16:59:59Z')).toBe(true);
    expect(holds({ minutes }, '2026-01-05T17:00:00Z')).toBe(false);
    expect(holds({ minutes: [minuteRange('22:00', '24:00')] }, '2026-01-05T23:59:59Z')).toBe(true);
  });

  it('counts weekdays from Sunday and both ends in', () => {
    const weekdays = [parseWeekdays('Monday:friday')];
    expect(holds({ weekdays }, '2026-01-04T12:00:00Z')).toBe(false);
    expect(holds({ weekdays }, '2026-01-05T12:00:00Z')).toBe(true);
    expect(holds({ weekdays }, '2026-01-09T12:00:00Z')).toBe(true);
    expect(holds({ weekdays }, '2026-01-10T12:00:00Z')).toBe(false);
  });

  it('counts negative days from the end of the month', () => {
    const lastThree = { daysOfMonth: [parseDaysOfMonth('-3:-1')] };
    expect(holds(lastThree, '2026-02-26T00:00:00Z')).toBe(true);
    expect(holds(lastThree, '2026-02-25T23:59:00Z')).toBe(false);
    expect(holds(lastThree, '2024-02-26T00:00:00Z')).toBe(false);
    expect(holds(lastThree, '2024-02-29T00:00:00Z')).toBe(true);
  });

  it('cuts days that the month does not have', () => {
    expect(holds({ daysOfMonth: [parseDaysOfMonth('25:31')] }, '2026-02-28T00:00:00Z')).toBe(true);
    expect(holds({ daysOfMonth: [parseDaysOfMonth('30:31')] }, '2026-02-28T00:00:00Z')).toBe(false);
    expect(holds({ daysOfMonth: [parseDaysOfMonth('-31:-30')] }, '2026-02-01T00:00:00Z')).toBe(
      false,
    );
  });

  it('joins fields by and, ranges by or', () => {
    const interval = {
      months: [parseMonths('january:march'), parseMonths('12')],
      years: [parseYears('2026:2027')],
    };
    expect(holds(interval, '2026-12-24T00:00:00Z')).toBe(true);
    expect(holds(interval, '2026-04-01T00:00:00Z')).toBe(false);
    expect(holds(interval, '2028-01-01T00:00:00Z')).toBe(false);
  });

  it('reads the clock of its place', () => {
    const office = {
      minutes: [minuteRange('09:00', '18:00')],
      weekdays: [parseWeekdays('monday')],
      location: checkLocation('Asia/Shanghai'),
    };
    expect(holds(office, '2026-01-05T01:00:00Z')).toBe(true);
    expect(holds(office, '2026-01-05T10:00:00Z')).toBe(false);
    expect(holds(office, '2026-01-04T17:30:00Z')).toBe(false);
    const newYork = { minutes: [minuteRange('02:30', '03:30')], location: 'America/New_York' };
    // The hour from 2 to 3 does not exist on the day the clocks go forward.
    expect(holds(newYork, '2026-03-08T06:59:00Z')).toBe(false);
    expect(holds(newYork, '2026-03-08T07:00:00Z')).toBe(true);
  });
});

describe('a bad time interval is refused', () => {
  it.each([
    () => minuteRange('9:00', '10:00'),
    () => minuteRange('10:00', '09:00'),
    () => minuteRange('10:00', '10:00'),
    () => minuteRange('10:00', '24:01'),
    () => minuteRange('', '10:00'),
    () => parseWeekdays('friday:monday'),
    () => parseWeekdays('funday'),
    () => parseMonths('13'),
    () => parseMonths('may:april'),
    () => parseDaysOfMonth('0'),
    () => parseDaysOfMonth('32'),
    () => parseDaysOfMonth('10:5'),
    () => parseDaysOfMonth('-1:5'),
    () => parseDaysOfMonth('-5:-10'),
    () => parseYears('2027:2026'),
    () => parseYears('1:2:3'),
    () => checkLocation('Mars/Olympus'),
  ])('case %#', (make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ALERTMANAGER.BAD_TIME_INTERVAL' }));
  });
});
