import { StopSource, VirtualClock } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import type { ColumnData } from '@pollux/storage';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStore } from '../../../test/harness.ts';
import type { View } from '../../engine-port.ts';
import { Pace } from '../pace.ts';
import { ColumnEvaluation } from './column-evaluation.ts';
import { planColumns } from './column-plan.ts';
import { SeriesReader, seriesOf } from './column-reader.ts';

describe('a query over one long series', () => {
  it('ends within it when it is stopped', async () => {
    const ROWS = 300_000;
    const timesMs = Float64Array.from({ length: ROWS }, (_, i) => i);
    let slices = 0;
    const data: ColumnData = {
      kind: 'float',
      count: ROWS,
      /** Asked for once by each slice of rows. */
      get timesMs() {
        slices++;
        return timesMs;
      },
      nanos: null,
      cells: new Float64Array(ROWS),
      texts: null,
    };
    const view: Pick<View, 'series' | 'read' | 'readAhead'> = {
      series: () => [{ measurement: 'm', tags: Labels.EMPTY, members: [] }],
      readAhead: () => {},
      read: () => [{ replica: '', data }],
    };
    const schema = { fields: new Map([['f', 'float']] as const), tags: new Set<string>() };
    const expression = {
      kind: 'call',
      name: 'sum',
      args: [{ kind: 'reference', name: 'f', cast: null }],
    } as const;
    const plan = planColumns([{ expression, name: 'sum' }], null, [schema], {
      windows: null,
      fill: { kind: 'none' },
      min: null,
      max: null,
      keepTimes: false,
      maxBuckets: 0,
      random: nodeEnv().random,
    })!;
    let looks = 0;
    // Time passes whenever somebody looks at the clock.
    const clock = Object.assign(new VirtualClock(0), { monotonic: () => ++looks * 10 });
    const signal = new StopSource();
    const part = {
      view: view as View,
      measurement: 'm',
      fields: schema.fields,
      matches: () => true,
      conditions: [],
    };
    const all = seriesOf([part]);
    const running = ColumnEvaluation.create(plan)!.streams(
      all,
      new SeriesReader(all),
      new Pace({ clock, signal }),
    );
    signal.abort(new Error('by somebody'));
    await expect(running).rejects.toThrow('query interrupted');
    expect(slices).toBe(1);
  });
});

describe('a statement', () => {
  const store = new TestStore();
  beforeAll(async () => {
    await store.open({}, { ...nodeEnv(), clock: new VirtualClock(Date.UTC(2026, 0, 1)) });
    await store.query('CREATE DATABASE d');
    const lines: string[] = [];
    for (let i = 0; i < 400; i++) {
      const nanos = BigInt(i * i) * 37_000_003n - 1_000_000_000n;
      const tags = `host=h${i % 3},zone=z${i % 2}`;
      lines.push(`m,${tags} a=${(i % 17) / 4},b=${(i * 7919) % 101}i,c="x" ${nanos}`);
      if (i % 5 === 0) lines.push(`other,${tags} b=${i}i ${nanos}`);
      if (i % 3 === 0) lines.push(`m,${tags} a=-${i} ${nanos + 500n}`);
    }
    expect((await store.write('d', lines.join('\n'))).status).toBe(204);
  });
  afterAll(() => store.close());

  /** A condition on fields that every row fulfils leaves the statement to the general way. */
  const ANY_ROW = '(a >= 0 OR a < 0 OR b >= 0 OR b < 0)';
  const call = fc.oneof(
    fc
      .tuple(
        fc.constantFrom('count', 'sum', 'mean', 'min', 'max', 'first', 'last', 'spread'),
        fc.constantFrom('a', 'b', 'nothing'),
      )
      .map(([name, field]) => `${name}(${field})`),
    fc.constantFrom('max(a) - min(a)', 'abs(min(b)) * 2', 'derivative(mean(a), 1s)', 'sum(*)'),
  );
  const statement = fc.record({
    calls: fc.array(call, { minLength: 1, maxLength: 3 }),
    from: fc.constantFrom('m', 'other', '/m|o/', 'm, other'),
    tags: fc.constantFrom('', "host = 'h1'", "host != 'h1' AND zone =~ /z[01]/", "none = ''"),
    min: fc.integer({ min: -2_000, max: 5_000_000 }),
    length: fc.integer({ min: 0, max: 6_000_000 }),
    group: fc.constantFrom(
      'time(90s)',
      'time(7m, 13s), host',
      'time(1h), *',
      'host',
      '*',
      'time(10m, -1ns), zone',
    ),
    fill: fc.constantFrom('', 'fill(none)', 'fill(previous)', 'fill(linear)', 'fill(3)'),
    order: fc.constantFrom('', 'ORDER BY time DESC'),
    limits: fc.constantFrom('', 'LIMIT 3', 'LIMIT 5 OFFSET 2', 'SLIMIT 1', 'SLIMIT 2 SOFFSET 1'),
    zone: fc.constantFrom('', '', "tz('Europe/Berlin')"),
  });

  it('answers as the general way does', { timeout: 120_000 }, async () => {
    let rows = 0;
    await fc.assert(
      fc.asyncProperty(statement, async (s) => {
        const where = [`time >= ${s.min}ms`, `time < ${s.min + s.length}ms`];
        if (s.tags !== '') where.push(`(${s.tags})`);
        // Without windows a fill is refused for some functions.
        const fill = s.group.startsWith('time') ? s.fill : '';
        const ask = (conditions: readonly string[]): Promise<string> =>
          store.query(
            `SELECT ${s.calls.join(', ')} FROM ${s.from} WHERE ${conditions.join(' AND ')} ` +
              `GROUP BY ${s.group} ${fill} ${s.order} ${s.limits} ${s.zone}`,
            { db: 'd' },
          );
        const text = await ask(where);
        expect(text).toBe(await ask([...where, ANY_ROW]));
        if (text.includes('"values"')) rows++;
      }),
      { numRuns: 100 },
    );
    expect(rows).toBeGreaterThan(30);
  });
});
