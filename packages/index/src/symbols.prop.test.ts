import { SeededRandom } from '@pollux/base';
import { compareText } from '@pollux/model';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHashKey } from './hash-bytes.ts';
import { Symbols } from './symbols.ts';

const AT_ONCE = { isOver: false, pause: async () => {} };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The lengths at which a length takes one more byte among them. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('a', 'b', 'é', '\u{1f600}', '\ufeffbom', 'x'.repeat(127), 'y'.repeat(128)),
  fc.constantFrom('z'.repeat(129), 'w'.repeat(16_384), 'v'.repeat(300_000)),
);

describe('symbols', () => {
  it('are one number a text, found by string and by bytes, whatever came and went', async () => {
    const step = fc.record({ text, kind: fc.constantFrom('use', 'bytes', 'drop', 'release') });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const symbols = new Symbols(createHashKey(new SeededRandom(7)));
        const uses = new Map<string, number[]>();
        for (const { text, kind } of steps) {
          const ids = uses.get(text) ?? [];
          uses.set(text, ids);
          if (kind === 'use') ids.push(symbols.use(text));
          else if (kind === 'bytes') {
            const bytes = utf8(`<${text}>`);
            const id = symbols.idOfBytes(bytes, 1, bytes.length - 1);
            symbols.retain(id);
            ids.push(id);
          } else if (kind === 'drop') {
            const id = ids.pop();
            if (id !== undefined) symbols.drop(id);
          } else {
            await symbols.releaseUnused(AT_ONCE);
            for (const [text, ids] of uses) {
              if (ids.length === 0 && text !== '') expect(symbols.find(text)).toBe(-1);
            }
          }
          for (const [text, ids] of uses) {
            if (ids.length === 0) continue;
            expect(new Set(ids).size).toBe(1);
            const id = ids[0]!;
            expect(symbols.isString(id, text)).toBe(true);
            for (const other of [`${text}x`, `x${text.slice(1)}y`, text.slice(1)]) {
              expect(symbols.isString(id, other)).toBe(other === text);
            }
            expect(symbols.text(id)).toBe(text);
            expect(symbols.find(text)).toBe(id);
            const bytes = utf8(`-${text}`);
            expect(symbols.findBytes(bytes, 1, bytes.length)).toBe(id);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are told from strings also when they are too many for all to be kept as strings', () => {
    const symbols = new Symbols(createHashKey(new SeededRandom(7)));
    const textOf = (i: number): string => `text ${i}${i % 7 === 0 ? 'é' : ''}`;
    const count = 20_000;
    for (let i = 1; i <= count; i++) expect(symbols.idOf(textOf(i))).toBe(i);
    let wrong = 0;
    for (let i = 1; i <= count; i++) {
      const isTold = symbols.isString(i, textOf(i)) && !symbols.isString(i, textOf(i + 1));
      if (!isTold || symbols.isString(i, `${textOf(i)} `)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it('are ordered and written as their texts', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 2, maxLength: 10 }), (texts) => {
        const symbols = new Symbols(createHashKey(new SeededRandom(7)));
        const ids = texts.map((text) => symbols.use(text));
        for (const [i, id] of ids.entries()) {
          const body = utf8(texts[i]!);
          const target = new Uint8Array(symbols.writtenBytes(id) + 2);
          expect(symbols.write(id, new DataView(target.buffer), 2)).toBe(target.length);
          expect(Buffer.compare(target.subarray(target.length - body.length), body)).toBe(0);
          expect(Math.sign(symbols.compare(id, ids[0]!))).toBe(
            Math.sign(compareText(texts[i]!, texts[0]!)),
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  it('take bytes that are no UTF-8 for the text that they are read as', () => {
    const symbols = new Symbols(createHashKey(new SeededRandom(7)));
    const broken = Uint8Array.of(0x61, 0xff, 0x62);
    const id = symbols.idOfBytes(broken, 0, 3);
    expect(symbols.text(id)).toBe('a\ufffdb');
    expect(symbols.idOf('a\ufffdb')).toBe(id);
    expect(symbols.findBytes(broken, 0, 3)).toBe(-1);
  });

  it('use the room of texts that are gone again', async () => {
    const symbols = new Symbols(createHashKey(new SeededRandom(7)));
    for (let round = 0; round < 200; round++) {
      const ids = Array.from({ length: 100 }, (_, i) =>
        symbols.use(`pod-${round * 100 + i + 10_000}`),
      );
      for (const id of ids) symbols.drop(id);
      await symbols.releaseUnused(AT_ONCE);
    }
    expect(symbols.count).toBe(1);
    expect(symbols.limit).toBeLessThanOrEqual(101);
  });
});
