import { expect, it } from 'vitest';
import { snappyEncode } from '../snappy.ts';
import { countWritten } from './count-written.ts';

const field = (number: number, ...bytes: number[]): number[] => [
  number * 8 + 2,
  bytes.length,
  ...bytes,
];

it('counts what each series of a request 2.0 brings', async () => {
  const sample = field(2, 9, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f);
  const first = field(5, ...field(1, 1, 2), ...sample, ...sample, ...field(4, 8, 1));
  const second = field(5, ...field(3, 8, 1), ...field(5, 8, 1), 6 * 8, 7);
  const request = Uint8Array.from([...field(4), ...field(4, 97), ...first, ...second]);
  expect(await countWritten(snappyEncode(request))).toEqual({
    samples: 2,
    histograms: 1,
    exemplars: 1,
  });
});

it('refuses what is cut short', async () => {
  const cut = Uint8Array.from([5 * 8 + 2, 9, 2 * 8 + 2]);
  await expect(countWritten(snappyEncode(cut))).rejects.toThrow('message ends too early');
});
