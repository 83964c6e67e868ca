import { expect, it } from 'vitest';
import { LabelReplacements } from './label-replacements.ts';

it('gives the same text the first time and later, for as many values and expressions as there are', () => {
  const replacements = new LabelReplacements();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 60; i++) {
      const replace = replacements.of(`(?P<host>a|b)-(\\d+)-${i}`, '$2/$host/$9');
      for (let n = 0; n < 600; n += 1 + i * 10) {
        expect(replace(`b-${n}-${i}`)).toBe(`${n}/b/`);
        expect(replace(`c-${n}-${i}`)).toBeNull();
      }
    }
  }
});

it('keeps what is made of a value for one replacement apart from that of another', () => {
  const replacements = new LabelReplacements();
  expect(replacements.of('(.*)', 'x$1')('v')).toBe('xv');
  expect(replacements.of('(.*)', 'y$1')('v')).toBe('yv');
  expect(replacements.of('.*', '')('v')).toBe('');
  expect(() => replacements.of('(', '')).toThrow(
    'invalid regular expression in label_replace(): (',
  );
});
