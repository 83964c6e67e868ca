import type { Expression } from '../influxql/ast.ts';
import { isLess, type Point, type Transform } from './functions.ts';
import { holtWinters } from './holt-winters.ts';
import type { Cell } from './result.ts';
import { INDICATOR_NAMES, indicator } from './technical.ts';
import { combine } from './values.ts';

function unitOf(args: readonly Expression[], fallback: bigint): bigint {
  const [unit] = args;
  return unit?.kind === 'duration' ? unit.nanos : fallback;
}

function numberOf(args: readonly Expression[], index: number, fallback: number): number {
  const arg = args[index];
  return arg?.kind === 'integer' || arg?.kind === 'number' ? Number(arg.value) : fallback;
}

function pairs(points: readonly Point[], combineTwo: (before: Point, now: Point) => Cell): Point[] {
  const out: Point[] = [];
  let before: Point | null = null;
  for (const now of points) {
    // Of points at one time only the first counts.
    if (before !== null && now.time === before.time) continue;
    if (before !== null) {
      const value = combineTwo(before, now);
      if (value !== null) out.push({ time: now.time, value, row: null });
    }
    before = now;
  }
  return out;
}

function derivative(isNonNegative: boolean): Transform {
  return (points, args, interval) => {
    const unit = unitOf(args, interval > 0n ? interval : 1_000_000_000n);
    return pairs(points, (before, now) => {
      const elapsed = Number(now.time - before.time);
      const value = (Number(now.value) - Number(before.value)) / (elapsed / Number(unit));
      return isNonNegative && value < 0 ? null : value;
    });
  };
}

function difference(isNonNegative: boolean): Transform {
  return (points) =>
    pairs(points, (before, now) => {
      const value = combine('-', now.value, before.value);
      return isNonNegative && isLess(value, 0) ? null : value;
    });
}

function cumulativeSum(points: readonly Point[]): readonly Point[] {
  let total: Cell = null;
  return points.map((point) => {
    total = total === null ? point.value : combine('+', total, point.value);
    return { time: point.time, value: total, row: null };
  });
}

function movingAverage(points: readonly Point[], args: readonly Expression[]): readonly Point[] {
  const size = numberOf(args, 0, 2);
  const out: Point[] = [];
  let sum = 0;
  for (const [index, point] of points.entries()) {
    sum += Number(point.value);
    const leaving = points[index - size];
    if (leaving !== undefined) sum -= Number(leaving.value);
    if (index + 1 >= size) out.push({ time: point.time, value: sum / size, row: null });
  }
  return out;
}

function elapsed(points: readonly Point[], args: readonly Expression[]): readonly Point[] {
  const unit = unitOf(args, 1n);
  const out: Point[] = [];
  for (let i = 1; i < points.length; i++) {
    out.push({
      time: points[i]!.time,
      value: (points[i]!.time - points[i - 1]!.time) / unit,
      row: null,
    });
  }
  return out;
}

/** How many windows before the first the function must see to give a value for the first. */
export function windowsBefore(name: string, args: readonly Expression[]): bigint {
  if (name === 'cumulative_sum' || name.startsWith('holt_winters')) return 0n;
  return name === 'moving_average' ? BigInt(numberOf(args, 0, 2) - 1) : 1n;
}

/** Functions that go over a sequence, by name. */
export const TRANSFORMS: Readonly<Record<string, Transform>> = {
  derivative: derivative(false),
  non_negative_derivative: derivative(true),
  difference: difference(false),
  non_negative_difference: difference(true),
  cumulative_sum: cumulativeSum,
  moving_average: movingAverage,
  elapsed,
  holt_winters: holtWinters(false),
  holt_winters_with_fit: holtWinters(true),
  ...Object.fromEntries(INDICATOR_NAMES.map((name) => [name, indicator(name)])),
};
