import type { Random } from '@pollux/base';
import type { Expression } from '../influxql/ast.ts';
import type { Cell } from './result.ts';
import { combine } from './values.ts';

/** A value at a time; `row` is where a selector found it, for the other columns of that row. */
export type Point = { readonly time: bigint; readonly value: Cell; readonly row: RowRef | null };
export type RowRef = { readonly table: number; readonly row: number };

type Numeric = number | bigint;
export type Reducer = (
  points: readonly Point[],
  args: readonly Expression[],
  random: Random,
) => readonly Point[];

/** Makes a new sequence of a sequence in time order; null values are not there. `interval` is GROUP BY time's, 0 for none. */
export type Transform = (
  points: readonly Point[],
  args: readonly Expression[],
  interval: bigint,
) => readonly Point[];

/** `selects`: gives back points of the input, with their times. `many`: may give several points. */
export type FunctionRule = {
  readonly kind: 'aggregate' | 'selector' | 'many';
  readonly types: 'any' | 'number' | 'ordered';
  readonly reduce: Reducer;
};

function only(value: Cell): readonly Point[] {
  return [{ time: 0n, value, row: null }];
}

function numbers(points: readonly Point[]): Numeric[] {
  return points.map((point) => point.value as Numeric);
}

function sum(points: readonly Point[]): Numeric {
  let total: Cell = null;
  for (const { value } of points) total = total === null ? value : combine('+', total, value);
  return total as Numeric;
}

/** Less than, for numbers, texts and booleans (false before true). */
export function isLess(a: Cell, b: Cell): boolean {
  return (a as Numeric) < (b as Numeric);
}

function sortedByValue(points: readonly Point[]): Point[] {
  return [...points].sort((a, b) => {
    if (isLess(a.value, b.value)) return -1;
    if (isLess(b.value, a.value)) return 1;
    return a.time < b.time ? -1 : a.time > b.time ? 1 : 0;
  });
}

function best(
  points: readonly Point[],
  isBetter: (candidate: Point, held: Point) => boolean,
): readonly Point[] {
  let held: Point | null = null;
  for (const point of points) if (held === null || isBetter(point, held)) held = point;
  return held === null ? [] : [held];
}

function median(points: readonly Point[]): Cell {
  const sorted = sortedByValue(points);
  const middle = sorted.length >> 1;
  const upper = Number(sorted[middle]?.value);
  if (sorted.length % 2 === 1) return upper;
  const lower = Number(sorted[middle - 1]?.value);
  return lower + (upper - lower) / 2;
}

/** The most frequent value; of several the one seen first, and when none comes twice the smallest: influxd's rule. */
function mode(points: readonly Point[]): readonly Point[] {
  const sorted = sortedByValue(points);
  const [smallest] = sorted;
  if (smallest === undefined) return [];
  let bestCount = 1;
  let bestPoint = smallest;
  for (let i = 0; i < sorted.length; ) {
    const first = sorted[i]!;
    let end = i;
    while (end < sorted.length && sorted[end]!.value === first.value) end++;
    const count = end - i;
    const isEarlier = count === bestCount && count > 1 && first.time < bestPoint.time;
    if (count > bestCount || isEarlier) {
      bestCount = count;
      bestPoint = first;
    }
    i = end;
  }
  return only(bestPoint.value);
}

function stddev(points: readonly Point[]): Cell {
  if (points.length < 2) return null;
  let mean = 0;
  for (const [index, value] of numbers(points).entries())
    mean += (Number(value) - mean) / (index + 1);
  let squares = 0;
  for (const value of numbers(points)) squares += (Number(value) - mean) ** 2;
  return Math.sqrt(squares / (points.length - 1));
}

function percentile(points: readonly Point[], args: readonly Expression[]): readonly Point[] {
  const [rank] = args;
  const percent = rank?.kind === 'integer' || rank?.kind === 'number' ? Number(rank.value) : 0;
  const sorted = sortedByValue(points);
  const index = Math.floor((sorted.length * percent) / 100 + 0.5) - 1;
  const found = sorted[index];
  return found === undefined ? [] : [found];
}

