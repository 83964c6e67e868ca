import { ByteReader, ByteWriter } from '@pollux/base';
import { wordsOf } from '@pollux/model';
import type { ColumnData, FieldKind } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ColumnArena, OWN_ARRAYS } from '../column-space.ts';
import { ColumnEncoder, decodeColumn } from './column-codec.ts';

/** Any 64 bits: floats with every NaN payload, and integers over the whole range. */
const cell = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.double().map((value) => new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n),
  fc
    .integer({ min: -5, max: 5 })
    .map((value) => new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n),
);
const time = fc.oneof(
  fc.integer({ min: -9_223_372_036_855, max: 9_223_372_036_854 }),
  fc.integer({ min: 0, max: 20 }).map((step) => 1_700_000_000_000 + step * 15_000),
);

function columnOf(
  kind: FieldKind,
  times: readonly number[],
  cells: readonly bigint[],
  hasNanos: boolean,
): ColumnData {
  const sorted = [...new Set(times)].sort((a, b) => a - b);
  const count = sorted.length;
  const data = new Float64Array(count);
  const bits = new BigUint64Array(data.buffer);
  for (let i = 0; i < count; i++) bits[i] = cells[i % cells.length] ?? 0n;
  const nanos = hasNanos ? Int32Array.from(sorted, (_, i) => (i * 7_919) % 1_000_000) : null;
  return { kind, count, timesMs: Float64Array.from(sorted), nanos, cells: data, texts: null };
}

const encoder = new ColumnEncoder();
/** One for all cases, so that each meets what the case before left in it. */
const arena = new ColumnArena(64);

describe('the coding of a column', () => {
  it('gives back every bit of times, nanoseconds and cells', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<FieldKind>('float', 'integer'),
        fc.array(time, { minLength: 1, maxLength: 200 }),
        fc.array(cell, { minLength: 1, maxLength: 200 }),
        fc.boolean(),
        fc.boolean(),
        (kind, times, cells, hasNanos, isReused) => {
          const data = columnOf(kind, times, cells, hasNanos);
          const space = isReused ? arena : OWN_ARRAYS;
          arena.reset();
          const target = new ByteWriter();
          encoder.encode(target, data, 0, data.count);
          const back = decodeColumn(new ByteReader(target.bytes()), kind, data.count, space);
          expect([...back.timesMs]).toEqual([...data.timesMs]);
          expect(back.nanos === null ? null : [...back.nanos]).toEqual(
            data.nanos === null ? null : [...data.nanos],
          );
          expect([...wordsOf(back.cells)]).toEqual([...wordsOf(data.cells)]);
        },
      ),
    );
  });

  it('refuses bytes cut short anywhere instead of making values up', () => {
    const data = columnOf('float', [1, 2, 30, 45], [1n, 2n ** 63n, 77n], true);
    const target = new ByteWriter();
    encoder.encode(target, data, 0, data.count);
    const whole = target.take();
    for (let size = 0; size < whole.length; size++) {
      expect(() =>
        decodeColumn(new ByteReader(whole.subarray(0, size)), 'float', data.count, OWN_ARRAYS),
      ).toThrow();
    }
  });
});
