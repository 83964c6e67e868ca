import { describe, expect, it } from 'vitest';
import type { FloatHistogram } from './histogram.ts';
import { histogramFault } from './validate.ts';

const SOUND: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 2,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 9,
  sum: 3,
  positiveSpans: [
    { offset: -2, length: 1 },
    { offset: 1, length: 1 },
  ],
  negativeSpans: [{ offset: 0, length: 1 }],
  positiveBuckets: Float64Array.of(3, 2),
  negativeBuckets: Float64Array.of(2),
  customValues: null,
  isInteger: true,
  isStale: false,
};
const CUSTOM: FloatHistogram = {
  ...SOUND,
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 5,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [],
  negativeBuckets: new Float64Array(0),
  customValues: Float64Array.of(1, 5),
};

describe('a histogram', () => {
  it('that is sound has no fault', () => {
    expect(histogramFault(SOUND)).toBeNull();
    expect(histogramFault(CUSTOM)).toBeNull();
    expect(histogramFault({ ...SOUND, schema: 99, isStale: true })).toBeNull();
    // NaN observations are in no bucket; floats may have been rounded.
    expect(histogramFault({ ...SOUND, count: 12, sum: Number.NaN })).toBeNull();
    expect(histogramFault({ ...SOUND, count: 9.5, isInteger: false })).toBeNull();
  });

  it.each([
    [{ ...SOUND, schema: 9 }, 'got schema 9'],
    [{ ...SOUND, count: 8 }, '9 observations found in buckets, but the Count field is 8'],
    [{ ...SOUND, count: 8, sum: Number.NaN }, 'should be at least'],
    [{ ...SOUND, zeroCount: -1 }, 'zero bucket has observation count of -1'],
    [{ ...SOUND, negativeBuckets: Float64Array.of(-2) }, 'negative side: bucket number 1'],
    [{ ...SOUND, positiveBuckets: Float64Array.of(3) }, 'spans need 2 buckets, have 1 buckets'],
    [{ ...SOUND, count: -1, isInteger: false }, "histogram's observation count is negative"],
    [{ ...SOUND, customValues: Float64Array.of(1) }, 'must not have custom bounds'],
    [{ ...CUSTOM, customValues: Float64Array.of(5, 1) }, 'strictly increasing order'],
    [{ ...CUSTOM, customValues: new Float64Array(0) }, 'only 0 custom bounds'],
    [{ ...CUSTOM, customValues: Float64Array.of(1, Number.POSITIVE_INFINITY) }, 'must be finite'],
    [{ ...CUSTOM, zeroCount: 1 }, 'must have zero count of 0'],
  ])('%# with a fault is told so', (histogram, text) => {
    expect(histogramFault(histogram)).toContain(text);
  });

  it('whose later span goes back is refused', () => {
    const positiveSpans = [
      { offset: 0, length: 1 },
      { offset: -1, length: 1 },
    ];
    expect(histogramFault({ ...SOUND, positiveSpans })).toContain(
      'span number 2 with offset -1: histogram has a span whose offset is negative',
    );
  });
});
