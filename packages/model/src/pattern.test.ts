import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { Pattern, PatternError } from './index.ts';

/** The rule itself: the whole text, `.` matching newlines, by the automaton alone. */
function rule(source: string, text: string): boolean {
  return RE2JS.compile(`^(?s:${source})$`).matcher(text).find();
}

const literal = fc.constantFrom('', 'a', 'b', 'ab', '\n', '😀', '\u{10000}a', '-', 'ß', 'K');
const dots = fc.constantFrom('', '.*', '.+', '.', '.*?', '.+?');
const affix = fc.tuple(dots, literal, dots, literal, dots).map((parts) => parts.join(''));
const alternation = fc
  .array(literal, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('|'));
const grouped = fc
  .oneof(affix, alternation)
  .chain((inner) =>
    fc.constantFrom(
      inner,
      `(?:${inner})`,
      `(${inner})`,
      `(?i)${inner}`,
      `(?i:${inner})`,
      `^${inner}$`,
      `(?:${inner})|b`,
      `[ab]|${inner}`,
    ),
  );
const text = fc
  .array(fc.constantFrom('a', 'b', 'A', '\n', '😀', '\u{10000}', '-', 'k', '\u212a', 'K', 'ſ'), {
    maxLength: 6,
  })
  .map((parts) => parts.join(''));

describe('a pattern', () => {
  it('says by every shorter way what the automaton says', () => {
    fc.assert(
      fc.property(grouped, text, (source, input) => {
        expect(
          new Pattern(source).matches(input),
          `${JSON.stringify(source)} on ${JSON.stringify(input)}`,
        ).toBe(rule(source, input));
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['', '', true],
    ['', 'a', false],
    ['a|b', 'b', true],
    ['a|', '', true],
    ['a|b', 'ab', false],
    ['.+.+', '😀', false],
    ['.+.+', '😀a', true],
    ['.+', '\n', true],
    ['a.*', 'a\nb', true],
    ['a$', 'a\n', false],
    ['(?i)ABC', 'abc', true],
    ['a.b', 'a\nb', true],
    ['(?-s:a.b)', 'a\nb', false],
  ])('%j on %j is %s', (source, input, expected) => {
    expect(new Pattern(source).matches(input)).toBe(expected);
    expect(rule(source, input)).toBe(expected);
  });

  it('shows the texts it can match when they are few', () => {
    expect(new Pattern('a|b').literals).toEqual(['a', 'b']);
    expect(new Pattern('(?:a|b)').literals).toEqual(['a', 'b']);
    expect(new Pattern('').literals).toEqual(['']);
    for (const source of ['(?:a)|(?:b)', 'a.', '(?i)a', 'a\\.b'])
      expect(new Pattern(source).literals).toBeNull();
    expect(
      new Pattern(Array.from({ length: 5_000 }, (_, i) => `x${i}`).join('|')).literals,
    ).toBeNull();
  });

  it.each([
    ['a(', 'missing closing )'],
    ['a)(b', 'unexpected )'],
    ['a)|(b', 'unexpected )'],
    ['*', 'missing argument to repetition operator'],
    ['(?=a)', 'invalid or unsupported Perl syntax'],
    ['(a)\\1', 'invalid escape sequence'],
    ['[b-a]', 'invalid character class range'],
    ['((a{100}){100}){100}', 'invalid repeat count'],
    ['x{1001}', 'invalid repeat count'],
    ['('.repeat(2_000) + ')'.repeat(2_000), 'expression nests too deeply'],
    ['a'.repeat(70_000), 'expression too large'],
  ])('refuses %.20j with the reason', (source, reason) => {
    expect(() => new Pattern(source)).toThrow(PatternError);
    expect(() => new Pattern(source)).toThrow(`error parsing regexp: ${reason}`);
  });

  it('takes time linear in the text where backtracking engines hang', () => {
    const start = performance.now();
    expect(new Pattern('(a+)+b').matches('a'.repeat(50_000))).toBe(false);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('quotes what it does not take, as Go does: the part, or all when it is about all', () => {
    expect(() => new Pattern('*:80')).toThrow('missing argument to repetition operator: `*`');
    expect(() => new Pattern('a{2000}b')).toThrow('invalid repeat count: `{2000}`');
    expect(() => new Pattern('a\\')).toThrow('trailing backslash at end of expression: ``');
    expect(() => new Pattern('a)')).toThrow('unexpected ): `a)`');
  });
});
