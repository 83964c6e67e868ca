import { StopSource, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import type { ColumnData } from '@pollux/storage';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { View, ViewSeries } from '../../engine-port.ts';
import type { Expression } from '../../influxql/ast.ts';
import type { Call } from '../call-rows.ts';
import { type CallScope, evaluateCall } from '../calls.ts';
import { Group } from '../group.ts';
import { Pace } from '../pace.ts';
import { loadTables, type ReadPart } from '../table.ts';
import { Windows } from '../windows.ts';
import { ColumnEvaluation } from './column-evaluation.ts';
import { planColumns } from './column-plan.ts';
import { SeriesReader, seriesOf } from './column-reader.ts';
import { KERNELS } from './kernels.ts';

type Kind = 'float' | 'integer';

const FIELD: Expression = { kind: 'reference', name: 'f', cast: null };
/** Sums of these are exact in any order; the general way adds in order of time, the kernels series by series. */
const float = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -6, max: 6 }).map((n) => n / 4) },
  fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e15),
);
/** Few values, so that several are the best; and many. */
const fewIntegers = fc.bigInt({ min: -1n, max: 1n });
const allIntegers = fc.oneof(fewIntegers, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

function column(kind: Kind, values: fc.Arbitrary<number | bigint>): fc.Arbitrary<ColumnData> {
  const time = fc.tuple(
    fc.integer({ min: -60, max: 60 }),
    fc.constantFrom(0, 0, 1, 499_999, 500_000, 999_999),
  );
  const row = fc.tuple(time, values);
  return fc.tuple(fc.boolean(), fc.array(row, { maxLength: 40 })).map(([hasNanos, rows]) => {
    const byTime = new Map<string, (typeof rows)[number]>();
    for (const one of rows) byTime.set(`${one[0][0]} ${hasNanos ? one[0][1] : 0}`, one);
    const sorted = [...byTime.values()].sort(
      ([a], [b]) => a[0] - b[0] || (hasNanos ? a[1] - b[1] : 0),
    );
    const cells = new Float64Array(sorted.length + 3);
    const integers = new BigInt64Array(cells.buffer);
    for (const [i, [, value]] of sorted.entries()) {
      if (typeof value === 'bigint') integers[i] = value;
      else cells[i] = value;
    }
    return {
      kind,
      count: sorted.length,
      timesMs: Float64Array.from(sorted, ([[ms]]) => ms),
      nanos: hasNanos ? Int32Array.from(sorted, ([[, nanos]]) => nanos) : null,
      cells,
      texts: null,
    };
  });
}

function seriesOfKind(kind: Kind, values: fc.Arbitrary<number | bigint>) {
  const columns = fc.array(column(kind, values), { minLength: 1, maxLength: 4 });
  return fc.record({ kind: fc.constant(kind), columns });
}

const series = fc.oneof(
  seriesOfKind('float', float),
  seriesOfKind('integer', fewIntegers),
  seriesOfKind('integer', allIntegers),
);

const reducer = fc
  .constantFrom(...Object.keys(KERNELS))
  .map((name): Call => ({ kind: 'call', name, args: [FIELD] }));
const call = fc.oneof(
  { weight: 3, arbitrary: reducer },
  fc
    .tuple(
      fc.constantFrom('derivative', 'non_negative_difference', 'cumulative_sum', 'elapsed'),
      reducer,
    )
    .map(([name, inner]): Call => ({ kind: 'call', name, args: [inner] })),
  reducer.map(
    (inner): Call => ({
      kind: 'call',
      name: 'moving_average',
      args: [inner, { kind: 'integer', value: 3n }],
    }),
  ),
);

const MS = 1_000_000n;
const scope = fc
  .record({
    interval: fc.constantFrom(0n, 0n, 0n, 1_500_000n, 7n * MS, 10n * MS, 100n * MS),
    offset: fc.constantFrom(0n, 3n * MS, -1n, 499_999n),
    timeZone: fc.constantFrom(null, null, 'Asia/Kolkata'),
    fill: fc.constantFrom<CallScope['fill']>(
      { kind: 'null' },
      { kind: 'none' },
      { kind: 'previous' },
      { kind: 'linear' },
      { kind: 'number', value: 7n },
    ),
    min: fc.bigInt({ min: -60n * MS, max: 10n * MS }),
    length: fc.bigInt({ min: 0n, max: 80n * MS }),
    keepTimes: fc.boolean(),
  })
  .map(
    ({ interval, offset, timeZone, fill, min, length, keepTimes }): CallScope => ({
      windows: interval > 0n ? new Windows(interval, offset, timeZone) : null,
      fill,
      min,
      max: min + length,
      keepTimes: keepTimes && interval === 0n,
      maxBuckets: 0,
      random: nodeEnv().random,
    }),
  );

/** A view of given columns, cut to the range by nobody: what lies outside of it must make no difference to the kernels. */
function partOf(kind: Kind, columns: readonly ColumnData[], max: bigint): ReadPart {
  const all = columns.map(
    (_, i): ViewSeries => ({
      measurement: 'm',
      tags: Labels.from({ t: String(i) }),
      members: [],
    }),
  );
  const cut = columns.map((data) => {
    let count = data.count;
    while (
      count > 0 &&
      BigInt(data.timesMs[count - 1]!) * MS + BigInt(data.nanos?.[count - 1] ?? 0) > max
    )
      count--;
    return { ...data, count };
  });
  const view: Pick<View, 'series' | 'read' | 'readAhead'> = {
    series: () => all,
    readAhead: () => {},
    read: (one) => [{ replica: '', data: cut[Number(one.tags.get('t'))]! }],
  };
  return {
    view: view as View,
    measurement: 'm',
    fields: new Map([['f', kind]]),
    matches: () => true,
    conditions: [],
  };
}

it('finds in each window what the general way finds', { timeout: 120_000 }, async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      series,
      fc.array(call, { minLength: 1, maxLength: 3 }),
      scope,
      async ({ kind, columns }, calls, callScope) => {
        const schema = { fields: new Map([['f', kind]]), tags: new Set(['t']) };
        const outputs = calls.map((expression) => ({ expression, name: '' }));
        const plan = planColumns(outputs, null, [schema], callScope);
        const evaluation = plan === null ? null : ColumnEvaluation.create(plan);
        if (plan === null || evaluation === null) return;
        const paced = { clock: new VirtualClock(0), signal: new StopSource() };
        const part = partOf(kind, columns, callScope.max!);
        const group = new Group('m', [], () => true);
        for (const table of await loadTables(paced, part)) group.add(table);
        // Twice, since the arrays are used for one group after the other.
        const all = seriesOf([part]);
        await evaluation.streams(all.slice(0, 1), new SeriesReader(all), new Pace(paced));
        const streams = await evaluation.streams(all, new SeriesReader(all), new Pace(paced));
        for (const one of calls) {
          const plain = evaluateCall(one, group, callScope);
          const shown = plain.map(({ time, value }) => ({ time, value, row: null }));
          expect(streams[plan.streamOf.get(one)!]).toStrictEqual(shown);
          compared++;
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(compared).toBeGreaterThan(2_000);
});
