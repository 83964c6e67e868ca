import { describe, expect, it } from 'vitest';
import { type Answer, withoutLabels } from './stitch.ts';

const answer = (resultType: string, result: unknown): Answer => ({
  status: 'success',
  data: { resultType, result },
});

describe('an answer without replica labels', () => {
  it('has each series once, the one with most points, never a mixture', () => {
    const series = (replica: string, values: unknown[]) => ({
      metric: { __name__: 'up', replica },
      values,
    });
    const given = answer('matrix', [
      series('a', [[1, '1']]),
      series('b', [
        [2, '2'],
        [3, '3'],
      ]),
    ]);
    expect(withoutLabels(given, ['replica']).data.result).toEqual([
      {
        metric: { __name__: 'up' },
        values: [
          [2, '2'],
          [3, '3'],
        ],
      },
    ]);
    expect(withoutLabels(given, [])).toBe(given);
  });

  it('is the first of equal vectors, and scalars stay as they are', () => {
    const one = (replica: string, value: string) => ({ metric: { replica }, value: [1, value] });
    const vector = answer('vector', [one('a', '1'), one('b', '2')]);
    expect(withoutLabels(vector, ['replica']).data.result).toEqual([
      { metric: {}, value: [1, '1'] },
    ]);
    const scalar = answer('scalar', [1, '2']);
    expect(withoutLabels(scalar, ['replica'])).toBe(scalar);
  });
});
