import type {
  AggregateOperator,
  BinaryOperator,
  Expr,
  VectorMatching,
} from '@pollux/promql/parser';
import { isComparison, isSetOperator, typeOf } from '@pollux/promql/parser';
import { NO_REMARKS, type Remarks } from './compare.ts';
import { Dice } from './dice.ts';
import {
  COMPARISONS,
  FEATURES,
  type Feature,
  featuresOf,
  featureText,
  isTrim,
  type Modifier,
  type TextFeature,
  type TreeFeature,
} from './features.ts';
import { badQuery, badTimes, mutated, words } from './generate-bad.ts';
import { callOf } from './generate-call.ts';
import { nativeQuery } from './generate-native.ts';
import { muchRemarked, remarkedQuery } from './generate-remarked.ts';
import { histogramPair, histograms, trimmed, youngerQuery } from './generate-younger.ts';
import {
  aggregate,
  binary,
  call,
  duration,
  matrix,
  negated,
  number,
  selector,
  shifted,
  text,
} from './nodes.ts';
import {
  anySelector,
  constant,
  gaugeSelector,
  rangeOf,
  scalar,
  someTimeMs,
  subqueryOf,
  vector,
  windowMs,
  wrapped,
} from './operands.ts';
import type { Dialect } from './peer.ts';
import { printQuery } from './print-query.ts';
import type { Times } from './times.ts';

export type Case = {
  readonly query: string;
  /** Null for a text that was not made from a tree. */
  readonly expr: Expr | null;
  readonly features: ReadonlySet<string>;
  readonly times: Times;
  /** What 3.x, and not 2.42, says about the query. */
  readonly remarks: Remarks;
};

const isOfTree = (item: Feature): item is TreeFeature => item.kind !== 'text';
const TREE_FEATURES = {
  '2.42': FEATURES['2.42'].filter(isOfTree),
  '3.x': FEATURES['3.x'].filter(isOfTree),
} as const;

const LABEL_SETS = [['job'], ['instance'], ['job', 'instance'], ['code'], ['nowhere', 'job']];

/** The query of a number: the features of the language in turn, each with new operands and surroundings. */
export function caseOf(seed: number, index: number, dialect: Dialect): Case {
  const dice = new Dice(seed * 1_000_003 + index, dialect);
  const features = FEATURES[dialect];
  const target = features[index % features.length]!;
  if (target.kind === 'text') return textCase(dice, target.name, featureText(target));
  const expr = exprFor(dice, target);
  return {
    query: printQuery(expr),
    expr,
    features: new Set([...featuresOf(expr), featureText(target)]),
    times: timesFor(dice, expr),
    remarks: NO_REMARKS,
  };
}

/** A text that is hardly a query, beside those that are asked. */
export function malformedOf(seed: number, index: number, dialect: Dialect): string {
  const dice = new Dice(seed * 2_000_003 + index, dialect);
  if (dice.once(4)) return words(dice);
  let query = printQuery(exprFor(dice, dice.one(TREE_FEATURES[dialect])));
  for (let left = 1 + dice.below(3); left > 0 && query !== ''; left--) query = mutated(dice, query);
  return query;
}

function exprFor(dice: Dice, target: TreeFeature): Expr {
  const expr = queryFor(dice, target);
  const isPlain = target.name === 'native histogram' || isSorting(expr);
  return !isPlain && typeOf(expr) === 'vector' && dice.once(3) ? wrapped(dice, expr) : expr;
}

function textCase(dice: Dice, kind: TextFeature['name'], feature: string): Case {
  const timeMs = someTimeMs(dice);
  const times: Times = dice.once(2)
    ? { kind: 'instant', timeMs }
    : { kind: 'range', startMs: timeMs, endMs: timeMs + 600_000, stepMs: 60_000 };
  const whole = { expr: null, features: new Set([feature]), times, remarks: NO_REMARKS };
  switch (kind) {
    case 'refused':
      if (dice.once(4)) return { ...whole, query: 'memory_bytes', times: badTimes(dice, timeMs) };
      return { ...whole, query: badQuery(dice) };
    case 'mutated': {
      const target = dice.one(TREE_FEATURES[dice.dialect]);
      return { ...whole, query: mutated(dice, printQuery(exprFor(dice, target))) };
    }
    case 'words':
      return { ...whole, query: words(dice) };
    case 'with many remarks':
      return { ...whole, query: muchRemarked(dice) };
    case 'with a remark':
      return { ...whole, ...remarkedQuery(dice) };
  }
}

