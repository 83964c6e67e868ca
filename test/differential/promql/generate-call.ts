import { type Expr, FUNCTIONS } from '@pollux/promql/parser';
import type { Dice } from './dice.ts';
import { histogramRange, histograms } from './generate-younger.ts';
import { aggregate, binary, call, matrix, number, selector, text } from './nodes.ts';
import {
  anySelector,
  constant,
  gaugeSelector,
  rangeOf,
  scalar,
  subqueryOf,
  vector,
  windowMs,
} from './operands.ts';

/** Functions that say something of a counter; others in 3.x remark on names without `_total`. */
const OF_COUNTERS = new Set(['rate', 'increase', 'irate', 'resets']);
/** Where these are defined, or neither overflow nor make much of a last bit. */
const OF_SMALL_VALUES = new Set([
  'acos',
  'asin',
  'atanh',
  'acosh',
  'sin',
  'cos',
  'tan',
  'sinh',
  'cosh',
  'exp',
]);
const OF_TIMES = /^(?:day_|days_|hour$|minute$|month$|year$)/;

/** A call of a function over data for which it has something to say. */
export function callOf(dice: Dice, name: string): Expr {
  const special = (dice.isYounger ? YOUNGER[name] : undefined) ?? SPECIAL[name];
  if (special !== undefined) return special(dice);
  if (OF_TIMES.test(name)) return calendar(dice, name);
  if (OF_SMALL_VALUES.has(name)) {
    return call(name, binary(gaugeSelector(dice), '/', number(dice.one([64, 4_194_304]))));
  }
  const signature = FUNCTIONS.get(name)!;
  const isAboutHistograms = dice.isYounger && dice.once(5);
  const args = signature.args.map((type): Expr => {
    if (isAboutHistograms && type === 'matrix') return histogramRange(dice);
    if (isAboutHistograms && type === 'vector') return histograms(dice);
    if (type === 'matrix') return rangeOf(dice, OF_COUNTERS.has(name));
    return type === 'scalar' ? scalar(dice, 1) : vector(dice, 2);
  });
  return call(name, ...args);
}

function calendar(dice: Dice, name: string): Expr {
  return dice.one<() => Expr>([
    () => call(name),
    () => call(name, call('vector', call('time'))),
    () => call(name, call('vector', number(86_400 * dice.below(40_000) - 3_600))),
    () => call(name, binary(selector('memory_bytes'), '*', number(300))),
    () => call(name, call('timestamp', gaugeSelector(dice))),
  ])();
}

const quantileOf = (dice: Dice): Expr => number(dice.one([0, 0.01, 0.25, 0.5, 0.9, 0.99, 1]));

const buckets = (dice: Dice): Expr =>
  dice.one<() => Expr>([
    () => selector('latency_seconds_bucket'),
    () => call('rate', matrix(selector('latency_seconds_bucket'), windowMs(dice))),
    () =>
      aggregate('sum', call('rate', matrix(selector('latency_seconds_bucket'), 300_000)), {
        grouping: { labels: dice.one([['le'], ['job', 'le']]), without: false },
      }),
  ])();

const SPECIAL: Readonly<Record<string, (dice: Dice) => Expr>> = {
  absent: (dice) =>
    call(
      'absent',
      dice.once(3)
        ? anySelector(dice)
        : selector('no_such_series', [
            ['job', '=', 'a'],
            ['x', '=~', 'b'],
          ]),
    ),
  absent_over_time: (dice) =>
    call(
      'absent_over_time',
      dice.once(3)
        ? rangeOf(dice, false)
        : matrix(selector('no_such_series', [['job', '=', 'a']]), windowMs(dice)),
    ),
  clamp: (dice) => {
    const [low, high] = dice.one([
      [0, 100],
      [-5, 5],
      [10, 1],
      [1, 1e6],
    ]) as [number, number];
    return call('clamp', vector(dice, 2), number(low), number(high));
  },
  double_exponential_smoothing: (dice) =>
    call(
      'double_exponential_smoothing',
      rangeOf(dice, false),
      number(dice.one([0.1, 0.5, 0.9])),
      number(dice.one([0.1, 0.5, 0.9])),
    ),
  histogram_count: () => call('histogram_count', selector('size_bytes')),
  histogram_sum: () => call('histogram_sum', selector('size_bytes')),
  // Bounds on bucket bounds: how releases place observations inside a bucket differs.
  histogram_fraction: (dice) =>
    call(
      'histogram_fraction',
      number(dice.one([Number.NEGATIVE_INFINITY, -4, -8])),
      number(dice.one([2, 4, 8, 16, Number.POSITIVE_INFINITY])),
      selector('size_bytes'),
    ),
  histogram_quantile: (dice) => call('histogram_quantile', quantileOf(dice), buckets(dice)),
  label_join: (dice) =>
    call(
      'label_join',
      vector(dice, 1),
      text(dice.one(['joined', 'job', 'code'])),
      text(dice.one(['-', '', ', '])),
      ...dice.some(['job', 'instance', 'code', 'nowhere']).map(text),
    ),
  label_replace: (dice) =>
    call(
      'label_replace',
      vector(dice, 1),
      text(dice.one(['port', 'job', 'code'])),
      text(dice.one(['$1', 'x-$2', '', '$1-y', 'fixed'])),
      text(dice.one(['instance', 'job', 'nowhere'])),
      text(dice.one(['(.*):(.*)', '(a|b).*', '.*', 'none'])),
    ),
  predict_linear: (dice) =>
    call('predict_linear', rangeOf(dice, false), number(dice.one([0, 60, 3_600, -300]))),
  quantile_over_time: (dice) => call('quantile_over_time', quantileOf(dice), rangeOf(dice, false)),
  round: (dice) =>
    dice.once(2)
      ? call('round', vector(dice, 1))
      : call('round', vector(dice, 1), number(dice.one([0.5, 10, 1_000, 0.125, -2]))),
  scalar: (dice) =>
    dice.once(3)
      ? call('scalar', vector(dice, 1))
      : call('scalar', aggregate(dice.one(['sum', 'max', 'count']), vector(dice, 1))),
  timestamp: (dice) => call('timestamp', dice.once(2) ? anySelector(dice) : vector(dice, 1)),
  vector: (dice) => call('vector', scalar(dice, 2)),
  sort: (dice) => call('sort', vector(dice, 1)),
  sort_desc: (dice) => call('sort_desc', vector(dice, 1)),
  last_over_time: (dice) =>
    call(
      'last_over_time',
      dice.once(3) ? subqueryOf(dice, gaugeSelector(dice)) : rangeOf(dice, false),
    ),
  deriv: (dice) => call('deriv', matrix(gaugeSelector(dice), windowMs(dice))),
  clamp_max: (dice) => call('clamp_max', vector(dice, 1), constant(dice)),
  clamp_min: (dice) => call('clamp_min', vector(dice, 1), constant(dice)),
};

