import type { DurationExpr, DurationValue, Expr, MatrixSelector } from '@pollux/promql/parser';
import { DOTTED_LABEL, DOTTED_NAME } from './data-younger.ts';
import type { Dice } from './dice.ts';
import { ARITHMETIC, COMPARISONS, TRIMS, type YoungerModifier } from './features.ts';
import { aggregate, binary, call, matrix, number, selector, shifted, text } from './nodes.ts';
import { anySelector, rangeOf, scalar, subqueryOf, vector, windowMs } from './operands.ts';
import { histogramSelector, youngerCounter } from './operands-younger.ts';

/** Native histograms: as they are, over time, added up, put together, scaled or cut. */
export function histograms(dice: Dice, depth = 2): Expr {
  if (depth === 0 || dice.once(3)) return histogramSelector(dice);
  return dice.one<() => Expr>([
    () => call(dice.one(['rate', 'increase', 'irate', 'delta', 'idelta']), histogramRange(dice)),
    () =>
      call(
        dice.one(['sum_over_time', 'avg_over_time', 'last_over_time', 'first_over_time']),
        histogramRange(dice),
      ),
    () =>
      aggregate(dice.one(['sum', 'avg']), histograms(dice, depth - 1), {
        grouping: dice.one([
          { labels: [], without: false },
          { labels: ['job'], without: false },
          { labels: ['instance'], without: true },
        ]),
      }),
    () =>
      binary(histograms(dice, depth - 1), dice.one(['*', '/']), number(dice.one([2, 0.5, -1, 0]))),
    () => histogramPair(dice, dice.one(['+', '-']), false),
    () =>
      binary(histograms(dice, depth - 1), dice.one(TRIMS), number(dice.one([0.3, 1, 2, -1, 0]))),
    () => aggregate(dice.one(['limitk']), histograms(dice, 0), { parameter: number(2) }),
  ])();
}

export function histogramRange(dice: Dice): Expr {
  if (dice.once(6)) return subqueryOf(dice, histogramSelector(dice));
  return matrix(histogramSelector(dice), windowMs(dice));
}

/** Two vectors of histograms whose series find each other. */
export function histogramPair(
  dice: Dice,
  operator: (typeof ARITHMETIC)[number] | (typeof COMPARISONS)[number],
  bool: boolean,
): Expr {
  const names = ['size_bytes', 'wait_seconds', 'queue_length', 'custom_seconds', 'mixed_values'];
  const right = dice.once(4)
    ? selector(dice.one(['temperature_celsius', 'memory_bytes']))
    : selector(dice.one(names));
  return binary(selector(dice.one(names)), operator, right, { bool, matching: {} });
}

/** A cut of histograms, or of what cannot be cut. */
export function trimmed(dice: Dice, operator: (typeof TRIMS)[number]): Expr {
  return dice.one<() => Expr>([
    () => binary(histograms(dice, 1), operator, scalar(dice, 1)),
    () => binary(histograms(dice, 1), operator, number(dice.one([0, 0.1, 1, 2.5, -1, 8]))),
    () => binary(vector(dice, 1), operator, number(1)),
    () => binary(selector('wait_seconds'), operator, selector('mixed_values'), { matching: {} }),
  ])();
}

/** A query about a modifier, or a kind of data, that 2.42 has not. */
export function youngerQuery(dice: Dice, modifier: YoungerModifier): Expr {
  switch (modifier) {
    case 'anchored':
    case 'smoothed':
      return extended(dice, modifier);
    case 'fill':
    case 'fill_left':
    case 'fill_right':
      return filled(dice, modifier);
    case 'duration expression':
      return withDurations(dice);
    case 'UTF-8 name':
      return dotted(dice);
    case 'classic and native':
      return classicAndNative(dice);
    case 'samples on the edge':
      return onTheEdge(dice);
    case 'histograms that change':
      return about(dice, 'wait_seconds');
    case 'gauge histograms':
      return about(dice, 'queue_length');
    case 'custom buckets':
      return about(dice, 'custom_seconds');
    case 'mixed samples':
      return about(dice, 'mixed_values');
  }
}

const OVER_TIME = [
  ...['rate', 'increase', 'delta', 'irate', 'idelta', 'resets', 'changes', 'count_over_time'],
  ...['sum_over_time', 'avg_over_time', 'last_over_time', 'max_over_time', 'stddev_over_time'],
  ...['ts_of_last_over_time', 'mad_over_time', 'absent_over_time', 'deriv'],
];

