import { expect, it } from 'vitest';
import { printGeneral } from './print-general.ts';

it("numbers are written as Go's %g writes them", () => {
  const plain = [0, -0, 1, 0.5, 123_456, 1e6, 1.5e-5, 1e-4, 2e20, NaN, Infinity, -Infinity];
  expect(plain.map((value) => printGeneral(value))).toEqual([
    '0',
    '-0',
    '1',
    '0.5',
    '123456',
    '1e+06',
    '1.5e-05',
    '0.0001',
    '2e+20',
    'NaN',
    '+Inf',
    '-Inf',
  ]);
  const short = [112, 100, 20_004, 99.4, 5, 0.0123, 10];
  expect(short.map((value) => printGeneral(value, 2))).toEqual([
    '1.1e+02',
    '1e+02',
    '2e+04',
    '99',
    '5',
    '0.012',
    '10',
  ]);
});