function timesFor(dice: Dice, expr: Expr): Times {
  const timeMs = someTimeMs(dice);
  const type = typeOf(expr);
  if (dice.once(2) || type === 'matrix' || type === 'string' || isSorting(expr))
    return { kind: 'instant', timeMs };
  const stepMs = 1_000 * dice.one([7, 15, 60, 61, 300]);
  const endMs = Math.min(timeMs + stepMs * (1 + dice.below(30)), timeMs + 1_200_000);
  return { kind: 'range', startMs: timeMs, endMs, stepMs };
}

/** Order is told by instant queries only, and sorting a range query is a remark in 3.x. */
function isSorting(expr: Expr): boolean {
  const features = featuresOf(expr);
  return ['sort', 'sort_desc'].some((name) =>
    features.has(featureText({ kind: 'function', name })),
  );
}

function queryFor(dice: Dice, feature: TreeFeature): Expr {
  switch (feature.kind) {
    case 'function':
      return callOf(dice, feature.name);
    case 'aggregation':
      return aggregationOf(dice, feature.name);
    case 'operator':
      return operation(dice, feature.name);
    case 'modifier':
      return withModifier(dice, feature.name);
  }
}

function aggregationOf(dice: Dice, operator: AggregateOperator): Expr {
  const grouping = dice.one([
    { labels: [], without: false },
    { labels: dice.one(LABEL_SETS), without: false },
    { labels: dice.one(LABEL_SETS), without: true },
  ]);
  // Values that become labels must be alike to the last bit; which series limitk takes of what was worked out for a range is left
  // to chance in Prometheus, where they come in the order of a Go map.
  const operand =
    dice.isYounger && dice.once(6)
      ? histograms(dice, 1)
      : vector(dice, operator === 'count_values' || operator === 'limitk' ? 0 : 2);
  return aggregate(operator, operand, { grouping, ...parameterOf(dice, operator) });
}

function parameterOf(dice: Dice, operator: AggregateOperator): { parameter?: Expr } {
  switch (operator) {
    case 'topk':
    case 'bottomk':
      return { parameter: number(dice.one([0, 1, 2, 3, 5, 100, -1, 2.7])) };
    case 'limitk':
      return { parameter: number(dice.one([0, 1, 2, 3, 100, -1, 2.7])) };
    case 'limit_ratio':
      return { parameter: number(dice.one([0, 0.3, 0.5, 1, -0.4, -1, 1.5, -2])) };
    case 'quantile':
      return { parameter: number(dice.one([0, 0.1, 0.5, 0.9, 1])) };
    case 'count_values':
      return { parameter: text(dice.one(['value', 'job'])) };
    default:
      return {};
  }
}

/** Operands whose series find each other, a pair of the same kind, or a scalar on either side. */
function operation(dice: Dice, operator: BinaryOperator): Expr {
  if (isTrim(operator)) return trimmed(dice, operator);
  const bool = isComparison(operator) && dice.once(2);
  if (isSetOperator(operator)) {
    const matching = dice.one<Partial<VectorMatching>>([
      {},
      { on: true, labels: ['job', 'instance'] },
      { on: true, labels: [] },
      { labels: ['code', 'version'] },
    ]);
    const whole = { cardinality: 'many-to-many', ...matching } as const;
    return binary(vector(dice, 1), operator, vector(dice, 1), { matching: whole });
  }
  if (dice.isYounger && dice.once(5)) return histogramPair(dice, operator, bool);
  return dice.one<() => Expr>([
    () => binary(vector(dice, 1), operator, scalar(dice, 1), { bool }),
    () => binary(scalar(dice, 1), operator, vector(dice, 1), { bool }),
    () => binary(constant(dice), operator, scalar(dice, 2), { bool: isComparison(operator) }),
    () => twins(dice, operator, bool),
    () => matched(dice, operator, dice.one(['on', 'ignoring', 'group_left', 'group_right']), bool),
  ])();
}

/** The same metric on both sides at two times. */
function twins(dice: Dice, operator: BinaryOperator, bool: boolean): Expr {
  const left = gaugeSelector(dice);
  const right = shifted(left, { offset: duration(1_000 * dice.below(600)) });
  return binary(left, operator, right, { bool, matching: {} });
}