function about(dice: Dice, name: string): Expr {
  const of = selector(name, dice.once(3) ? [['job', '=', 'api']] : []);
  const range = dice.once(5) ? subqueryOf(dice, of) : matrix(of, windowMs(dice));
  return dice.one<() => Expr>([
    () => of,
    () => call(dice.one(OVER_TIME), range),
    () => call(dice.one(['histogram_count', 'histogram_sum', 'histogram_avg']), of),
    () => call('histogram_quantile', number(dice.one([0, 0.1, 0.5, 0.99, 1])), of),
    () => call('histogram_fraction', number(dice.one([-1, 0, 0.2])), number(1.5), of),
    () => call('histogram_quantile', number(0.7), call('rate', range)),
    () => call(dice.one(['histogram_stddev', 'histogram_stdvar']), call('increase', range)),
    () =>
      aggregate(dice.one(['sum', 'avg', 'count', 'max', 'stddev', 'topk', 'quantile']), of, {
        parameter: number(1),
      }),
    () => binary(of, dice.one([...ARITHMETIC, ...COMPARISONS]), scalar(dice, 1)),
    () => binary(scalar(dice, 1), dice.one([...ARITHMETIC, ...COMPARISONS]), of),
    () => aggregate('count_values', of, { parameter: text('value') }),
    () => call(dice.one(['abs', 'timestamp', 'sort', 'absent', 'scalar', 'clamp_min']), of, ...[]),
  ])();
}

function extended(dice: Dice, word: 'anchored' | 'smoothed'): Expr {
  const of = dice.once(3) ? youngerCounter(dice) : rangeOf(dice, dice.once(2));
  const base =
    'selector' in of ? of.selector : of.kind === 'vector-selector' ? of : anySelector(dice);
  const marked = { ...base, [word]: true };
  const range: MatrixSelector = { ...matrix(marked, windowMs(dice)) };
  const names =
    word === 'anchored'
      ? ['rate', 'increase', 'delta', 'changes', 'resets']
      : ['rate', 'increase', 'delta'];
  if (dice.once(10)) return word === 'smoothed' ? marked : call('sum_over_time', range);
  return call(dice.one(names), range);
}

function filled(dice: Dice, which: 'fill' | 'fill_left' | 'fill_right'): Expr {
  const value = dice.one([0, 1, -2.5, Number.NaN, 100]);
  const other = dice.one([0, 7]);
  const fill = {
    fill: dice.once(3)
      ? { fillLeft: value, fillRight: other }
      : { fillLeft: value, fillRight: value },
    fill_left: { fillLeft: value, fillRight: null },
    fill_right: { fillLeft: null, fillRight: value },
  }[which];
  const operator = dice.one([...ARITHMETIC, ...COMPARISONS]);
  const bool = (COMPARISONS as readonly string[]).includes(operator) && dice.once(2);
  const api = selector(dice.one(['memory_bytes', 'temperature_celsius']), [
    ['job', '=~', dice.one(['api|db', 'api', 'none'])],
  ]);
  const web = selector(dice.one(['memory_bytes', 'temperature_celsius', 'mixed_values']), [
    ['job', '=~', dice.one(['web|db', 'web|api', 'db'])],
  ]);
  const many = selector('requests_total', [['job', '!=', dice.one(['api', 'db'])]]);
  const on = { on: true, labels: ['job', 'instance'], ...fill };
  return dice.one<() => Expr>([
    () => binary(api, operator, web, { bool, matching: fill }),
    () => binary(api, operator, web, { bool, matching: { ...fill, labels: ['code'] } }),
    () => binary(api, operator, web, { bool, matching: on }),
    () => binary(many, operator, web, { bool, matching: { ...on, cardinality: 'many-to-one' } }),
    () => binary(api, operator, many, { bool, matching: { ...on, cardinality: 'one-to-many' } }),
    () =>
      binary(many, operator, selector('build_info', [['job', '=', 'web']]), {
        bool,
        matching: { ...on, cardinality: 'many-to-one', include: ['version'] },
      }),
  ])();
}

const PLACE = { start: 0, end: 0 };
const literal = (seconds: number, isDuration: boolean): DurationExpr => ({
  kind: 'duration-literal',
  seconds,
  isDuration,
  range: PLACE,
});
const variable = (name: 'step' | 'range'): DurationExpr => ({
  kind: 'duration-variable',
  name,
  range: PLACE,
});

