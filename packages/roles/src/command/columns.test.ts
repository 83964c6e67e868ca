import { describe, expect, it } from 'vitest';
import { inColumns } from './columns.ts';
import { goDurationMs } from './go-duration.ts';
import { durationText, floatF, floatG, timeByLayout } from './go-text.ts';

describe('columns', () => {
  it('end with their run of lines, so that one table does not widen the next', () => {
    const lines = [['long cell', 'x'], ['a', 'y'], [''], ['b', 'z']];
    expect(inColumns(lines, { padding: 1 })).toBe('long cell x\na         y\n\nb z\n');
  });

  it('count code points and keep a narrowest width', () => {
    expect(
      inColumns(
        [
          ['é', 'x'],
          ['ab', 'y'],
        ],
        { padding: 1, minWidth: 5 },
      ),
    ).toBe('é    x\nab   y\n');
  });
});

describe('numbers and times in Go’s words', () => {
  it('prints floats with %g', () => {
    const cases: readonly (readonly [number, string])[] = [
      [100000, '100000'],
      [1e6, '1e+06'],
      [9574056, '9.574056e+06'],
      [0.0001, '0.0001'],
      [0.00001, '1e-05'],
      [-0, '-0'],
      [Number.NEGATIVE_INFINITY, '-Inf'],
    ];
    for (const [value, text] of cases) expect(floatG(value)).toBe(text);
  });

  it('prints floats without exponents', () => {
    expect(floatF(1.5e22)).toBe('15000000000000000000000');
    expect(floatF(-2.5e-7)).toBe('-0.00000025');
    expect(floatF(1234.5)).toBe('1234.5');
  });

  it('prints durations and times', () => {
    expect([33_049, 7_199_999, 250, 0, 60_000].map(durationText)).toEqual([
      '33.049s',
      '1h59m59.999s',
      '250ms',
      '0s',
      '1m0s',
    ]);
    const at = Date.UTC(2026, 10, 1, 15, 4, 5, 6);
    expect(timeByLayout('Mon Jan _2 3:04PM 06 .000 Z07:00', at)).toBe(
      'Sun Nov  1 3:04PM 26 .006 Z',
    );
  });

  it('reads durations', () => {
    expect(['1h30m', '1.5s', '-2ms', '0'].map(goDurationMs)).toEqual([5_400_000, 1_500, -2, 0]);
    expect(() => goDurationMs('1')).toThrow('time: missing unit in duration "1"');
    expect(() => goDurationMs('x')).toThrow('time: invalid duration "x"');
  });
});