/** Each value once, in the order of its first appearance; of one time the smaller first. */
function distinct(points: readonly Point[]): readonly Point[] {
  const seen = new Map<Cell, Point>();
  for (const point of sortedByValue(points))
    if (!seen.has(point.value)) seen.set(point.value, point);
  const ordered = [...seen.values()].sort((a, b) =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : 0,
  );
  return ordered.map(({ value }) => ({ time: 0n, value, row: null }));
}

function spread(points: readonly Point[]): Cell {
  let least: Numeric | null = null;
  let most: Numeric | null = null;
  for (const value of numbers(points)) {
    if (least === null || value < least) least = value;
    if (most === null || value > most) most = value;
  }
  return most === null || least === null ? null : combine('-', most, least);
}

/** Area under the points in units of `unit` (default one second), by trapezoids. */
function integral(points: readonly Point[], args: readonly Expression[]): Cell {
  const unit = args[0]?.kind === 'duration' ? Number(args[0].nanos) : 1e9;
  let area = 0;
  for (let i = 1; i < points.length; i++) {
    const a = points[i - 1]!;
    const b = points[i]!;
    area += 0.5 * (Number(a.value) + Number(b.value)) * (Number(b.time - a.time) / unit);
  }
  return area;
}

function sample(
  points: readonly Point[],
  args: readonly Expression[],
  random: Random,
): readonly Point[] {
  const size = args[0]?.kind === 'integer' ? Number(args[0].value) : 1;
  // Reservoir sampling: each point is kept with equal chance, whatever their number.
  const kept: Point[] = [];
  for (const [index, point] of points.entries()) {
    if (kept.length < size) kept.push(point);
    else {
      const at = random.below(index + 1);
      if (at < size) kept[at] = point;
    }
  }
  return kept.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

/** Functions that make few values of many, by name. */
export const FUNCTIONS: Readonly<Record<string, FunctionRule>> = {
  count: { kind: 'aggregate', types: 'any', reduce: (points) => only(BigInt(points.length)) },
  sum: { kind: 'aggregate', types: 'number', reduce: (points) => only(sum(points)) },
  mean: {
    kind: 'aggregate',
    types: 'number',
    reduce: (points) => only(Number(sum(points)) / points.length),
  },
  median: { kind: 'aggregate', types: 'number', reduce: (points) => only(median(points)) },
  mode: { kind: 'aggregate', types: 'any', reduce: mode },
  spread: { kind: 'aggregate', types: 'number', reduce: (points) => only(spread(points)) },
  stddev: { kind: 'aggregate', types: 'number', reduce: (points) => only(stddev(points)) },
  integral: {
    kind: 'aggregate',
    types: 'number',
    reduce: (points, args) => only(integral(points, args)),
  },
  distinct: { kind: 'many', types: 'any', reduce: distinct },
  sample: { kind: 'many', types: 'any', reduce: sample },
  first: {
    kind: 'selector',
    types: 'any',
    reduce: (points) =>
      best(
        points,
        (p, held) => p.time < held.time || (p.time === held.time && isLess(held.value, p.value)),
      ),
  },
  last: {
    kind: 'selector',
    types: 'any',
    reduce: (points) =>
      best(
        points,
        (p, held) => p.time > held.time || (p.time === held.time && isLess(held.value, p.value)),
      ),
  },
  max: {
    kind: 'selector',
    types: 'ordered',
    reduce: (points) =>
      best(
        points,
        (p, held) => isLess(held.value, p.value) || (p.value === held.value && p.time < held.time),
      ),
  },
  min: {
    kind: 'selector',
    types: 'ordered',
    reduce: (points) =>
      best(
        points,
        (p, held) => isLess(p.value, held.value) || (p.value === held.value && p.time < held.time),
      ),
  },
  percentile: { kind: 'selector', types: 'number', reduce: percentile },
};
