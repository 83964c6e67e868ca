import type { Expr, MatrixSelector, SubqueryExpr, VectorSelector } from '@pollux/promql/parser';
import { LENGTH_MS, START_MS } from './data.ts';
import type { Dice } from './dice.ts';
import { ARITHMETIC } from './features.ts';
import {
  aggregate,
  binary,
  type Condition,
  call,
  duration,
  matrix,
  negated,
  number,
  type Shift,
  selector,
  shifted,
  subquery,
} from './nodes.ts';
import { youngerCounter, youngerSelector } from './operands-younger.ts';

const COUNTERS = ['requests_total', 'requests_total', 'batches_total', 'latency_seconds_count'];
const GAUGES = ['memory_bytes', 'temperature_celsius', 'build_info'];
const CONSTANTS = [0, 1, 2, 0.5, -1, 3, 100, 1e3, 0.25];

/** A selector of floats, and for 3.x of histograms too; with labels that some series have. */
export function anySelector(dice: Dice): VectorSelector {
  if (dice.isYounger && dice.once(5)) return shifted(youngerSelector(dice), shift(dice));
  const name = dice.one([
    ...COUNTERS,
    ...GAUGES,
    ...GAUGES,
    'latency_seconds_bucket',
    'odd_values',
  ]);
  return shifted(selector(name, conditions(dice, name)), shift(dice));
}

function counterSelector(dice: Dice): VectorSelector {
  if (dice.isYounger && dice.once(4)) return youngerCounter(dice);
  const name = dice.one(COUNTERS);
  return selector(name, conditions(dice, name));
}

export function gaugeSelector(dice: Dice): VectorSelector {
  const name = dice.one(GAUGES);
  return selector(name, conditions(dice, name));
}

function conditions(dice: Dice, name: string): Condition[] {
  if (name === 'odd_values') return dice.once(2) ? [['kind', '!=', 'huge']] : [];
  const all: readonly Condition[] = [
    ['job', '=', dice.one(['api', 'web', 'db'])],
    ['job', '!=', dice.one(['api', 'web', 'none'])],
    ['instance', '=~', dice.one(['[ab]:80', '.*:80', 'a.*|d.+', '.+'])],
    ['instance', '!~', dice.one(['a:.*', '', 'none|c:80'])],
    ['absent_label', '=', ''],
  ];
  return dice.once(2) ? [dice.one(all)] : [];
}

/** Mostly none: each kind of shift is asked for by name too. */
export function shift(dice: Dice, times = 10): Shift {
  if (!dice.once(times)) return {};
  return dice.one<() => Shift>([
    () => ({ offset: duration(1_000 * (1 + dice.below(900))) }),
    () => ({ offset: duration(-1_000 * (1 + dice.below(300))) }),
    () => ({ at: { kind: 'timestamp', timestampMs: someTimeMs(dice) } }),
    () => ({ at: { kind: 'start' } }),
    () => ({ at: { kind: 'end' } }),
    () => ({ offset: duration(60_000), at: { kind: 'end' } }),
  ])();
}

/** A time in the middle of the data; never a half second, which belongs to ranges of subqueries. */
export function someTimeMs(dice: Dice): number {
  const margin = 15 * 60_000;
  if (dice.isYounger && dice.once(2))
    return START_MS + margin + 15_000 * dice.below((LENGTH_MS - 2 * margin) / 15_000);
  const second = dice.below((LENGTH_MS - 2 * margin) / 1_000);
  return START_MS + margin + 1_000 * second + dice.one([0, 0, 0, 250, 750]);
}

export function windowMs(dice: Dice): number {
  return dice.one([60_000, 90_000, 300_000, 600_000, 917_000, 1_800_000]);
}

/** Steps of subqueries lie on multiples of the step; the half second keeps them off the ends of the range. */
export function subqueryOf(dice: Dice, expr: Expr): SubqueryExpr {
  const width = dice.one([120_500, 300_500, 601_500]);
  return subquery(expr, width, dice.one([15_000, 60_000, 37_000, null]));
}

export type Range = MatrixSelector | SubqueryExpr;

/** A range of floats. `isCounter`: one that rate() takes without a remark. */
export function rangeOf(dice: Dice, isCounter: boolean): Range {
  if (isCounter) {
    const of = counterSelector(dice);
    const range = dice.once(8) ? subqueryOf(dice, of) : matrix(of, windowMs(dice));
    return shifted(range, shift(dice));
  }
  if (dice.once(6)) return shifted(subqueryOf(dice, vector(dice, 1)), shift(dice));
  const of = { ...anySelector(dice), offset: null, at: null };
  return shifted(matrix(of, windowMs(dice)), shift(dice));
}

/** An instant vector of floats whose series have labels. */
export function vector(dice: Dice, depth: number): Expr {
  if (depth <= 0 || dice.once(2)) return anySelector(dice);
  return dice.one<() => Expr>([
    () => call(dice.one(['rate', 'increase']), rangeOf(dice, true)),
    () =>
      call(dice.one(['max_over_time', 'avg_over_time', 'count_over_time']), rangeOf(dice, false)),
    () => {
      const labels = dice.one([['job'], ['instance'], ['job', 'instance']]);
      const operator = dice.one(['sum', 'max', 'min', 'count', 'avg'] as const);
      return aggregate(operator, vector(dice, depth - 1), { grouping: { labels, without: false } });
    },
    () => binary(vector(dice, depth - 1), dice.one(['+', '-', '*', '/']), constant(dice)),
    () => negated(vector(dice, depth - 1)),
  ])();
}

export function constant(dice: Dice): Expr {
  return number(dice.one(CONSTANTS));
}

export function scalar(dice: Dice, depth: number): Expr {
  if (depth <= 0 || dice.once(2)) return constant(dice);
  return dice.one<() => Expr>([
    () => call('scalar', aggregate('sum', gaugeSelector(dice))),
    () => call('time'),
    () => call('pi'),
    () => binary(constant(dice), dice.one(ARITHMETIC), scalar(dice, depth - 1)),
    () => binary(constant(dice), dice.one(['<', '>=']), scalar(dice, depth - 1), { bool: true }),
  ])();
}

/** One more layer around what was asked for; numbers stay numbers. */
export function wrapped(dice: Dice, expr: Expr): Expr {
  return dice.one<() => Expr>([
    () => call(dice.one(['abs', 'sqrt', 'rad', 'deg', 'timestamp', 'absent']), expr),
    () => binary(expr, dice.one(ARITHMETIC), constant(dice)),
    () => binary(expr, dice.one(['<', '>=', '!=']), constant(dice), { bool: dice.once(2) }),
    () => binary(constant(dice), dice.one(['-', '*']), expr),
    () => aggregate(dice.one(['sum', 'count', 'max', 'avg']), expr),
    () => aggregate('sum', expr, { grouping: { labels: ['job'], without: dice.once(2) } }),
    () => binary(expr, 'or', gaugeSelector(dice)),
    () =>
      call(
        dice.one(['last_over_time', 'present_over_time', 'sum_over_time']),
        subqueryOf(dice, expr),
      ),
    () => negated(expr),
  ])();
}