function durationOf(dice: Dice, depth: number): DurationExpr {
  if (depth === 0 || dice.once(3)) {
    return dice.one<() => DurationExpr>([
      () => literal(dice.one([15, 60, 300, 450.5]), true),
      () => literal(dice.one([15, 60, 300, 2]), false),
      () => variable('step'),
      () => variable('range'),
    ])();
  }
  if (dice.once(8)) {
    return { kind: 'duration-unary', operator: '-', operand: literal(30, true), range: PLACE };
  }
  const operator = dice.one(['+', '-', '*', '/', '%', '^', 'min_of', 'max_of'] as const);
  const small = operator === '*' || operator === '/' || operator === '^' || operator === '%';
  const left = durationOf(dice, depth - 1);
  const right = small ? literal(dice.one([1, 2, 3, 0]), false) : durationOf(dice, depth - 1);
  const isLoose = ({ kind }: DurationExpr): boolean => kind === 'duration-binary';
  const inner = (expr: DurationExpr): DurationExpr =>
    isLoose(expr) ? { kind: 'duration-parentheses', inner: expr, range: PLACE } : expr;
  return {
    kind: 'duration-binary',
    operator,
    left: inner(left),
    right: inner(right),
    operatorRange: PLACE,
    range: PLACE,
  };
}

const widened = (expr: DurationExpr): DurationValue => ({
  ms: 0,
  expr: {
    kind: 'duration-binary',
    operator: '+',
    left: literal(300, true),
    right: { kind: 'duration-parentheses', inner: expr, range: PLACE },
    operatorRange: PLACE,
    range: PLACE,
  },
});

function withDurations(dice: Dice): Expr {
  const some: DurationValue = { ms: 0, expr: durationOf(dice, 2) };
  const wide = dice.once(4) ? some : widened(durationOf(dice, 2));
  const range: MatrixSelector = { ...matrix(anySelector(dice), 0), window: wide };
  return dice.one<() => Expr>([
    () => call(dice.one(['sum_over_time', 'count_over_time', 'increase']), range),
    () => shifted({ ...anySelector(dice), offset: null, at: null }, { offset: some }),
    () => call('max_over_time', { ...subqueryOf(dice, vector(dice, 1)), window: wide }),
    () =>
      call('count_over_time', {
        ...subqueryOf(dice, vector(dice, 1)),
        step: { ms: 0, expr: durationOf(dice, 1) },
      }),
  ])();
}

function dotted(dice: Dice): Expr {
  const of = selector('', [
    ['__name__', '=', DOTTED_NAME],
    [DOTTED_LABEL, dice.one(['=~', '!=']), dice.one(['s [0-9]', 's 1', ''])],
  ]);
  const grouping = { labels: [DOTTED_LABEL, 'job'], without: dice.once(2) };
  return dice.one<() => Expr>([
    () => of,
    () => aggregate('sum', of, { grouping }),
    () => call('rate', matrix(of, windowMs(dice))),
    () => binary(of, '+', of, { matching: { on: true, labels: [DOTTED_LABEL] } }),
    () =>
      call(
        'label_replace',
        of,
        text(dice.one(['a.b', 'job', ''])),
        text('$1'),
        text(DOTTED_LABEL),
        text('s (.*)'),
      ),
    () => call('label_join', of, text('new.one'), text('-'), text(DOTTED_LABEL), text('job')),
    () => aggregate('count_values', of, { parameter: text('the.value') }),
    () => call('info', of),
    () => call('sort_by_label', of, text(DOTTED_LABEL)),
  ])();
}

function classicAndNative(dice: Dice): Expr {
  const both = selector('', [
    [
      '__name__',
      '=~',
      dice.one(['latency_seconds(_bucket)?', 'latency_seconds_bucket|wait_seconds']),
    ],
  ]);
  const range = call('rate', matrix(both, windowMs(dice)));
  const of = dice.one<Expr>([
    both,
    range,
    aggregate('sum', range, { grouping: { labels: ['job', 'le'], without: false } }),
    selector('broken_bucket'),
    call('increase', matrix(selector('broken_bucket'), 600_000)),
  ]);
  return dice.one<() => Expr>([
    () => call('histogram_quantile', number(dice.one([0, 0.5, 0.9, 1, 2, Number.NaN])), of),
    () => call('histogram_fraction', number(dice.one([0, 0.1, 3])), number(2), of),
    () => call('histogram_quantiles', of, text('q'), number(0.1), number(0.9)),
  ])();
}

function onTheEdge(dice: Dice): Expr {
  const of = selector(dice.one(['aligned_total', 'aligned_bytes']));
  const window = dice.one([15_000, 30_000, 60_000, 300_000]);
  const range = dice.once(3) ? subqueryOf(dice, of) : { ...matrix(of, window) };
  return dice.one<() => Expr>([
    () => of,
    () => call(dice.one(OVER_TIME), range),
    () => call('count_over_time', { ...subqueryOf(dice, of), window: { ms: 300_000, expr: null } }),
    () => call(dice.one(['rate', 'increase']), matrix({ ...of, anchored: true }, window)),
    () => call(dice.one(['rate', 'increase']), matrix({ ...of, smoothed: true }, window)),
    () => call('predict_linear', range, number(60)),
  ])();
}
