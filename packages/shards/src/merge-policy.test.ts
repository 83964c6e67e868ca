import { SeededRandom } from '@pollux/base';
import { describe, expect, it } from 'vitest';
import { filesToMerge } from './merge-policy.ts';

/** Flushes so many files of the given sizes, merging after each, and counts bytes. */
function flushes(count: number, sizeOf: () => number) {
  let sizes: number[] = [];
  let flushed = 0;
  let written = 0;
  let most = 0;
  for (let i = 0; i < count; i++) {
    const size = sizeOf();
    sizes.push(size);
    flushed += size;
    written += size;
    const run = filesToMerge(sizes);
    if (run > 0) {
      const merged = sizes.slice(-run).reduce((sum, one) => sum + one, 0);
      sizes = [...sizes.slice(0, -run), merged];
      written += merged;
    }
    most = Math.max(most, sizes.length);
  }
  return { amplification: written / flushed, most };
}

describe('the merging of files', () => {
  it('writes a byte about as often as the number of flushes has binary digits, and keeps files few', () => {
    const random = new SeededRandom(1);
    for (const [count, most] of [
      [64, 5],
      [1_024, 8],
      // A week with a flush a minute.
      [10_080, 11],
    ] as const) {
      const even = flushes(count, () => 1);
      const uneven = flushes(count, () => 0.1 + random.below(100) / 50);
      for (const { amplification, most: files } of [even, uneven]) {
        expect(amplification).toBeLessThan(0.75 * Math.log2(count));
        expect(files).toBeLessThanOrEqual(most + 2);
      }
    }
  });

  it('leaves a large file alone until what came after it is half as large', () => {
    expect(filesToMerge([1000, 1, 1, 1])).toBe(0);
    expect(filesToMerge([1000, 1, 1, 1, 1])).toBe(4);
    expect(filesToMerge([1000, 400])).toBe(0);
    expect(filesToMerge([1000, 300, 100, 101])).toBe(4);
    expect(filesToMerge([])).toBe(0);
  });
});
