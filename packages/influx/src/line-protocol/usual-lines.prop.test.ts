import type { PointColumns } from '@pollux/storage';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KnownSeries } from './known-series.ts';
import { type ParsedLines, parseLines } from './parse.ts';
import type { Precision } from './precision.ts';

/** Points one by one, values by their bits. */
function rowsOf({ count, series, fields, ...batch }: PointColumns): string[] {
  const bits = new BigUint64Array(batch.cells.buffer);
  return Array.from({ length: count }, (_, row) => {
    const { measurement, tags } = series[batch.seriesOf[row]!]!;
    const { name, kind } = fields[batch.fieldOf[row]!]!;
    const value = kind === 'string' ? batch.texts[batch.cells[row]!] : bits[row];
    const nanos = batch.nanos?.[row] ?? 0;
    return `${measurement} ${tags} ${name}:${kind}=${value} @${batch.timesMs[row]}+${nanos} #${batch.pointOf?.[row]}`;
  });
}

function shown({ batch, ...rest }: ParsedLines): unknown {
  return { rows: rowsOf(batch), ...rest };
}

const keys = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('m', 'm,a=1', 'm,a=1,b=é', 'cpu,host=a.b', 'm,a=12') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'm\\ x,a=1',
      'm,a\\==1',
      'm,a=1,a=2',
      'm,time=1',
      ' m',
      '#m',
      '\ufeffm',
      'm,',
      'm"x',
    ),
  },
);
const names = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('value', 'v', 'usage_idle', 'é') },
  { weight: 1, arbitrary: fc.constantFrom('time', '', 'a\\ b', '"q"', 'a b') },
);
const values = fc.oneof(
  { weight: 4, arbitrary: fc.integer().map(String) },
  { weight: 4, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.nat(9_999_999))
      .map(([whole, part]) => `${whole}.${part}`),
  },
  { weight: 3, arbitrary: fc.maxSafeInteger().map((value) => `${value}i`) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['-0', '-0i', '007', '1.', '.5', '-.5', '1e3', '1u', 't', 'F', '"a b\\"c"', '"x=1,\ny"'],
      ...['', '-', '1i2', '0.1234567890123456789', '9223372036854775807i', '99999999999999999999'],
    ),
  },
);
const times = fc.oneof(
  { weight: 5, arbitrary: fc.bigInt(1n, 9_300_000_000_000_000_000n).map(String) },
  { weight: 3, arbitrary: fc.constantFrom('1795483100000001000', '1795483100', '1795483100123') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', '0', '-1', '1x', '1 2', '12345678901234567890', '-'),
  },
);
const lines = fc
  .record({
    key: keys,
    fields: fc.array(fc.tuple(names, values), { minLength: 1, maxLength: 3 }),
    time: times,
    blanks: fc.constantFrom(' ', ' ', ' ', '  ', ' \t'),
    end: fc.constantFrom('\n', '\n', '\n', '\r\n', ' \n', ''),
  })
  .map(({ key, fields, time, blanks, end }) => {
    const pairs = fields.map(([name, value]) => `${name}=${value}`).join();
    return `${key}${blanks}${pairs}${time === '' ? '' : `${blanks}${time}`}${end}`;
  });
const bodies = fc.array(fc.array(lines, { maxLength: 6 }), { minLength: 1, maxLength: 4 });

it('bytes give what the same lines give as a text, whatever came before them', () => {
  const precisions = fc.constantFrom<Precision>('ns', 'u', 'ms', 's', 'm', 'h');
  fc.assert(
    fc.property(precisions, bodies, (precision, all) => {
      const known = new KnownSeries();
      const encoded = all.map((body) => Buffer.from(body.join('')));
      // Twice, so that all that can be known is known.
      for (const body of [...encoded, ...encoded]) {
        const text = new TextDecoder().decode(body);
        expect(shown(parseLines(body, precision, 7, { known }))).toEqual(
          shown(parseLines(text, precision, 7)),
        );
      }
    }),
    { numRuns: 300 },
  );
});

it('equal series have equal numbers in all bodies, until there is no room for more', () => {
  const known = new KnownSeries(1_000);
  const numbersOf = (text: string): readonly number[] | undefined =>
    parseLines(Buffer.from(text), 's', 0, { known }).batch.numbers?.ofSeries;
  const line = (i: number): string => `m,i=${i},pad=${'x'.repeat(30)} v=1 1`;
  const [first, second] = numbersOf(`${line(1)}\n${line(2)}\n`) ?? [];
  expect(numbersOf(`${line(2)}\n${line(1)}\n`)).toEqual([second, first]);
  const { numbering } = known;
  for (let i = 3; known.numbering === numbering; i++) {
    expect(i).toBeLessThan(40);
    numbersOf(line(i));
  }
  expect(numbersOf(line(2))).toHaveLength(1);
});
