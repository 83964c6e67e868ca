import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HashTable,
  mixedHash,
  NumberLists,
  PairPostings,
  SparseNumbers,
  TextTable,
  TupleTable,
  U32List,
} from '../index.ts';

describe('a table of texts', () => {
  it('gives each text one number, in the order of their coming, and finds only these', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 8 }), { maxLength: 1_000 }),
        (texts) => {
          const table = new TextTable();
          const known = new Map([['', 0]]);
          for (const text of texts) {
            expect(table.find(text)).toBe(known.get(text) ?? -1);
            const id = known.get(text) ?? known.size;
            known.set(text, id);
            expect(table.idOf(text)).toBe(id);
          }
          expect(table.count).toBe(known.size);
          for (const [text, id] of known)
            expect([table.find(text), table.text(id)]).toEqual([id, text]);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('finds by UTF-8 what it has by strings and the other way round, and takes nothing malformed', () => {
    const texts = fc.oneof(
      fc.string({ maxLength: 4 }),
      fc.string({ unit: 'grapheme', maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(texts, fc.boolean()), { maxLength: 200 }), (all) => {
        const [table, byStrings] = [new TextTable(), new TextTable()];
        for (const [text, isBytes] of all) {
          const bytes = Buffer.from(`..${text}.`);
          const end = bytes.length - 1;
          const id = isBytes ? table.idOfUtf8(bytes, 2, end) : table.idOf(text);
          expect(id).toBe(byStrings.idOf(text));
          expect(table.text(id)).toBe(text);
          const isAscii = end - 2 === text.length;
          expect(table.isText(id, bytes, 2, end)).toBe(isAscii);
          expect(table.isText(id, bytes, 1, end)).toBe(false);
          if (end > 3) expect(table.isText(id, bytes, 2, end - 1)).toBe(false);
        }
      }),
      { numRuns: 30 },
    );
    const table = new TextTable();
    for (const bad of [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80]]) {
      expect(table.idOfUtf8(Uint8Array.from(bad), 0, bad.length)).toBe(-1);
    }
    expect(table.count).toBe(1);
    expect(table.text(table.idOfUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), 0, 4))).toBe('\ufeffa');
  });
});

describe('a table of hashes', () => {
  it('finds every value however large it has grown', () => {
    const table = new HashTable((value) => mixedHash(7, value));
    const has = (value: number): boolean => {
      const slots = table.segment(mixedHash(7, value));
      for (let at = mixedHash(7, value) & (slots.length - 1); slots[at] !== 0; ) {
        if (slots[at] === value + 1) return true;
        at = (at + 1) & (slots.length - 1);
      }
      return false;
    };
    for (let value = 0; value < 30_000; value++) {
      table.add(mixedHash(7, value), value);
      if (value % 997 === 0 || value === 4_095) {
        for (let known = 0; known <= value; known += 13) expect(has(known)).toBe(true);
      }
    }
    expect(has(30_000)).toBe(false);
    expect(table.bytes / 30_000).toBeLessThan(13);
  });
});

describe('a table of tuples', () => {
  const word = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0xffffffff }));
  const tuple = fc.array(word, { minLength: 1, maxLength: 6 });

  it('tells tuples apart by all words and the length', () => {
    fc.assert(
      fc.property(fc.array(tuple, { maxLength: 500 }), (tuples) => {
        const table = new TupleTable();
        const known = new Map<string, number>();
        for (const words of tuples) {
          const key = words.join();
          const id = known.get(key) ?? known.size;
          expect(table.find(Uint32Array.from(words), words.length)).toBe(known.get(key) ?? -1);
          known.set(key, id);
          // What stands behind the length does not count.
          expect(table.idOf(Uint32Array.from([...words, 9]), words.length)).toBe(id);
        }
        for (const [key, id] of known) expect([...table.words(id)].join()).toBe(key);
      }),
      { numRuns: 50 },
    );
  });

  it('holds tuples longer than a page, and many pages of them', () => {
    const table = new TupleTable((first) => (first === 0 ? 40_000 : 7));
    const long = new Uint32Array(40_000).map((_, i) => i);
    const short = (i: number): Uint32Array => Uint32Array.of(1, i, i * 2, 0, 0, 0, i);
    for (let i = 0; i < 5_000; i++) expect(table.idOf(short(i), 7)).toBe(i);
    expect(table.idOf(long, 40_000)).toBe(5_000);
    expect(table.idOf(short(5_000), 7)).toBe(5_001);
    expect(table.find(long, 40_000)).toBe(5_000);
    expect(table.words(5_000)).toEqual(long);
    expect([...table.words(4_999)]).toEqual([...short(4_999)]);
    expect(table.word(5_001, 6)).toBe(5_000);
  });
});

