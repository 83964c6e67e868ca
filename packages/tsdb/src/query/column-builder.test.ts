import { Labels } from '@pollux/model';
import { MemoryBudget } from '@pollux/storage';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ColumnBuilder } from './column-builder.ts';

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
});
