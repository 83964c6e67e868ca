import { expect, it } from 'vitest';
import { formatLines } from './format.ts';
import { parseLines } from './parse.ts';

it('writes points of all types as they were read', () => {
  const lines = [
    'm,a\\ b=c\\,d\\=e f=1.5,i=-9223372036854775808i,b=true,s="a \\"b\\" \\\\c" 1700000000000000001',
    'm\\,\\ n v=1e-7 -5',
    'm u=18446744073709551615u 0',
  ];
  const { batch, failures } = parseLines(lines.join('\n'), 'ns', 0, { acceptsUnsigned: true });
  expect(failures).toEqual([]);
  expect(formatLines(batch)).toEqual(lines);
});