function matched(
  dice: Dice,
  operator: BinaryOperator,
  how: 'on' | 'ignoring' | 'group_left' | 'group_right',
  bool: boolean,
): Expr {
  const one = dice.one(['memory_bytes', 'temperature_celsius', 'build_info']);
  const many = selector('requests_total');
  const on = { on: true, labels: ['job', 'instance'] };
  const include = dice.one([[], ['version'], ['nowhere']]);
  const info = selector('build_info');
  switch (how) {
    case 'on':
      return binary(selector(one), operator, selector('batches_total'), { bool, matching: on });
    case 'ignoring': {
      const some = selector('requests_total', [['code', '=', '200']]);
      return binary(some, operator, selector('memory_bytes'), {
        bool,
        matching: { labels: ['code'] },
      });
    }
    case 'group_left': {
      const by = dice.once(3) ? { labels: ['code', 'version'] } : on;
      const matching = { ...by, include, cardinality: 'many-to-one' } as const;
      return binary(many, operator, info, { bool, matching });
    }
    case 'group_right': {
      const matching = { ...on, include, cardinality: 'one-to-many' } as const;
      return binary(info, operator, many, { bool, matching });
    }
  }
}

function withModifier(dice: Dice, modifier: Modifier): Expr {
  const arithmetic = dice.one(['+', '-', '*', '/'] as const);
  switch (modifier) {
    case 'by':
    case 'without': {
      const grouping = { labels: dice.one(LABEL_SETS), without: modifier === 'without' };
      return aggregate(dice.one(['sum', 'max', 'count', 'avg', 'stddev']), vector(dice, 2), {
        grouping,
      });
    }
    case 'bool':
      return binary(vector(dice, 1), dice.one(COMPARISONS), scalar(dice, 1), { bool: true });
    case 'on':
    case 'ignoring':
    case 'group_left':
    case 'group_right':
      return matched(dice, dice.one([...COMPARISONS, arithmetic, arithmetic]), modifier, false);
    case 'subquery':
    case 'subquery with default step': {
      const range = subqueryOf(dice, vector(dice, 2));
      const step = modifier === 'subquery' ? duration(dice.one([15_000, 40_000])) : null;
      return call(dice.one(['sum_over_time', 'max_over_time', 'count_over_time']), {
        ...range,
        step,
      });
    }
    case 'unary minus':
      return negated(vector(dice, 2));
    case 'matcher !=':
      return selector('requests_total', [['code', '!=', dice.one(['404', '200', 'x'])]]);
    case 'matcher =~':
      return selector(dice.one(['', 'memory_bytes']), [
        ['job', '=~', dice.one(['api|db', '.*e.*', '(?i:WEB)', 'a.i'])],
        ['__name__', '=~', dice.one(['memory_.+', 'memory_bytes|build_info', '(memory|temp).*'])],
      ]);
    case 'matcher !~':
      return selector('latency_seconds_bucket', [
        ['le', '!~', dice.one(['.*Inf', '0\\..*', '[14]'])],
      ]);
    case 'native histogram':
      return dice.isYounger && dice.once(2) ? histograms(dice) : nativeQuery(dice);
    case 'offset':
    case 'negative offset':
    case '@':
    case '@ start()':
    case '@ end()':
      return shiftedQuery(dice, modifier);
    default:
      return youngerQuery(dice, modifier);
  }
}

function shiftedQuery(
  dice: Dice,
  modifier: 'offset' | 'negative offset' | '@' | '@ start()' | '@ end()',
): Expr {
  const by = {
    offset: { offset: duration(1_000 * (1 + dice.below(900))) },
    'negative offset': { offset: duration(-1_000 * (1 + dice.below(600))) },
    '@': { at: { kind: 'timestamp', timestampMs: someTimeMs(dice) } },
    '@ start()': { at: { kind: 'start' } },
    '@ end()': { at: { kind: 'end' } },
  }[modifier] as Parameters<typeof shifted>[1];
  return dice.one<() => Expr>([
    () => shifted({ ...anySelector(dice), offset: null, at: null }, by),
    () => call('avg_over_time', shifted(matrix(gaugeSelector(dice), windowMs(dice)), by)),
    () => call('rate', shifted({ ...rangeOf(dice, true) }, by)),
    () => call('min_over_time', shifted(subqueryOf(dice, vector(dice, 1)), by)),
  ])();
}
