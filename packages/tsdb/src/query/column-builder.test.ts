import { createDenseEncoder, denseEncode, denseMaxBytes } from '@pollux/kernels';
import { Labels } from '@pollux/model';
import { MemoryBudget } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CorruptionError } from '../errors.ts';
import { ColumnBuilder } from './column-builder.ts';

const STALE_NAN = [2, 0x7ff00000] as const;

/** A source: ascending times; each value tells which source it came from. */
const source = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 20 });

describe('the column builder', () => {
  it('merges any number of overlapping sources, the earlier one winning a tie', () => {
    fc.assert(
      fc.property(
        fc.array(source, { maxLength: 12 }),
        fc.integer({ min: -5, max: 30 }),
        fc.integer({ min: 20, max: 70 }),
        (sources, minMs, maxMs) => {
          const budget = MemoryBudget.unlimited();
          const builder = new ColumnBuilder({ minMs, maxMs }, budget);
          const expected = new Map<number, number>();
          for (const [number, unsorted] of sources.entries()) {
            const times = Float64Array.from(unsorted).sort();
            const values = new Float64Array(times.length).fill(number);
            builder.addSamples(times, new Uint32Array(values.buffer), times.length);
            for (const at of times) {
              if (at >= minMs && at <= maxMs && !expected.has(at)) expected.set(at, number);
            }
          }
          const sorted = [...expected].sort(([a], [b]) => a - b);
          const { count, timestampsMs, values } = builder.take(Labels.EMPTY);
          expect(count).toBe(sorted.length);
          expect([...timestampsMs].map((at, i) => [at, values[i]])).toEqual(sorted);
          expect(budget.usedBytes).toBe(count * 16);
        },
      ),
    );
  });

  it('takes of a dense chunk what is in the range and not deleted, and gives the rest of the memory back', () => {
    const times = Float64Array.from({ length: 500 }, (_, i) => i * 10);
    const values = Float64Array.from(times, (at) => at / 7);
    new Uint32Array(values.buffer).set(STALE_NAN, 200);
    const bytes = new Uint8Array(denseMaxBytes(500));
    const samples = { timestampsMs: times, values };
    const length = denseEncode(createDenseEncoder(), samples, 0, 500, bytes, 0);
    const budget = MemoryBudget.unlimited();
    const builder = new ColumnBuilder({ minMs: 900, maxMs: 4_000 }, budget);
    const chunk = { encoding: 0xd0, bytes, offset: 0, length, hidden: 0 };
    builder.addChunk(chunk, [{ minMs: 1_010, maxMs: 3_980 }], () => 'here');
    const taken = builder.take(Labels.EMPTY);
    expect([...taken.timestampsMs]).toEqual([
      ...Array.from({ length: 11 }, (_, i) => 900 + i * 10),
      3_990,
      4_000,
    ]);
    expect([...new Uint32Array(taken.values.buffer).subarray(20, 22)]).toEqual([...STALE_NAN]);
    expect(taken.values[12]).toBe(4_000 / 7);
    expect(budget.usedBytes).toBe(13 * 16);
    const damaged = { ...chunk, bytes: bytes.map((byte, i) => (i === 3 ? ~byte : byte)) };
    expect(() => builder.addChunk(damaged, [], () => 'here')).toThrow(CorruptionError);
    const cut = { ...chunk, length: 1 };
    expect(() => builder.addChunk(cut, [], () => 'here')).toThrow('here: malformed chunk');
  });
});
