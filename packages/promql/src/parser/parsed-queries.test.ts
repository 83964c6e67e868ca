import { expect, it } from 'vitest';
import { ParseError } from './parse-error.ts';
import { ParsedQueries } from './parsed-queries.ts';
import { parseExpr } from './parser.ts';

it('gives the same tree for the same text, and the one that parsing gives', () => {
  const parsed = new ParsedQueries();
  for (const query of ['up', 'rate(x{a=~"b.*"}[5m] @ end())']) {
    const first = parsed.parse(query);
    expect(JSON.stringify(first)).toBe(JSON.stringify(parseExpr(query)));
    expect(parsed.parse(query)).toBe(first);
  }
});

it('parses with its own options', () => {
  const query = 'rate(x[step()])';
  expect(() => new ParsedQueries({ durationExpressions: false }).parse(query)).toThrow(ParseError);
  expect(new ParsedQueries().parse(query)).toBeDefined();
});

it('keeps the texts that were asked last, no long ones, and no errors', () => {
  const parsed = new ParsedQueries();
  const first = parsed.parse('first');
  const second = parsed.parse('second');
  for (let i = 0; i < 498; i++) parsed.parse(`x${i}`);
  expect(parsed.parse('first')).toBe(first);
  parsed.parse('another');
  expect(parsed.parse('first')).toBe(first);
  expect(parsed.parse('second')).not.toBe(second);
  const long = `x + ${'1 + '.repeat(600)}1`;
  expect(parsed.parse(long)).not.toBe(parsed.parse(long));
  for (let i = 0; i < 2; i++) expect(() => parsed.parse('x{')).toThrow(ParseError);
});
