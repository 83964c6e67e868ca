import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareText,
  DurationError,
  fingerprint,
  formatDuration,
  formatFloat,
  formatFloatExponent,
  isStaleAt,
  Labels,
  LabelsBuilder,
  Matcher,
  parseDuration,
  parseFloatText,
  quoteText,
  setNormalNanAt,
  setStaleAt,
  wordsOf,
} from './index.ts';

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc
    .array(fc.constantFrom('a', '\ue000', '\uffff', '\u{10000}', '\ud7ff', '\u{10ffff}'), {
      maxLength: 4,
    })
    .map((p) => p.join('')),
);

describe('labels', () => {
  it('are ordered as the bytes of their UTF-8', () => {
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are a set: any order of pairs, no empty values, the last of two', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(texts, texts)), (pairs) => {
        const labels = Labels.from(pairs);
        const model = new Map(pairs);
        for (const [name, value] of model) expect(labels.get(name)).toBe(value);
        expect(labels.size).toBe([...model.values()].filter((value) => value !== '').length);
        const again = Labels.from([...labels].reverse());
        expect(again.equals(labels)).toBe(true);
        expect(again.key()).toBe(labels.key());
        expect(again.compare(labels)).toBe(0);
        expect(new LabelsBuilder(labels).build().equals(labels)).toBe(true);
      }),
    );
  });

  it('have keys that differ where the sets differ', () => {
    const sets = fc.array(fc.tuple(texts, texts)).map((pairs) => Labels.from(pairs));
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        expect(a.key() === b.key()).toBe(a.equals(b));
        expect(a.compare(b) === 0).toBe(a.equals(b));
      }),
    );
    expect(Labels.from({ a: 'b' }).compare(Labels.from({ a: 'b', c: 'd' }))).toBeLessThan(0);
  });

  it('take names that are properties of every object', () => {
    const labels = Labels.from([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(labels.get('__proto__')).toBe('x');
    expect(Object.entries(labels.toObject())).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(Labels.EMPTY.get('toString')).toBe('');
  });

  it('are printed as Prometheus prints them', () => {
    expect(Labels.from({ __name__: 'up', job: 'a"b' }).toMetricString()).toBe('up{job="a\\"b"}');
    expect(Labels.from({ __name__: 'my.metric', 'a.b': 'c' }).toMetricString()).toBe(
      '{"my.metric", "a.b"="c"}',
    );
    expect(Labels.from({ __name__: 'up' }).toMetricString()).toBe('up');
    expect(Labels.EMPTY.toMetricString()).toBe('{}');
  });

  it('have the fingerprint that Alertmanager shows', () => {
    expect(fingerprint(Labels.from({ alertname: 'T1', x: '1' }))).toBe('7f852445bf49c8ac');
    expect(fingerprint(Labels.EMPTY)).toBe('cbf29ce484222325');
  });
});

describe('quoting', () => {
  it('writes what strconv.Quote writes', () => {
    const text =
      '\x00\x1f\x7f\u0080\u00a0\u00ad\u200b\u2028\ufeff\ufffd😀\u{10ffff}\u{e0001}é\u0301\u3000';
    expect(quoteText(text)).toBe(
      '"\\x00\\x1f\\x7f\\u0080\\u00a0\\u00ad\\u200b\\u2028\\ufeff\ufffd😀\\U0010ffff\\U000e0001é\u0301\\u3000"',
    );
    expect(quoteText('\u0007\b\f\n\r\t\v\\"\'')).toBe('"\\a\\b\\f\\n\\r\\t\\v\\\\\\"\'"');
    expect(quoteText('plain ~ text')).toBe('"plain ~ text"');
  });

  it('has no control character and no bare quote, whatever the text', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(quoteText(text)).toMatch(/^"(?:[^"\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\\.)*"$/u);
      }),
    );
  });
});

describe('a matcher', () => {
  it('treats a label that is absent as empty', () => {
    expect(new Matcher('a', '=', '').matchesEmpty).toBe(true);
    expect(new Matcher('a', '!=', 'x').matchesEmpty).toBe(true);
    expect(new Matcher('a', '=~', 'x?').matchesEmpty).toBe(true);
    expect(new Matcher('a', '!~', '.*').matchesEmpty).toBe(false);
    expect(String(new Matcher('a.b', '=~', 'x"'))).toBe('"a.b"=~"x\\""');
  });
});

