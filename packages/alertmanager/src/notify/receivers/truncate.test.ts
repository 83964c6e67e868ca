import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { truncateInBytes, truncateInRunes } from './truncate.ts';

/** The tables of upstream's tests. */
describe('truncation', () => {
  it.each([
    ['', 5, ''],
    ['abcde', 2, 'ab'],
    ['abcde', 4, 'abc…'],
    ['abcde', 5, 'abcde'],
    ['a⌘cde', 5, 'a⌘cde'],
    ['a⌘cdef', 5, 'a⌘cd…'],
    ['世界cdef', 3, '世界c'],
    ['❤️✅🚀🔥❌❤️✅🚀🔥❌❤️✅🚀🔥❌❤️✅🚀🔥❌', 19, '❤️✅🚀🔥❌❤️✅🚀🔥❌❤️✅🚀🔥❌…'],
  ])('%j to %i characters', (text, limit, expected) => {
    expect(truncateInRunes(text, limit)).toEqual({ text: expected, isCut: expected !== text });
  });

  it.each([
    ['', 5, ''],
    ['abcde', 2, '..'],
    ['abcde', 3, '…'],
    ['abcde', 4, 'a…'],
    ['abcde', 5, 'abcde'],
    ['a⌘cde', 4, 'a…'],
    ['世界', 5, '…'],
  ])('%j to %i bytes', (text, limit, expected) => {
    expect(truncateInBytes(text, limit)).toEqual({ text: expected, isCut: expected !== text });
  });

  it('keeps to its limit for any text', () => {
    const anyText = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(anyText, fc.integer({ min: 0, max: 40 }), (text, limit) => {
        expect([...truncateInRunes(text, limit).text].length).toBeLessThanOrEqual(
          Math.max(limit, 0),
        );
        expect(Buffer.byteLength(truncateInBytes(text, limit).text)).toBeLessThanOrEqual(limit);
      }),
    );
  });
});
