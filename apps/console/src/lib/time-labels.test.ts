import { describe, expect, it } from 'vitest';
import { momentText, timeLabels } from './time-labels.ts';

/** A moment in the viewer's zone, in seconds. */
function at(...parts: [number, number, number, number, number, number]): number {
  return new Date(...parts).getTime() / 1_000;
}

describe('times on the page', () => {
  it('show seconds only where labels stand close, and the day where one begins', () => {
    const close = [
      at(2026, 10, 22, 23, 59, 50),
      at(2026, 10, 22, 23, 59, 55),
      at(2026, 10, 23, 0, 0, 0),
    ];
    expect(timeLabels(close)).toEqual(['23:59:50\n11-22', '23:59:55', '00:00:00\n11-23']);
    const wide = [at(2026, 0, 2, 8, 0, 0), at(2026, 0, 2, 9, 0, 0)];
    expect(timeLabels(wide)).toEqual(['08:00\n01-02', '09:00']);
    expect(timeLabels([])).toEqual([]);
  });

  it('name a moment to the second', () => {
    expect(momentText(at(2026, 10, 2, 7, 5, 9))).toBe('2026-11-02 07:05:09');
  });
});
