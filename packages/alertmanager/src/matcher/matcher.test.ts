import { describe, expect, it } from 'vitest';
import { formatMatchers } from './format.ts';
import { type MatcherMode, parseMatchers } from './parse.ts';

function shape(text: string, mode: MatcherMode): string[] {
  return parseMatchers(text, mode).matchers.map(
    ({ name, operator, value }) => `${name}${operator}${value}`,
  );
}

describe('the classic grammar', () => {
  it.each([
    ['a=b', ['a=b']],
    ['a="b"', ['a=b']],
    [' a =~ "b.*" ', ['a=~b.*']],
    ['{a!=b, c!~"d"}', ['a!=b', 'c!~d']],
    ['{a=b,}', ['a=b']],
    ['{}', []],
    ['a="x,y",b=c', ['a=x,y', 'b=c']],
    ['a="q\\"r\\\\s\\nt\\u"', ['a=q"r\\s\nt\\u']],
    ['a:b=c', ['a:b=c']],
    ['a=', ['a=']],
    ['a=b c', ['a=b c']],
    ['a==b', ['a==b']],
  ])('%j', (text, expected) => {
    expect(shape(text, 'classic')).toEqual(expected);
  });

  it.each(['a', '=b', '1a=b', 'a="b', 'a=b"', 'a="b"c"', 'a=b,,c=d', 'ä=b'])(
    'refuses %j',
    (text) => {
      expect(() => parseMatchers(text, 'classic')).toThrow(
        /bad matcher format|unescaped double quote/,
      );
    },
  );
});

describe('the UTF-8 grammar', () => {
  it.each([
    ['a=b', ['a=b']],
    ['"a b"=c', ['a b=c']],
    ['{ä = "ö" , }', ['ä=ö']],
    ['{}', []],
    ['', []],
    ['a="\\u00e4\\x41\\t\\101"', ['a=äA\tA']],
    ['a="\\xc3\\xa4"', ['a=ä']],
    ['🙂=~"x|y"', ['🙂=~x|y']],
  ])('%j', (text, expected) => {
    expect(shape(text, 'utf8')).toEqual(expected);
  });

  it.each([
    ['a', '1: unexpected end of input: expected an operator'],
    ['a=b c', '4:5: unexpected c: expected a comma or close brace'],
    ['{a=b', '4: expected close paren'],
    ['a=b}', '3:4: unexpected }: expected opening paren'],
    ['a="b', '2:4: "b: missing end "'],
    ['a!b', "1:2: !: expected one of '=~'"],
    ['{a=b}}', '5:6: unexpected }: expected end of input'],
    ['""=b', 'label name must not be empty'],
    ['a="\\xff"', 'is no valid UTF-8'],
    ['a="\\q"', 'invalid syntax'],
    ["a='b'", "2:3: ': invalid input"],
    [',', '0:1: unexpected ,: expected label name'],
  ])('refuses %j with its column', (text, message) => {
    expect(() => parseMatchers(text, 'utf8')).toThrow(message);
  });
});

describe('the default', () => {
  it('takes what either understands', () => {
    expect(shape('ä=b', 'fallback')).toEqual(['ä=b']);
    expect(parseMatchers('ä=b', 'fallback').warning).toBeNull();
    expect(shape('a=b c', 'fallback')).toEqual(['a=b c']);
    expect(parseMatchers('a=b c', 'fallback').warning).toContain('quote the value');
  });

  it('stays with the old meaning where the two differ, and says so', () => {
    const parsed = parseMatchers('a="\\x41"', 'fallback');
    expect(parsed.matchers[0]?.value).toBe('\\x41');
    expect(parsed.warning).toContain('the old one is used');
  });

  it('refuses what neither understands', () => {
    expect(() => parseMatchers('a', 'fallback')).toThrow('bad matcher format: a');
  });
});

describe('matchers in group keys', () => {
  it('are sorted and escaped', () => {
    const { matchers } = parseMatchers('{c=~"d|e", a="x\\"y\\\\z\\n", a!="b", "f g"="h"}', 'utf8');
    expect(formatMatchers(matchers)).toBe('{a!="b",a="x\\"y\\\\z\\n",c=~"d|e","f g"="h"}');
    expect(formatMatchers([])).toBe('{}');
  });
});