const ofHistograms =
  (name: string) =>
  (dice: Dice): Expr =>
    call(name, dice.once(8) ? vector(dice, 1) : histograms(dice));
const sortedByLabel =
  (name: string) =>
  (dice: Dice): Expr =>
    call(name, vector(dice, 1), ...dice.some(['job', 'instance', 'code', 'le']).map(text));

/** Functions that 2.42 has not, and those that say more in 3.x. */
const YOUNGER: Readonly<Record<string, (dice: Dice) => Expr>> = {
  histogram_count: ofHistograms('histogram_count'),
  histogram_sum: ofHistograms('histogram_sum'),
  histogram_avg: ofHistograms('histogram_avg'),
  histogram_stddev: ofHistograms('histogram_stddev'),
  histogram_stdvar: ofHistograms('histogram_stdvar'),
  histogram_fraction: (dice) =>
    call(
      'histogram_fraction',
      number(dice.one([Number.NEGATIVE_INFINITY, -4, -0.3, 0, 0.1, 1, 3, Number.NaN])),
      number(dice.one([0, 0.05, 0.7, 1, 2, 5.5, Number.POSITIVE_INFINITY, Number.NaN])),
      dice.once(3) ? buckets(dice) : histograms(dice),
    ),
  histogram_quantile: (dice) =>
    call(
      'histogram_quantile',
      dice.once(6) ? number(dice.one([-1, 1.5, Number.NaN])) : quantileOf(dice),
      dice.once(2) ? buckets(dice) : histograms(dice),
    ),
  histogram_quantiles: (dice) =>
    call(
      'histogram_quantiles',
      dice.once(3) ? buckets(dice) : histograms(dice),
      text(dice.one(['q', 'quantile', 'job'])),
      ...[quantileOf(dice), quantileOf(dice), number(0.3)].slice(dice.below(3)),
    ),
  info: (dice) => {
    const of = dice.one<() => Expr>([
      () => anySelector(dice),
      () => call('rate', rangeOf(dice, true)),
      () => histograms(dice, 1),
      () =>
        aggregate('sum', gaugeSelector(dice), {
          grouping: { labels: ['job', 'instance'], without: false },
        }),
    ])();
    const info = dice.one<() => Expr[]>([
      () => [],
      () => [selector('', [['version', '=~', dice.one(['.+', 'v1', '1.*', ''])]])],
      () => [selector('', [['__name__', '=', 'build_info']])],
      () => [
        selector('', [
          ['__name__', '=~', '(build|target)_info'],
          ['version', '=~', '.*'],
        ]),
      ],
      () => [
        selector('', [
          ['host.name', '!=', dice.one(['h1', ''])],
          ['env', '=', dice.one(['test', ''])],
        ]),
      ],
    ])();
    return call('info', of, ...info);
  },
  sort_by_label: sortedByLabel('sort_by_label'),
  sort_by_label_desc: sortedByLabel('sort_by_label_desc'),
  start_timestamp: (dice) =>
    call('start_timestamp', dice.once(2) ? anySelector(dice) : vector(dice, 1)),
  max_of: (dice) => call('max_of', scalar(dice, 2), scalar(dice, 1)),
  min_of: (dice) => call('min_of', scalar(dice, 2), scalar(dice, 1)),
};
