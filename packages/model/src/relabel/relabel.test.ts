// biome-ignore-all lint/suspicious/noTemplateCurlyInString: replacements of relabelling look like templates of JavaScript.
import { describe, expect, it } from 'vitest';
import { Labels, type RelabelSettings, relabel, relabelStep } from '../index.ts';

function run(
  labels: Record<string, string>,
  ...steps: RelabelSettings[]
): Record<string, string> | null {
  return relabel(Labels.from(labels), steps.map(relabelStep))?.toObject() ?? null;
}

describe('replace', () => {
  it.each<[string, Record<string, string>, RelabelSettings, Record<string, string>]>([
    [
      'joins the sources',
      { a: 'x', b: 'y' },
      { sourceLabels: ['a', 'none', 'b'], targetLabel: 'c' },
      { a: 'x', b: 'y', c: 'x;;y' },
    ],
    [
      'expands groups in target and replacement',
      { a: 'foo-bar' },
      { sourceLabels: ['a'], regex: '(\\w+)-(\\w+)', targetLabel: '${1}', replacement: '$2' },
      { a: 'foo-bar', foo: 'bar' },
    ],
    [
      'does nothing without a match',
      { a: 'x', b: 'y' },
      { sourceLabels: ['a'], regex: 'z', targetLabel: 'b', replacement: 'q' },
      { a: 'x', b: 'y' },
    ],
    [
      'does nothing without a match even with a plain replacement',
      { a: 'x' },
      { sourceLabels: ['a'], regex: 'z', targetLabel: 'b', replacement: 'q' },
      { a: 'x' },
    ],
    [
      'removes the target when nothing is left',
      { a: 'x', b: 'y' },
      { sourceLabels: ['none'], targetLabel: 'b' },
      { a: 'x' },
    ],
    [
      'does nothing when the name expands to nothing',
      { a: 'x' },
      { sourceLabels: ['a'], targetLabel: '${2}', replacement: 'v' },
      { a: 'x' },
    ],
    [
      'matches over newlines, and only the whole',
      { a: 'x\ny' },
      { sourceLabels: ['a'], regex: 'x.y', targetLabel: 'b', replacement: 'v' },
      { a: 'x\ny', b: 'v' },
    ],
    [
      'knows named groups',
      { a: 'xy' },
      {
        sourceLabels: ['a'],
        regex: '(?P<first>.)(.)',
        targetLabel: 'b',
        replacement: '${first}:$first:$first_',
      },
      { a: 'xy', b: 'x:x:' },
    ],
    [
      'gives nothing for groups that are not there',
      { a: 'xy' },
      { sourceLabels: ['a'], targetLabel: 'b', replacement: '[$constructor$toString$9$01]' },
      { a: 'xy', b: '[]' },
    ],
    [
      'writes a dollar for two and leaves others',
      { a: 'x' },
      { sourceLabels: ['a'], targetLabel: 'b', replacement: '$$1 $ $- ${' },
      { a: 'x', b: '$1 $ $- ${' },
    ],
    [
      'takes the longest name',
      { a: 'x' },
      { sourceLabels: ['a'], targetLabel: 'b', replacement: '$1é-${1}é' },
      { a: 'x', b: '-xé' },
    ],
    [
      'takes any UTF-8 name',
      { a: 'x' },
      { sourceLabels: ['a'], targetLabel: 'k8s.pod/name', replacement: '$1' },
      { a: 'x', 'k8s.pod/name': 'x' },
    ],
  ])('%s', (_, labels, settings, expected) => {
    expect(run(labels, settings)).toEqual(expected);
  });
});

