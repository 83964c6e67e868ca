import { describe, expect, it } from 'vitest';
import { parseExpr } from './parser.ts';
import { stepWindow, timeSpan } from './time-span.ts';

const MINUTE = 60_000;
const OPTIONS = {
  startMs: 100 * MINUTE,
  endMs: 200 * MINUTE,
  stepMs: MINUTE,
  lookbackMs: 5 * MINUTE,
};

function overall(query: string): readonly number[] | null {
  const features = { extendedRangeSelectors: true, experimentalFunctions: true };
  const span = timeSpan(parseExpr(query, features), OPTIONS).overall;
  return span === null ? null : [span.minMs / MINUTE, span.maxMs / MINUTE];
}

const TICK = 1 / MINUTE;

describe('the time span of an expression', () => {
  it.each([
    ['up', [95 + TICK, 200]],
    ['rate(up[10m])', [90 + TICK, 200]],
    ['rate(up[10m] offset 1h)', [30 + TICK, 140]],
    ['up offset -1h', [155 + TICK, 260]],
    ['up @ 600', [5 + TICK, 10]],
    ['up @ end()', [195 + TICK, 200]],
    ['max_over_time(rate(up[5m])[30m:1m] offset 10m)', [55 + 2 * TICK, 190]],
    ['max_over_time(up[30m:1m] @ start())', [65 + 2 * TICK, 100]],
    ['sum(up) / on() rate(other[1h])', [40 + TICK, 200]],
    ['rate(up[10m] anchored)', [85 + TICK, 200]],
    ['rate(up[10m] smoothed)', [85 + TICK, 205]],
    ['info(rate(up[1m]))', [95 + TICK, 200]],
    ['rate(up[step() * 3])', [97 + TICK, 200]],
  ])('covers all that %s may read', (query, expected) => {
    const got = overall(query)!;
    expect(got[0]).toBeCloseTo(expected[0]!, 9);
    expect(got[1]).toBeCloseTo(expected[1]!, 9);
  });

  it('is empty for an expression that reads nothing', () => {
    expect(overall('time() + 1')).toBeNull();
  });

  it('tells moving windows from windows that @ pins', () => {
    const expr = parseExpr('rate(a[10m]) + b @ 600 + a offset -1m');
    const window = stepWindow(expr, 5 * MINUTE, OPTIONS);
    expect(window.moving).toEqual([{ beforeMs: 10 * MINUTE - 1, afterMs: MINUTE }]);
    expect(window.fixed).toEqual([{ minMs: 5 * MINUTE + 1, maxMs: 10 * MINUTE }]);
  });

  it('keeps windows apart between which nothing is read', () => {
    const expr = parseExpr('a - a offset 1h + max_over_time(rate(a[2m])[10m:1m] offset 1h)');
    const { moving } = stepWindow(expr, 5 * MINUTE, OPTIONS);
    expect(moving).toEqual([
      { beforeMs: 72 * MINUTE - 2, afterMs: -60 * MINUTE },
      { beforeMs: 5 * MINUTE - 1, afterMs: 0 },
    ]);
  });
});
