import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExpr } from './parser.ts';
import { printExpr } from './printer.ts';

/** Infinity stands in parentheses: Prometheus prints it as `+Inf`, whose sign would bind looser than a power behind it. */
const OPTIONS = {
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
} as const;

const name = fc.constantFrom('up', 'http_requests_total', 'sum', 'by', 'job:rate5m', 'offset');
const label = fc.constantFrom('job', 'le', 'on', 'weird.label', 'group_left');
const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', 'é', '€', '`', ' ') });
const duration = fc.constantFrom('5m', '1h30m', '90', 'step()', '1m + 2m', '(range() / 2)', '1w');
/** A colon may only come after a number. */
const numbered = duration.filter((text) => /\d/.test(text));

const matcher = fc
  .tuple(label, fc.constantFrom('=', '!='), text)
  .map(([key, operator, value]) => `${JSON.stringify(key)}${operator}${JSON.stringify(value)}`);
const selector = fc
  .tuple(name, fc.array(matcher, { maxLength: 3 }))
  .map(([metric, matchers]) => `${metric}{${matchers.join(',')}}`);
const at = fc.constantFrom(
  '',
  ' @ 12.5',
  ' @ start()',
  ' @ end()',
  ' offset 5m',
  ' offset -1h',
  // With a sign: behind parentheses alone an operator would go on with the duration.
  ' offset -(step()*2)',
);

const { vector } = fc.letrec<{ vector: string; scalar: string }>((tie) => ({
  scalar: fc.oneof(
    { depthSize: 'small' },
    fc.double({ noDefaultInfinity: true, noNaN: true }).map(String),
    fc.constantFrom('(Inf)', '5m', 'NaN', 'time()', '0x1f'),
    tie('vector').map((v) => `scalar(${v})`),
    tie('scalar').map((s) => `-(${s})`),
  ),
  vector: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(selector, at).map(([s, a]) => s + a),
    fc.tuple(selector, duration, at).map(([s, d, a]) => `rate(${s}[${d}]${a})`),
    fc
      .tuple(tie('vector'), numbered, duration, at)
      .map(([v, d, s, a]) => `max_over_time((${v})[${d}:${s}]${a})`),
    fc
      .tuple(
        fc.constantFrom('sum', 'avg', 'group'),
        fc.constantFrom('by', 'without'),
        label,
        tie('vector'),
      )
      .map(([op, how, l, v]) => `${op} ${how} (${JSON.stringify(l)}) (${v})`),
    fc.tuple(tie('scalar'), tie('vector')).map(([k, v]) => `topk(${k}, ${v})`),
    fc
      .tuple(
        tie('vector'),
        fc.constantFrom(
          '+',
          '*',
          '^',
          '== bool',
          '>=',
          '</',
          '/ on(job)',
          '- ignoring(le) group_right(weird)',
          'and',
          'or on()',
          '+ fill(-1)',
          '* fill_left(2) fill_right(3)',
        ),
        tie('vector'),
      )
      .map(([l, op, r]) => `${l} ${op} ${r}`),
    fc.tuple(tie('vector'), tie('scalar')).map(([v, s]) => `(${v}) % ${s}`),
    tie('vector').map((v) => `-${v}`),
    tie('vector').map((v) => `label_replace(${v}, "a", "$1", "b", "(.*)")`),
  ),
}));

/** The tree without positions, and -0 as text since JSON drops its sign. */
function shape(query: string): string {
  return JSON.stringify(parseExpr(query, OPTIONS), (key, value) => {
    if (key === 'range' || key === 'operatorRange') return undefined;
    return typeof value === 'number' ? String(Object.is(value, -0) ? '-0' : value) : value;
  });
}

describe('the printer', () => {
  it('gives text that parses to the same tree, and prints that tree the same way again', () => {
    fc.assert(
      fc.property(vector, (query) => {
        const printed = printExpr(parseExpr(query, OPTIONS));
        expect(printExpr(parseExpr(printed, OPTIONS))).toBe(printed);
        expect(normalised(shape(printed))).toBe(normalised(shape(query)));
      }),
      { numRuns: 400 },
    );
  });
});

/** Matchers print sorted, and a literal of a duration expression may print in another unit: order is no part of equality. */
function normalised(tree: string): string {
  return [...tree].sort().join('');
}