describe('the other actions', () => {
  it('keep and drop by pattern', () => {
    const step = { sourceLabels: ['a'], regex: 'x.*' };
    expect(run({ a: 'xy' }, { ...step, action: 'keep' })).toEqual({ a: 'xy' });
    expect(run({ a: 'y' }, { ...step, action: 'keep' })).toBeNull();
    expect(run({ a: 'xy' }, { ...step, action: 'drop' })).toBeNull();
    expect(run({ a: 'y' }, { ...step, action: 'drop' })).toEqual({ a: 'y' });
  });

  it('keepequal and dropequal compare the joined sources with the target', () => {
    const step = { sourceLabels: ['a', 'b'], targetLabel: 'c' };
    expect(run({ a: 'x', b: 'y', c: 'x;y' }, { ...step, action: 'keepequal' })).not.toBeNull();
    expect(run({ a: 'x', b: 'y', c: 'x' }, { ...step, action: 'keepequal' })).toBeNull();
    expect(run({ a: 'x', b: 'y', c: 'x;y' }, { ...step, action: 'dropequal' })).toBeNull();
    expect(run({ c: 'z' }, { ...step, action: 'dropequal' })).toEqual({ c: 'z' });
    // Absent equals empty.
    expect(
      run({ z: '1' }, { sourceLabels: ['a'], targetLabel: 'c', action: 'keepequal' }),
    ).not.toBeNull();
  });

  it('hashmod takes the last eight bytes of the MD5', () => {
    // md5("test") = 098f6bcd4621d373 cade4e832627b4f6.
    const expected = String(0xcade4e832627b4f6n % 1_000n);
    expect(
      run(
        { a: 'test' },
        { action: 'hashmod', sourceLabels: ['a'], targetLabel: 'h', modulus: 1_000 },
      ),
    ).toEqual({ a: 'test', h: expected });
    expect(() => relabelStep({ action: 'hashmod', modulus: 0 })).toThrow(
      'requires non-zero modulus',
    );
  });

  it('labelmap copies under new names and never makes a label without a name', () => {
    expect(
      run({ __meta_a: '1', __meta_b: '2', c: '3' }, { action: 'labelmap', regex: '__meta_(.+)' }),
    ).toEqual({
      __meta_a: '1',
      __meta_b: '2',
      a: '1',
      b: '2',
      c: '3',
    });
    expect(run({ a: '1' }, { action: 'labelmap', regex: 'a()', replacement: '$1' })).toEqual({
      a: '1',
    });
  });

  it('labelmap reads every label as it was before the step', () => {
    // Both go to xb, in the order of their names: the second is xb itself with its own value.
    expect(
      run({ xa: '1', xb: '2' }, { action: 'labelmap', regex: 'x[ab]', replacement: 'xb' }),
    ).toEqual({ xa: '1', xb: '2' });
  });

  it('labeldrop and labelkeep look at names', () => {
    expect(run({ a: '1', tmp_b: '2' }, { action: 'labeldrop', regex: 'tmp_.*' })).toEqual({
      a: '1',
    });
    expect(run({ a: '1', tmp_b: '2' }, { action: 'labelkeep', regex: 'tmp_.*' })).toEqual({
      tmp_b: '2',
    });
  });

  it.each([
    ['ÀB', 'àb', 'ÀB'],
    ['ß', 'ß', 'ß'],
    ['ΑΣ', 'ας'.replace('ς', 'σ'), 'ΑΣ'],
    ['İ', 'i', 'İ'],
    ['ﬁ', 'ﬁ', 'ﬁ'],
    ['ᾳ', 'ᾳ', 'ᾼ'],
    ['ᾀ', 'ᾀ', 'ᾈ'],
    ['ΐ', 'ΐ', 'ΐ'],
    ['Ǆ', 'ǆ', 'Ǆ'],
  ])('lowercase and uppercase turn %s into %s and %s as Go does', (text, lower, upper) => {
    const step = { sourceLabels: ['a'], targetLabel: 'a' };
    expect(run({ a: text }, { ...step, action: 'lowercase' })).toEqual({ a: lower });
    expect(run({ a: text }, { ...step, action: 'uppercase' })).toEqual({ a: upper });
  });

  it('run one after the other, and stop at the first that drops', () => {
    expect(
      run(
        { a: '1' },
        { sourceLabels: ['a'], targetLabel: 'b' },
        { action: 'keep', sourceLabels: ['b'], regex: '1' },
      ),
    ).toEqual({ a: '1', b: '1' });
    expect(
      run(
        { a: '1' },
        { action: 'drop', sourceLabels: ['a'], regex: '1' },
        { sourceLabels: ['a'], targetLabel: 'b' },
      ),
    ).toBeNull();
    const same = Labels.from({ a: '1' });
    expect(relabel(same, [])).toBe(same);
  });
});
