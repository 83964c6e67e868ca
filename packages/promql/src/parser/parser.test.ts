import { describe, expect, it } from 'vitest';
import { ParseError } from './parse-error.ts';
import { type ParserOptions, parseExpr, parseSeriesSelector } from './parser.ts';
import { printExpr } from './printer.ts';

const ALL: ParserOptions = {
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
};

function messageOf(query: string, options: ParserOptions = ALL): string {
  try {
    parseExpr(query, options);
  } catch (error) {
    if (error instanceof ParseError) return error.message;
    throw error;
  }
  return 'no error';
}

/** Query and Prometheus' message. */
const ERRORS: readonly (readonly [string, string])[] = [
  ['', 'unknown position: parse error: no expression found in input'],
  ['# just a comment\n\n', '1:1: parse error: no expression found in input'],
  ['1+', '1:3: parse error: unexpected end of input'],
  ['.', `1:1: parse error: unexpected character: '.'`],
  ['2.5.', '1:1: parse error: bad number or duration syntax: "2.5."'],
  ['100..4', '1:1: parse error: bad number or duration syntax: "100.."'],
  ['0deadbeef', '1:1: parse error: bad number or duration syntax: "0de"'],
  ['*1', '1:1: parse error: unexpected <op:*>'],
  ['(1))', "1:5: parse error: unexpected right parenthesis ')'"],
  ['((1)', '1:5: parse error: unclosed left parenthesis'],
  ['1 and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
  ['1 == 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['1 !~ 1', "1:3: parse error: unexpected character after '!': '~'"],
  ['1 =~ 1', "1:3: parse error: unexpected character after '=': '~'"],
  [
    '-"string"',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
  ],
  ['@@', '1:1: parse error: unexpected <op:@>'],
  [
    '1 offset 1d',
    '1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
  ],
  ['foo offset 1s offset 2s', '1:1: parse error: offset may not be set multiple times'],
  ['a - on(b) ignoring(c) d', '1:11: parse error: unexpected <ignoring>'],
  ['foo == on(bar) 10', '1:1: parse error: vector matching only allowed between instant vectors'],
  ['foo + group_left(baz) bar', '1:7: parse error: unexpected <group_left>'],
  [
    'foo and on(bar) group_left(baz) bar',
    '1:1: parse error: no grouping allowed for "and" operation',
  ],
  ['foo + bool bar', '1:5: parse error: bool modifier can only be used on comparison operators'],
  ['foo @ +Inf', '1:1: parse error: timestamp out of bounds for @ modifier: +Inf'],
  ['{', '1:2: parse error: unexpected end of input inside braces'],
  ['some}', "1:5: parse error: unexpected character: '}'"],
  [
    'some_metric{a=b}',
    '1:15: parse error: unexpected identifier "b" in label matching, expected string',
  ],
  ['some_metric{a:b="b"}', "1:14: parse error: unexpected character inside braces: ':'"],
  [
    'foo{gibberish}',
    '1:14: parse error: unexpected "}" in label matching, expected label matching operator',
  ],
  ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['{x=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['foo{__name__="bar"}', '1:1: parse error: metric name must not be set twice: "foo" or "bar"'],
  ['foo{,}', '1:5: parse error: unexpected "," in label matching, expected identifier or "}"'],
  [
    'foo{__name__="bar" lol}',
    '1:20: parse error: unexpected identifier "lol" in label matching, expected "," or "}"',
  ],
  ['foo[5mm]', '1:5: parse error: bad number or duration syntax: "5mm"'],
  ['foo[5m1]', '1:5: parse error: bad number or duration syntax: "5m1"'],
  ['foo[5y1hs]', '1:5: parse error: unknown unit "hs" in duration "5y1hs"'],
  ['foo[5m1h]', '1:5: parse error: not a valid duration string: "5m1h"'],
  ['foo[0m]', '1:5: parse error: duration must be greater than 0'],
  ['foo[-1]', '1:5: parse error: duration must be greater than 0'],
  ['foo["5m"]', `1:5: parse error: unexpected character in duration expression: '"'`],
  [
    'foo[]',
    '1:5: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
  ],
  [
    'some_metric[5m] OFFSET',
    '1:23: parse error: unexpected end of input in offset, expected number, duration, step(), or range()',
  ],
  ['some_metric OFFSET 1m[5m]', '1:22: parse error: no offset modifiers allowed before range'],
  ['some_metric @ 1234 [5m]', '1:20: parse error: no @ modifiers allowed before range'],
  ['some_metric[5m] @', '1:18: parse error: unexpected end of input in @, expected timestamp'],
  ['(foo + bar)[5m]', '1:12: parse error: ranges only allowed for vector selectors'],
  ['sum without(==)(m)', '1:13: parse error: unexpected <op:==> in grouping opts, expected label'],
  ['sum some_metric by (test)', '1:5: parse error: unexpected identifier "some_metric"'],
  [
    'sum (some_metric) by test',
    '1:22: parse error: unexpected identifier "test" in grouping opts, expected "("',
  ],
  ['sum () by (test)', '1:1: parse error: no arguments for aggregate expression provided'],
  ['sum (m) without (test) by (test)', '1:24: parse error: unexpected <by>'],
  [
    'topk(some_metric)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
  ],
  ['topk(some_metric,)', '1:17: parse error: trailing commas not allowed in function call args'],
  [
    'topk(some_metric, other)',
    '1:6: parse error: expected type scalar in aggregation parameter, got instant vector',
  ],
  ['floor()', '1:1: parse error: expected 1 argument(s) in call to "floor", got 0'],
  [
    'floor(1)',
    '1:7: parse error: expected type instant vector in call to function "floor", got scalar',
  ],
  ['hour(a, b, c)', '1:1: parse error: expected at most 1 argument(s) in call to "hour", got 3'],
  ['nothing_known()', '1:1: parse error: unknown function with name "nothing_known"'],
  [
    'rate(some_metric)',
    '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
  ],
  ['-=', '1:2: parse error: unexpected "="'],
  ['a>b()', '1:3: parse error: unknown function with name "b"'],
  ['"\\c"', `1:1: parse error: unknown escape sequence U+0063 'c'`],
  ['foo{bar="baz"}[', '1:16: parse error: unexpected end of input in duration expression'],
  [
    'test[5d] OFFSET 10s [10m:5s]',
    '1:1: parse error: subquery is only allowed on instant vector, got matrix instead',
  ],
  ['foo[5s/0d]', '1:7: parse error: division by zero'],
  ['foo[step()/0d]', '1:11: parse error: division by zero'],
  ['foo offset 9.5e10', '1:12: parse error: duration out of range'],
  ['foo\n  + bar baz', '2:9: parse error: unexpected identifier "baz"'],
  ['sum(', '1:5: parse error: unclosed left parenthesis'],
];

describe('the parser', () => {
  it.each(ERRORS)('says of %j what Prometheus says', (query, message) => {
    expect(messageOf(query)).toBe(message);
  });

  it('keeps features behind their flags', () => {
    expect(messageOf('limitk(1, foo)', {})).toContain('is experimental and must be enabled');
    expect(messageOf('info(foo)', {})).toBe('1:1: parse error: function "info" is not enabled');
    expect(messageOf('a + fill(0) b', {})).toContain('fill modifiers are experimental');
    expect(messageOf('rate(a[5m] anchored)', {})).toContain('anchored modifier is experimental');
    expect(messageOf('a[5m+1m]', { durationExpressions: false })).toContain(
      'experimental duration expression is not enabled',
    );
  });

  it.each([
    ['1_000', '1000'],
    ['0x1F', '31'],
    ['5m', '5m'],
    ['-1^2', '-1 ^ 2'],
    ['a  offset   -5m@10', 'a @ 10.000 offset -5m'],
    ['{"my.metric", "l.x"=\'v\'}', '{"l.x"="v",__name__="my.metric"}'],
    ['sum(a)by(b)', 'sum by (b) (a)'],
    ['sum by (le) (rate({__name__="x"}[5m:]))', 'sum by (le) (rate({__name__="x"}[5m:]))'],
    ['on + by', 'unexpected'],
    ['sum{bool="x"} / count', 'sum{bool="x"} / count'],
    ['a*on(b)group_left c', 'a * on (b) group_left () c'],
    ['foo[step()*2:min_of(1m,range())]', 'foo[step() * 2:min_of(1m, range())]'],
    ['a + fill_left(1)fill_right(2) b', 'a + fill_left (1) fill_right (2) b'],
    ['`raw\\n`', '"raw\\\\n"'],
  ])('reads %s', (query, printed) => {
    if (printed === 'unexpected') expect(messageOf(query)).toContain('unexpected <on>');
    else expect(printExpr(parseExpr(query, ALL))).toBe(printed);
  });

  it('refuses absurd nesting and length without overflowing the stack', () => {
    expect(messageOf(`${'('.repeat(10_000)}1${')'.repeat(10_000)}`)).toContain('nested deeper');
    expect(messageOf('-'.repeat(10_000).concat('a'))).toContain('nested deeper');
    expect(messageOf('a+'.repeat(5_000).concat('a'))).toContain('operators in a row');
    expect(messageOf('a'.repeat(2_000_000))).toContain('query is longer than');
  });

  it('never throws anything but a ParseError, whatever it reads', () => {
    const pieces = [
      'sum',
      '(',
      ')',
      '{',
      '}',
      '[',
      ']',
      '5m',
      '"x"',
      '=',
      '=~',
      'by',
      'a',
      ',',
      '-',
      '@',
      ':',
      'offset',
      '\\',
      '1e',
      '\ud800',
      '`',
    ];
    let state = 7;
    for (let round = 0; round < 3_000; round++) {
      let query = '';
      for (let i = 0; i < 8; i++) {
        state = (state * 1103515245 + 12345) % 2147483648;
        query += `${pieces[state % pieces.length]} `;
      }
      expect(messageOf(query)).toBeTypeOf('string');
    }
  });

  it('reads a series selector for match[] and refuses an expression there', () => {
    expect(parseSeriesSelector('up{job="a"}').map(String)).toEqual(['job="a"', '__name__="up"']);
    expect(() => parseSeriesSelector('sum(up)')).toThrow(ParseError);
    expect(() => parseSeriesSelector('{job=~".*"}')).toThrow('at least one non-empty matcher');
  });
});