describe('lists of numbers', () => {
  it('are ascending whatever the order of coming, through every size of block', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 0xffffffff })),
          {
            maxLength: 2_000,
            size: 'max',
          },
        ),
        (adds) => {
          const lists = new NumberLists();
          const expected = Array.from({ length: 6 }, () => new Set<number>());
          for (let i = 0; i < 6; i++) lists.create();
          for (const [list, value] of adds) {
            if (expected[list]!.has(value)) continue;
            expected[list]!.add(value);
            lists.add(list, value);
          }
          for (const [list, values] of expected.entries()) {
            expect([...lists.get(list)]).toEqual([...values].sort((a, b) => a - b));
            expect(lists.countOf(list)).toBe(values.size);
          }
        },
      ),
      { numRuns: 8 },
    );
  });

  it('give their blocks on, so that a million short lists stay small', () => {
    const lists = new NumberLists();
    const count = 100_000;
    for (let list = 0; list < count; list++) {
      lists.create();
      for (let round = 0; round < 5; round++) lists.add(list, list + round);
    }
    for (let list = 0; list < count; list += 999) {
      expect([...lists.get(list)]).toEqual([0, 1, 2, 3, 4].map((round) => list + round));
    }
    // Eight words of block and two of its place: the smaller blocks before are used again.
    expect(lists.bytes / count).toBeLessThan(42);
  });
});

describe('postings', () => {
  it('tell the series of each pair and the values of each name', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 3, maxLength: 3 }), {
          maxLength: 2_000,
          size: 'max',
        }),
        (series) => {
          const postings = new PairPostings();
          const expected = new Map<string, number[]>();
          for (const [ref, values] of series.entries()) {
            for (const [name, value] of values.entries()) {
              postings.add(name, value, ref);
              const key = `${name} ${value}`;
              expected.set(key, [...(expected.get(key) ?? []), ref]);
            }
          }
          for (let name = 0; name < 3; name++) {
            const values: number[] = [];
            postings.forEachValue(name, (value, refs) => {
              values.push(value);
              expect([...refs()]).toEqual(expected.get(`${name} ${value}`));
            });
            expect(values).toHaveLength(postings.valueCount(name));
            for (let value = 0; value <= 20; value++) {
              expect([...postings.get(name, value)]).toEqual(
                expected.get(`${name} ${value}`) ?? [],
              );
            }
          }
          expect(postings.pairCount).toBe(expected.size);
        },
      ),
      { numRuns: 4 },
    );
  });
});

describe('numbers in pages', () => {
  it('are found where they were put', () => {
    const list = new U32List();
    const sparse = new SparseNumbers();
    for (let i = 0; i < 100_000; i++) expect(list.push(i * 3)).toBe(i);
    list.set(99_999, 1);
    expect([list.at(0), list.at(16_384), list.at(99_999), list.length]).toEqual([
      0, 49_152, 1, 100_000,
    ]);
    for (const key of [5, 70_000, 0]) sparse.set(key, key + 1);
    expect([sparse.get(5), sparse.get(6), sparse.get(70_000), sparse.get(1e6)]).toEqual([
      6, 0, 70_001, 0,
    ]);
    sparse.clear();
    expect(sparse.get(5)).toBe(0);
  });
});
