import { ByteReader, ByteWriter, DecodeError } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_ROWS, SERIES_FLAG, SeriesRows } from './series-rows.ts';

type Row = {
  readonly ref: number;
  /** Symbols; the texts' numbers in the file are these and seven. */
  readonly labels: readonly number[];
  readonly bytes: Uint8Array;
  readonly minMs: number;
  readonly low: number;
};

const rowArbitrary: fc.Arbitrary<Row> = fc.record({
  ref: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  labels: fc
    .array(fc.integer({ min: 1, max: 30 }), { maxLength: 150 })
    .map((numbers) => numbers.slice(numbers.length % 2)),
  bytes: fc.uint8Array({ maxLength: 300 }),
  minMs: fc.integer(),
  low: fc.nat(0xffffffff),
});

function encode(rows: SeriesRows, given: readonly Row[]): Uint8Array {
  const target = new ByteWriter();
  rows.clear();
  for (const { ref, labels, bytes, minMs, low } of given) {
    const row = rows.put(ref, Uint32Array.from(labels), (symbol) => symbol + 7);
    rows.flags[row] = bytes.length > 0 ? SERIES_FLAG.floats : 0;
    rows.bitLengths[row] = bytes.length * 8;
    rows.minMs[row] = minMs;
    rows.valueWords[row * 2] = low;
    rows.valueWords[row * 2 + 1] = ~low;
    rows.putData(bytes, 0, bytes.length);
  }
  rows.encode(target);
  return target.take();
}

/** What the reader knows the texts by: a thousand and the writer's symbol. */
const symbols = Uint32Array.from({ length: 38 }, (_, number) => 1000 + number - 7);

function decode(rows: SeriesRows, bytes: Uint8Array): Row[] {
  rows.decode(new ByteReader(bytes));
  const found: Row[] = [];
  let at = 0;
  for (let row = 0; row < rows.count; row++) {
    rows.readLabels(row, symbols, symbols.length - 1);
    const labels = [...rows.labels.subarray(0, rows.sizes[row]!)].map((symbol) => symbol - 1000);
    const length = rows.flags[row] === SERIES_FLAG.floats ? rows.bitLengths[row]! / 8 : 0;
    const data = rows.data.slice(at, at + length);
    at += length;
    expect(rows.valueWords[row * 2 + 1]).toBe(~rows.valueWords[row * 2]! >>> 0);
    const low = rows.valueWords[row * 2]!;
    found.push({ ref: rows.refs[row]!, labels, bytes: data, minMs: rows.minMs[row]!, low });
  }
  return found;
}

describe('the rows of a frame', () => {
  it('give back what was put into them, frame after frame by the same columns', () => {
    const writer = new SeriesRows();
    const reader = new SeriesRows();
    fc.assert(
      fc.property(fc.array(rowArbitrary, { maxLength: 40 }), (given) => {
        expect(decode(reader, encode(writer, given))).toEqual(given);
      }),
    );
  });

  it('name only the labels that differ from those of the row before', () => {
    const labels = Array.from({ length: 12 }, (_, i) => i + 1);
    const same = { labels, bytes: new Uint8Array(), minMs: 0, low: 0 };
    const many = Array.from({ length: FRAME_ROWS }, (_, i) => ({ ...same, ref: i + 1 }));
    const rows = new SeriesRows();
    const two = encode(rows, many.slice(0, 2)).length;
    const all = encode(rows, many).length;
    expect(rows.isFull).toBe(true);
    // Columns and two bytes of marks a row.
    expect((all - two) / (FRAME_ROWS - 2)).toBeLessThan(57);
    expect(decode(rows, encode(rows, many))).toEqual(many);
  });

  it('that were changed or cut off are refused, or read as something else, and no other error comes of it', () => {
    const rows = new SeriesRows();
    fc.assert(
      fc.property(
        fc.array(rowArbitrary, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (given, place, change, isCut) => {
          const bytes = encode(rows, given);
          const at = place % bytes.length;
          if (!isCut) bytes[at]! ^= change;
          try {
            rows.decode(new ByteReader(isCut ? bytes.subarray(0, at) : bytes));
            for (let row = 0; row < rows.count; row++) {
              rows.readLabels(row, symbols, symbols.length - 1);
            }
            expect(isCut).toBe(false);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        },
      ),
    );
  });
});
