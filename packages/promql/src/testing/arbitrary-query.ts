import fc from 'fast-check';
import { PARAMETER_AGGREGATORS } from '../parser/ast.ts';
import { FUNCTIONS, type FunctionSignature } from '../parser/functions.ts';
import type { ValueType } from '../parser/value-type.ts';

/** With everything on, so that all of the language is reached. */
export const ALL_FEATURES = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
} as const;

const METRICS = ['g', 'c_total', 'h', 'nhcb', 'mixed', 'b_bucket', 'odd', 'nothing'] as const;
const LABELS = ['job', 'le', '__name__', 'odd.label', 'nowhere'] as const;
/** Numbers as parameters should not be: too large, too small, not finite, on the edges of integers. */
const NUMBERS = [
  ...['0', '1', '0.5', '2', '3', '100', '-1', '-0.5', 'NaN', 'Inf', '(-Inf)', '1e300', '(-1e300)'],
  ...['1e-300', '9223372036854775807', '(-9223372036854775808)', '4294967296', '5m', '0x10'],
];
const DURATIONS = ['1ms', '1s', '90s', '5m', '1h', '1w', '290y', 'step()', 'range()', '1m + 30s'];
const STRINGS = [
  '',
  'job',
  'le',
  '__name__',
  '$1',
  '(.*)',
  '(',
  'a\\xff',
  'ä',
  '{{',
  '[a-z]{1000}',
];
const AGGREGATORS = [
  ...['sum', 'avg', 'count', 'min', 'max', 'group', 'stddev', 'stdvar', 'topk', 'bottomk'],
  ...['count_values', 'quantile', 'limitk', 'limit_ratio'],
];
const OPERATORS = [
  ...['+', '-', '*', '/', '%', '^', 'atan2', '==', '!=', '<', '>', '<=', '>='],
  ...['and', 'or', 'unless', '</', '>/'],
];

const quoted = fc.constantFrom(...STRINGS).map((text) => JSON.stringify(text));
const matcher = fc
  .tuple(fc.constantFrom('job', 'le', 'nowhere'), fc.constantFrom('=', '!=', '=~', '!~'), quoted)
  .map(([name, operator, value]) => `${JSON.stringify(name)}${operator}${value}`);
const selector = fc
  .tuple(
    fc.constantFrom(...METRICS),
    fc.oneof(fc.constant([]), fc.array(matcher, { maxLength: 2 })),
  )
  .map(([name, matchers]) => `${name}{${matchers.join(',')}}`);
const duration = fc.constantFrom(...DURATIONS);
const shift = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  fc.constantFrom('@ start()', '@ end()', '@ 600', '@ -1', 'offset 5m', 'offset -290y', 'smoothed'),
);
const labels = fc
  .array(fc.constantFrom(...LABELS), { maxLength: 2 })
  .map((names) => names.map((name) => JSON.stringify(name)).join(', '));
const matching = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc
    .tuple(fc.constantFrom('on', 'ignoring'), labels, fc.constantFrom('left', 'right', ''), labels)
    .map(([how, by, side, more]) => `${how}(${by})${side === '' ? '' : ` group_${side}(${more})`}`),
  fc.constantFrom('bool', 'fill(0)', 'fill_left(NaN) fill_right(1)'),
);

type Texts = Record<ValueType | 'none', string>;

/** Queries over the table of functions; most have the right types, and nothing else about them need make sense. */
export const arbitraryQuery: fc.Arbitrary<string> = fc.letrec<Texts>((tie) => {
  const call = (returns: ValueType): fc.Arbitrary<string> =>
    fc
      .constantFrom(...[...FUNCTIONS.values()].filter((item) => item.returns === returns))
      .chain((signature) => callOf(signature, (type) => tie(type)));
  return {
    none: fc.constant(''),
    string: quoted,
    scalar: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(...NUMBERS),
      call('scalar'),
      fc
        .tuple(tie('scalar'), fc.constantFrom('+', '/', '^', '> bool'), tie('scalar'))
        .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
    ),
    matrix: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.tuple(selector, duration, shift).map(([s, d, at]) => `${s}[${d}] ${at}`),
      fc
        .tuple(tie('vector'), duration, fc.oneof(fc.constant(''), duration), shift)
        .map(([v, d, step, at]) => `(${v})[${d}:${step}] ${at}`),
    ),
    vector: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.tuple(selector, shift).map(([s, at]) => `${s} ${at}`),
      { weight: 4, arbitrary: call('vector') },
      { weight: 2, arbitrary: aggregation(tie('scalar'), tie('vector')) },
      fc
        .tuple(tie('vector'), fc.constantFrom(...OPERATORS), matching, tie('vector'))
        .map(([left, operator, how, right]) => `(${left}) ${operator} ${how} (${right})`),
      fc
        .tuple(tie('vector'), fc.constantFrom(...OPERATORS), tie('scalar'))
        .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
      tie('vector').map((vector) => `-(${vector})`),
    ),
  };
}).vector;

function callOf(
  { name, args, variadic }: FunctionSignature,
  argument: (type: ValueType) => fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  const last = args.at(-1);
  const most = variadic < 0 ? args.length + 2 : args.length + Math.max(0, variadic - 1);
  const least = variadic === 0 ? args.length : args.length - 1;
  return fc.integer({ min: Math.max(0, least), max: Math.max(0, most) }).chain((count) => {
    const types = Array.from({ length: count }, (_, i) => args[i] ?? last ?? 'scalar');
    return fc.tuple(...types.map(argument)).map((texts) => `${name}(${texts.join(', ')})`);
  });
}

function aggregation(
  scalar: fc.Arbitrary<string>,
  vector: fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...AGGREGATORS), fc.constantFrom('by', 'without'), labels, vector)
    .chain(([operator, how, names, operand]) => {
      const hasParameter = [...PARAMETER_AGGREGATORS].some((name) => name === operator);
      const parameter = operator === 'count_values' ? quoted : scalar;
      const head = `${operator} ${how} (${names})`;
      if (!hasParameter) return fc.constant(`${head} (${operand})`);
      return parameter.map((text) => `${head} (${text}, ${operand})`);
    });
}

/** A text with a piece lost, doubled, or replaced by something that the lexer knows. */
export function mutationsOf(query: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const piece = fc.constantFrom(
    ...['(', ')', '[', ']', '{', '}', '"', "'", '`', ',', ':', '@', '$', '\\', '#', '\n', '\0'],
    ...['5m', '1e', '0x', '..', 'by', 'bool', 'offset', 'group_left', 'start()', '\ud800', 'é'],
  );
  return fc
    .tuple(query, fc.nat(), fc.nat(8), fc.oneof(fc.constant(''), piece))
    .map(([text, at, length, put]) => {
      const from = text.length === 0 ? 0 : at % text.length;
      return text.slice(0, from) + put + text.slice(from + length);
    });
}
