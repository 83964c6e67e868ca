import { describe, expect, it } from 'vitest';
import { formatGoDuration, GoTime, humanizeDuration, isPlace, parseTime } from '../index.ts';

const START_MS = Date.UTC(2026, 0, 5, 10, 0, 0);
const inZone = (ms: number, name: string): GoTime => GoTime.fromMs(ms, { kind: 'place', name });

describe('times', () => {
  it.each([
    ['Mon Jan _2 15:04:05 2006', 'Mon Jan  5 10:00:00 2026'],
    ['Monday, 02-Jan-06 3:04PM', 'Monday, 05-Jan-26 10:00AM'],
    ['2006-01-02T15:04:05Z07:00', '2026-01-05T10:00:00Z'],
    ['15:04:05.000', '10:00:00.000'],
    ['1/2 002 January', '1/5 005 January'],
    ['Janet _2006 Mond', 'Janet _2026 Mond'],
  ])('are formatted by the layout %s', (layout, expected) => {
    expect(GoTime.fromMs(START_MS).format(layout)).toBe(expected);
  });

  it('have fractions with and without the zeros at their end', () => {
    expect(GoTime.fromMs(START_MS + 120).format('05.000 05.99 .999')).toBe('00.120 00.12 .12');
  });

  it.each([
    ['Europe/Berlin', 'CET+01:00', 'CEST+02:00'],
    ['America/New_York', 'EST-05:00', 'EDT-04:00'],
    ['Asia/Shanghai', 'CST+08:00', 'CST+08:00'],
    ['America/Sao_Paulo', '-03-03:00', '-03-03:00'],
    ['Asia/Kathmandu', '+0545+05:45', '+0545+05:45'],
  ])('in %s have the abbreviations of the zone database', (zone, winter, summer) => {
    expect(inZone(START_MS, zone).format('MST-07:00')).toBe(winter);
    expect(inZone(Date.UTC(2026, 6, 5), zone).format('MST-07:00')).toBe(summer);
  });

  it.each([
    ['2006-01-02 15:04:05', '2026-02-03 04:05:06.5', '2026-02-03 04:05:06.5 +0000 UTC'],
    ['2006-01-02T15:04:05Z07:00', '2026-01-02T10:00:00+08:00', '2026-01-02 10:00:00 +0800 +0800'],
    ['Jan 2 2006 3:04PM MST', 'feb 3 2020 12:30AM CEST', '2020-02-03 00:30:00 +0000 CEST'],
  ])('by %s are read from %s', (layout, text, expected) => {
    expect(parseTime(layout, text).format('2006-01-02 15:04:05.999 -0700 MST')).toBe(expected);
  });

  it.each([
    ['2006-01-02', '2026-02-30', 'parsing time "2026-02-30": day out of range'],
    ['2006-01-02', 'x', 'parsing time "x" as "2006-01-02": cannot parse "x" as "2006"'],
    ['15:04', '25:00', 'parsing time "25:00": hour out of range'],
    ['2006', '2026x', 'parsing time "2026x": extra text: "x"'],
  ])('by %s are not read from %s', (layout, text, message) => {
    expect(() => parseTime(layout, text)).toThrow(message);
  });

  it('know which zones there are', () => {
    expect(['Asia/Tokyo', 'UTC', 'Mars/X', '', '+08:00'].map(isPlace)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('durations', () => {
  it('print as Go prints them', () => {
    expect(formatGoDuration(3_723_500_000_000n)).toBe('1h2m3.5s');
    expect(formatGoDuration(-150_000_000n)).toBe('-150ms');
    expect(formatGoDuration(1_500n)).toBe('1.5µs');
    expect(formatGoDuration(7n)).toBe('7ns');
    expect(formatGoDuration(0n)).toBe('0s');
  });

  it('are humanized', () => {
    expect(humanizeDuration(0)).toBe('0s');
    expect(humanizeDuration(0.0123)).toBe('12.3ms');
    expect(humanizeDuration(59.98765)).toBe('59.99s');
    expect(humanizeDuration(90_061)).toBe('1d 1h 1m 1s');
    expect(humanizeDuration(-3_600)).toBe('-1h 0m 0s');
    expect(humanizeDuration(Number.POSITIVE_INFINITY)).toBe('+Inf');
  });
});
