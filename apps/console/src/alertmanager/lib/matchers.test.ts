import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatMatcher,
  formatMatchers,
  fromWire,
  type Matcher,
  OPERATORS,
  parseMatchers,
  receiverPattern,
  splitFilter,
  toWire,
} from './matchers.ts';

const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.string({ minLength: 1, unit: 'grapheme' }),
  operator: fc.constantFrom(...OPERATORS),
  value: fc.string({ unit: 'grapheme' }),
});

describe('matchers', () => {
  it.each([
    ['{a="b"}', ['a=b']],
    ['a=b, c!=d', ['a=b', 'c!=d']],
    ['{a=~"x,y|z", b!~"\\"q\\\\",}', ['a=~x,y|z', 'b!~"q\\']],
    ['{"a b"="c\\nd"}', ['a b=c\nd']],
    ['a=""', ['a=']],
    ['{}', []],
    ['', []],
  ])('reads %j', (text, expected) => {
    const found = parseMatchers(text).map(({ name, operator, value }) => name + operator + value);
    expect(found).toEqual(expected);
  });

  it.each([
    ['a', 'one of =, !=, =~ and !~ is missing behind a'],
    ['="b"', "a label's name is missing"],
    ['a="b', "the value's last quote is missing"],
  ])('says of %j what is missing', (text, why) => {
    expect(() => parseMatchers(text)).toThrow(why);
  });

  it('come back from what they are written as', () => {
    fc.assert(
      fc.property(fc.array(matcher, { maxLength: 4 }), (matchers) => {
        expect(parseMatchers(formatMatchers(matchers))).toEqual(matchers);
        expect(splitFilter(formatMatchers(matchers))).toEqual(matchers.map(formatMatcher));
        expect(matchers.map(toWire).map(fromWire)).toEqual(matchers);
      }),
    );
  });

  it("write a receiver's name as the pattern that links have", () => {
    expect(receiverPattern('the.db+team (1)')).toBe('the\\.db\\+team \\(1\\)');
    expect(receiverPattern('a-b_c/d')).toBe('a-b_c/d');
  });
});
