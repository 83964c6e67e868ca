import { describe, expect, it } from 'vitest';
import {
  formatDuration,
  fromField,
  parseDuration,
  shortDuration,
  toField,
  whenText,
} from './durations.ts';
import { webAddress } from './web-address.ts';

describe('durations on the page', () => {
  it.each([
    ['2h', 7_200_000],
    ['1d 2h30m', 95_400_000],
    ['1w5s', 604_805_000],
  ])('%j is read', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  });

  it.each(['', '0s', 'x', '2', '2h1d', '-1h', '99999999999w'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it('are short where they are read at a glance', () => {
    expect(shortDuration(95_405_400)).toBe('1d 2h');
    expect(formatDuration(0)).toBe('0s');
    expect(whenText('2026-11-23T12:00:00Z', Date.UTC(2026, 10, 23, 12, 5))).toBe('5m ago');
    expect(whenText('2026-11-23T12:00:00Z', Date.UTC(2026, 10, 23, 10))).toBe('in 2h');
    expect(whenText('2026-11-23T12:00:00.100Z', Date.UTC(2026, 10, 23, 12))).toBe('now');
    expect(whenText('never', 0)).toBe('never');
  });

  it('fields for date and time hold the second', () => {
    const ms = Date.UTC(2026, 10, 23, 12, 34, 56);
    expect(fromField(toField(ms))).toBe(ms);
    expect([fromField(''), fromField('x')]).toEqual([null, null]);
  });
});

describe('addresses that others give', () => {
  it('are links only where they lead to the web', () => {
    expect(webAddress('https://a.example/b?c=d#e')).toBe('https://a.example/b?c=d#e');
    for (const text of [
      undefined,
      '',
      '/graph',
      'javascript:alert(1)',
      ' javascript:alert(1)',
      'data:text/html,x',
      'http://',
      'mailto:a@b',
      'see https://a.example',
    ]) {
      expect(webAddress(text), String(text)).toBeNull();
    }
  });
});
