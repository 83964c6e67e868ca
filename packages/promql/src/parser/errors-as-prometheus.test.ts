import { describe, expect, it } from 'vitest';
import { ParseError } from './parse-error.ts';
import { parseExpr } from './parser.ts';

/** What Prometheus 3.14 says of each, as the differential suite found it. */
const ERRORS: readonly (readonly [query: string, error: string])[] = [
  [']', "1:1: parse error: unexpected right bracket ']'"],
  ['rate(up[5m]])', "1:12: parse error: unexpected right bracket ']'"],
  ['rate(up[2[5m])', "1:10: parse error: unexpected left bracket '['"],
  ['up[5m', '1:6: parse error: unclosed left bracket'],
  ['up[:5m]', '1:5: parse error: unexpected colon before duration in duration expression'],
  [
    'rate(a[5m]) + rate(b[:5m])',
    '1:22: parse error: unexpected ":" in subquery or range selector, expected number, duration, step(), or range()',
  ],
  ['up[1+s]', "1:6: parse error: unexpected character: 's', expected ':'"],
  ['up[5m@3]', '1:6: parse error: unexpected <op:@> in subquery or range, expected ":" or "]"'],
  [
    'up[5m:15+]',
    '1:10: parse error: unexpected "]" in subquery selector, expected number, duration, step(), range(), or "]"',
  ],
  ['up !', "1:4: parse error: unexpected character after '!': '\ufffd'"],
  ['0.5bool', '1:1: parse error: bad number or duration syntax: "0.5"'],
  ['419430x', '1:1: parse error: bad number or duration syntax: "419430"'],
  ['0.55m', '1:1: parse error: unknown unit "." in duration "0.55m"'],
  [
    '1e3_ + 1',
    '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e3_": invalid syntax',
  ],
  ['up[9893662800))', '1:4: parse error: duration out of range'],
  [
    'a [ min_of : 5m]',
    '1:13: parse error: unexpected colon before duration in duration expression',
  ],
  ['0x1F0.5', '1:1: parse error: bad number or duration syntax: "0x1F0."'],
  [
    '1e3.',
    '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e3.": invalid syntax',
  ],
  ['{job="a"} start', '1:11: parse error: unexpected "start"'],
  ['1 min_of 2', '1:3: parse error: unexpected "min_of"'],
  [
    'a + on fill b',
    '1:8: parse error: unexpected identifier "fill" in grouping opts, expected "("',
  ],
  ['{a=~=~"b"}', '1:5: parse error: unexpected <op:=~> in label matching, expected string'],
  ['min(,a)', '1:5: parse error: unexpected "," in aggregation'],
  ['sum(rate(a)b)', '1:12: parse error: unexpected identifier "b" in aggregation'],
  ['sum(a) b', '1:8: parse error: unexpected identifier "b"'],
  ['round(up, =0)', '1:9: parse error: trailing commas not allowed in function call args'],
  ['by(up)', '1:3: parse error: unexpected "("'],
  ['a:b(up)', '1:4: parse error: unexpected "("'],
  [
    'a * on (b) group_left [5m] c',
    '1:23: parse error: unexpected "[" in grouping opts, expected "("',
  ],
  [
    'up offset (5m) + up',
    '1:18: parse error: unexpected identifier "up" in offset, expected number, duration, step(), or range()',
  ],
  [
    'up offset start',
    '1:11: parse error: unexpected "start" in offset, expected number, duration, step(), or range()',
  ],
  [
    '{a=~"*:80"}',
    '1:2: parse error: error parsing regexp: missing argument to repetition operator: `*`',
  ],
];

describe('parse errors', () => {
  for (const [query, error] of ERRORS) {
    it(`of ${query}`, () => {
      expect(() => parseExpr(query, { experimentalFunctions: true })).toThrow(ParseError);
      expect(() => parseExpr(query, { experimentalFunctions: true })).toThrow(error);
    });
  }

  it('behind `offset` parentheses go on as a duration', () => {
    expect(parseExpr('up offset (1m) * 2')).toMatchObject({ kind: 'vector-selector' });
    expect(parseExpr('up offset -(1m) * 2')).toMatchObject({ kind: 'binary' });
    expect(parseExpr('up offset -+1m')).toMatchObject({ offset: { ms: -60_000 } });
    expect(parseExpr('up offset --1m * 2')).toMatchObject({ kind: 'vector-selector' });
  });

  it('metrics may be called fill', () => {
    expect(parseExpr('fill + fill_left')).toMatchObject({ kind: 'binary' });
  });
});
