import { Labels } from '@pollux/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeJson, encodeTime } from './encode.ts';
import { parseTime } from './parameters.ts';

describe('JSON', () => {
  it('reads back as what was written, and has no angle bracket or ampersand in texts', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = encodeJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text).not.toMatch(/[<>&\u2028\u2029]/);
      }),
    );
  });

  it('leaves label sets unescaped', () => {
    expect(encodeJson({ a: '<', l: Labels.from({ b: '<' }) })).toBe(
      '{"a":"\\u003c","l":{"b":"<"}}',
    );
  });

  it('trims zeros of times, and has the year 1 for never', () => {
    expect(encodeTime(1_700_000_000_000)).toBe('2023-11-14T22:13:20Z');
    expect(encodeTime(1_700_000_000_100)).toBe('2023-11-14T22:13:20.1Z');
    expect(encodeTime(null)).toBe('0001-01-01T00:00:00Z');
  });
});

describe('a time parameter', () => {
  it('reads back what a time is written as, in both forms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (timeMs) => {
        expect(parseTime(new Date(timeMs).toISOString())).toBe(timeMs);
        expect(parseTime(String(timeMs / 1000))).toBe(timeMs);
      }),
    );
  });

  const REFUSED = [
    '',
    'x',
    'nano',
    '2023-01-01',
    '2023-13-01T00:00:00Z',
    '2023-01-01T00:00:00',
    '1d',
  ];
  for (const text of REFUSED) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(parseTime(text)).toBeNull());
  }
});
