import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLines } from './parse.ts';
import type { Precision } from './precision.ts';
import { stampLines } from './stamp-lines.ts';

const NOW_MS = 1_700_000_000_123;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const stamped = (text: string, precision: string | null = null): string =>
  new TextDecoder().decode(stampLines(utf8(text), precision, NOW_MS));

describe('lines without a time', () => {
  it.each([
    ['cpu v=1', null, 'cpu v=1 1700000000123000000'],
    ['cpu v=1', 'u', 'cpu v=1 1700000000123000'],
    ['cpu v=1', 'us', 'cpu v=1 1700000000123000'],
    ['cpu v=1', 's', 'cpu v=1 1700000000'],
    [
      'cpu,a=\\ b v="x y\n z",w=2u  \ncpu v=1 5',
      'ms',
      'cpu,a=\\ b v="x y\n z",w=2u 1700000000123  \ncpu v=1 5',
    ],
    ['größe,ort=köln v=t\n', 'ms', 'größe,ort=köln v=t 1700000000123\n'],
  ])('%j in %s get one', (text, precision, expected) => {
    expect(stamped(text, precision)).toBe(expected);
  });

  it.each([
    'cpu v=1 5',
    '# cpu v=1',
    '',
    '\n\n',
    'cpu',
    'cpu v=',
    'cpu v="open',
    'cpu v="a"\\',
    'cpu v=1\r',
  ])('%j stays as it is', (text) => {
    const body = utf8(text);
    expect(stampLines(body, null, NOW_MS)).toBe(body);
  });

  it('stay without one where the precision is none', () => {
    expect(stamped('cpu v=1', 'eons')).toBe('cpu v=1');
  });

  it('mean afterwards, at any time, what they would have meant at once', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', '0', ' ', ',', '=', '"', '\\', '\n', '#', '.', 'é', '5', 'i', 't'),
      maxLength: 12,
    });
    const line = fc.oneof(
      word,
      fc.tuple(word, word, word).map(([a, b, c]) => `m,t=${a} f="${b}",g=1 ${c}`),
      fc.tuple(word, word).map(([a, b]) => `m f="${a}"${b}`),
    );
    const bodies = fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(bodies, fc.constantFrom<Precision>('ns', 'ms', 's', 'h'), (text, precision) => {
        fc.pre(!/\\\s*(?:\n|$)/.test(text));
        const later = parseLines(stamped(text, precision), precision, NOW_MS + 86_400_000);
        expect(later).toEqual(
          expect.objectContaining({ batch: parseLines(text, precision, NOW_MS).batch }),
        );
      }),
      { numRuns: 200 },
    );
  });
});
