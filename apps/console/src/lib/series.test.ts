import { describe, expect, it } from 'vitest';
import { seriesName, toColumns, toRows } from './series.ts';

describe('query results on the page', () => {
  it('keep gaps as nulls on a common time axis', () => {
    const table = toColumns({
      resultType: 'matrix',
      result: [
        {
          metric: { __name__: 'up', job: 'a' },
          values: [
            [1, '1'],
            [3, 'NaN'],
          ],
        },
        { metric: { __name__: 'up', job: 'b' }, values: [[2, '0.5']] },
      ],
    });
    expect(table.times).toEqual([1, 2, 3]);
    expect(table.columns).toEqual([
      { name: 'up{job="a"}', values: [1, null, null] },
      { name: 'up{job="b"}', values: [null, 0.5, null] },
    ]);
  });

  it('name a series as Prometheus does', () => {
    expect(seriesName({ __name__: 'up' })).toBe('up');
    expect(seriesName({ job: 'x' })).toBe('{job="x"}');
  });

  it('show scalars and vectors as rows', () => {
    expect(toRows({ resultType: 'scalar', result: [1, '2'] })).toEqual([
      { name: 'scalar', value: '2' },
    ]);
    expect(
      toRows({ resultType: 'vector', result: [{ metric: { __name__: 'up' }, value: [1, '0'] }] }),
    ).toEqual([{ name: 'up', value: '0' }]);
  });
});