describe('durations', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['1ms', 1],
    ['1m1ms', 60_001],
    ['1y2w3d4h5m6s7ms', 33_019_506_007],
    ['90d', 7_776_000_000],
    ['106751d', 106_751 * 86_400_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  // As prometheus/common 0.70 does, which looks at the units from the left.
  it.each([
    ['1.5h', '.'],
    ['1s ', 's '],
    ['1S', 'S'],
    ['1\n', '\n'],
    ['1msm', 'msm'],
    ['1s5x', 'x'],
  ])('refuses the unit of %j', (text, unit) => {
    expect(() => parseDuration(text)).toThrow(DurationError);
    expect(() => parseDuration(text)).toThrow(
      `unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`,
    );
  });

  it.each(['1', '-1s', '1s1m', '1s1s', ' 1s', 'ms', '1s1m1x', '1s2'])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(DurationError);
    expect(() => parseDuration(text)).toThrow(/^not a valid duration string: "/);
  });

  it('refuses nothing at all, and what Go has no number for', () => {
    expect(() => parseDuration('')).toThrow('empty duration string');
    for (const text of ['293y', '9223372036855ms', `${'9'.repeat(400)}s`]) {
      expect(() => parseDuration(text)).toThrow('duration out of range');
    }
    expect(parseDuration('9223372036854ms')).toBe(9_223_372_036_854);
  });

  it('come back from their text, which says years and weeks only where they are whole', () => {
    fc.assert(
      fc.property(fc.nat({ max: 9_223_372_036_854 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
      { numRuns: 1_000 },
    );
    const day = 86_400_000;
    expect(
      [0, 0.4, 7 * day, 8 * day, 365 * day, 372 * day, 90_061_001, -1_500].map(formatDuration),
    ).toEqual(['0s', '0s', '1w', '8d', '1y', '372d', '1d1h1m1s1ms', '-1s500ms']);
  });
});

describe('numbers as text', () => {
  it.each([
    [0, '0', '0e+00'],
    [-0, '-0', '-0e+00'],
    [1, '1', '1e+00'],
    [1e-7, '1e-07', '1e-07'],
    [1.5e-7, '1.5e-07', '1.5e-07'],
    [0.000001, '0.000001', '1e-06'],
    [1e20, '100000000000000000000', '1e+20'],
    [1e21, '1e+21', '1e+21'],
    [1e100, '1e+100', '1e+100'],
    [5e-324, '5e-324', '5e-324'],
    [-123.25, '-123.25', '-1.2325e+02'],
    [Number.NaN, 'NaN', 'NaN'],
    [Number.POSITIVE_INFINITY, '+Inf', '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf', '-Inf'],
  ])('writes %d as %s and %s', (value, text, exponent) => {
    expect(formatFloat(value)).toBe(text);
    expect(formatFloatExponent(value)).toBe(exponent);
  });

  it('come back as they were, by both forms', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(parseFloatText(formatFloat(value))).toBe(value);
        expect(parseFloatText(formatFloatExponent(value))).toBe(value);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '',
    ' 1',
    '1 ',
    '1_000',
    '0x10',
    '0x1p4',
    '+nan',
    '-NaN',
    'infin',
    '1e',
    'e1',
    '.',
    '+',
    '1e400',
    '-1e400',
    '1\n',
  ])('refuses %j', (text) => {
    expect(parseFloatText(text)).toBeNull();
  });

  it.each([
    ['nan', Number.NaN],
    ['iNf', Number.POSITIVE_INFINITY],
    ['-infinity', Number.NEGATIVE_INFINITY],
    ['5.', 5],
    ['+.5e1', 5],
    ['1e-400', 0],
    ['007', 7],
  ])('reads %s', (text, value) => {
    expect(parseFloatText(text)).toBe(value);
  });
});

describe('stale markers', () => {
  it('keep their bits through every copy of columns', () => {
    const values = new Float64Array([1, 2, 3, 4]);
    setStaleAt(wordsOf(values), 1);
    setNormalNanAt(wordsOf(values), 2);
    const copies = [
      values.slice(),
      new Float64Array(values),
      structuredClone(values),
      (() => {
        const target = new Float64Array(6);
        target.set(values, 1);
        return target.subarray(1, 5);
      })(),
      values.slice().copyWithin(0, 0),
    ];
    for (const copy of copies) {
      const words = wordsOf(copy);
      expect([0, 1, 2, 3].map((index) => isStaleAt(words, index))).toEqual([
        false,
        true,
        false,
        false,
      ]);
      expect(new BigUint64Array(copy.slice().buffer)[1]).toBe(0x7ff0000000000002n);
      expect(new BigUint64Array(copy.slice().buffer)[2]).toBe(0x7ff8000000000001n);
    }
  });
});
