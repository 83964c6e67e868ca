import {
  type AggregateOperator,
  type BinaryOperator,
  type Expr,
  FUNCTIONS,
  walk,
} from '@pollux/promql/parser';
import type { Dialect } from './peer.ts';

/** Functions of 3.14 that 2.42 does not have. All experimental ones but one are younger too. */
const YOUNGER = new Set([
  'first_over_time',
  'histogram_avg',
  'histogram_stddev',
  'histogram_stdvar',
]);

/** The one experimental function that 2.42 has, under an older name. */
export const RENAMED: ReadonlyMap<string, string> = new Map([
  ['double_exponential_smoothing', 'holt_winters'],
]);

const SHARED_FUNCTIONS: readonly string[] = [...FUNCTIONS.values()]
  .filter(
    ({ name, isExperimental }) => !YOUNGER.has(name) && (!isExperimental || RENAMED.has(name)),
  )
  .map(({ name }) => name);

export const AGGREGATIONS = [
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'count_values',
  'quantile',
] as const satisfies readonly AggregateOperator[];
const YOUNGER_AGGREGATIONS = [
  'limitk',
  'limit_ratio',
] as const satisfies readonly AggregateOperator[];

export const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2'] as const;
export const COMPARISONS = ['==', '!=', '<', '>', '<=', '>='] as const;
export const SETS = ['and', 'or', 'unless'] as const;
export const TRIMS = ['</', '>/'] as const;

export function isTrim(operator: BinaryOperator): operator is (typeof TRIMS)[number] {
  return operator === '</' || operator === '>/';
}

const OPERATORS: readonly BinaryOperator[] = [...ARITHMETIC, ...COMPARISONS, ...SETS];

export const MODIFIERS = [
  'by',
  'without',
  'bool',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'offset',
  'negative offset',
  '@',
  '@ start()',
  '@ end()',
  'subquery',
  'subquery with default step',
  'unary minus',
  'matcher !=',
  'matcher =~',
  'matcher !~',
  'native histogram',
] as const;
export const YOUNGER_MODIFIERS = [
  'anchored',
  'smoothed',
  'fill',
  'fill_left',
  'fill_right',
  'duration expression',
  'UTF-8 name',
  'histograms that change',
  'gauge histograms',
  'custom buckets',
  'mixed samples',
  'classic and native',
  'samples on the edge',
] as const;
export type YoungerModifier = (typeof YOUNGER_MODIFIERS)[number];
export type Modifier = (typeof MODIFIERS)[number] | YoungerModifier;

/** Queries that are not made from a tree. */
const TEXTS = ['refused', 'mutated', 'with a remark'] as const;
const YOUNGER_TEXTS = ['words', 'with many remarks'] as const;

/** A part of the language that a tree may have. */
export type TreeFeature =
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'aggregation'; readonly name: AggregateOperator }
  | { readonly kind: 'operator'; readonly name: BinaryOperator }
  | { readonly kind: 'modifier'; readonly name: Modifier };
export type TextFeature = {
  readonly kind: 'text';
  readonly name: (typeof TEXTS | typeof YOUNGER_TEXTS)[number];
};
/** What queries are made about, in turn; each run must have asked about all of them often enough. */
export type Feature = TreeFeature | TextFeature;

export const FEATURES: Readonly<Record<Dialect, readonly Feature[]>> = {
  '2.42': features(SHARED_FUNCTIONS, AGGREGATIONS, OPERATORS, MODIFIERS, TEXTS),
  '3.x': features(
    [...FUNCTIONS.keys()],
    [...AGGREGATIONS, ...YOUNGER_AGGREGATIONS],
    [...OPERATORS, ...TRIMS],
    [...MODIFIERS, ...YOUNGER_MODIFIERS],
    [...TEXTS, ...YOUNGER_TEXTS],
  ),
};

/** The features of a dialect, in the order in which they are asked about. */
function features(
  functions: readonly string[],
  aggregations: readonly AggregateOperator[],
  operators: readonly BinaryOperator[],
  modifiers: readonly Modifier[],
  texts: readonly TextFeature['name'][],
): readonly Feature[] {
  return [
    ...functions.map((name): Feature => ({ kind: 'function', name })),
    ...aggregations.map((name): Feature => ({ kind: 'aggregation', name })),
    ...operators.map((name): Feature => ({ kind: 'operator', name })),
    ...modifiers.map((name): Feature => ({ kind: 'modifier', name })),
    ...texts.map((name): Feature => ({ kind: 'text', name })),
  ];
}

export function featureText({ kind, name }: Feature): string {
  return `${kind} ${name}`;
}

/** Every feature that the query has, each once, as its text. */
export function featuresOf(expr: Expr): ReadonlySet<string> {
  const found = new Set<string>();
  const modifier = (name: Modifier): void =>
    void found.add(featureText({ kind: 'modifier', name }));
  walk(expr, (node) => {
    switch (node.kind) {
      case 'call':
        found.add(featureText({ kind: 'function', name: node.signature.name }));
        break;
      case 'aggregate':
        found.add(`aggregation ${node.operator}`);
        if (node.without) modifier('without');
        else if (node.grouping.length > 0) modifier('by');
        break;
      case 'binary':
        found.add(featureText({ kind: 'operator', name: node.operator }));
        if (node.bool) modifier('bool');
        if (node.matching === null) break;
        if (node.matching.on) modifier('on');
        else if (node.matching.labels.length > 0) modifier('ignoring');
        if (node.matching.cardinality === 'many-to-one') modifier('group_left');
        if (node.matching.cardinality === 'one-to-many') modifier('group_right');
        if (node.matching.fillLeft !== null) modifier('fill_left');
        if (node.matching.fillRight !== null) modifier('fill_right');
        break;
      case 'unary':
        modifier('unary minus');
        break;
      case 'subquery':
        modifier(node.step === null ? 'subquery with default step' : 'subquery');
        break;
      case 'vector-selector':
        for (const { operator } of node.matchers) {
          if (operator !== '=') modifier(`matcher ${operator}`);
        }
        if (node.name === 'size_bytes') modifier('native histogram');
        if (node.name === 'custom_seconds') modifier('custom buckets');
        if (node.name === 'mixed_values') modifier('mixed samples');
        if (node.anchored) modifier('anchored');
        if (node.smoothed) modifier('smoothed');
        break;
      default:
    }
    if (node.kind !== 'vector-selector' && node.kind !== 'subquery') return;
    if (node.offset !== null) modifier(node.offset.ms < 0 ? 'negative offset' : 'offset');
    if (node.at?.kind === 'timestamp') modifier('@');
    if (node.at?.kind === 'start') modifier('@ start()');
    if (node.at?.kind === 'end') modifier('@ end()');
  });
  return found;
}
