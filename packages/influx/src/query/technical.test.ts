import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestStore } from '../../test/harness.ts';

// Values and answers were taken from influxd 1.6.7.

let store: TestStore;
beforeAll(async () => {
  store = await new TestStore().open();
  await store.query('CREATE DATABASE d');
  const points = [
    [0, 1],
    [10, 2],
    [20, 5],
    [35, -3],
    [65, 9],
  ];
  await store.write('d', points.map(([s, v]) => `c v=${v} ${s}`).join('\n'), { precision: 's' });
});
afterAll(() => store.close());

async function valuesOf(expression: string, rest = ''): Promise<unknown> {
  const text = await store.query(`SELECT ${expression} FROM c ${rest}`, { db: 'd', epoch: 's' });
  const [result] = (
    JSON.parse(text) as {
      results: { error?: string; series?: { values: unknown[] }[] }[];
    }
  ).results;
  return result?.error ?? result?.series?.[0]?.values ?? [];
}

it.each<readonly [string, unknown]>([
  [
    'exponential_moving_average(v, 2)',
    [
      [10, 1.6666666666666665],
      [20, 3.888888888888889],
      [35, -0.7037037037037037],
      [65, 5.765432098765432],
    ],
  ],
  ['relative_strength_index(v, 9)', []],
  [
    "exponential_moving_average(v, 2, 3, 'simple')",
    [
      [35, -0.7222222222222223],
      [65, 5.759259259259259],
    ],
  ],
  [
    'exponential_moving_average(v, 0)',
    'exponential_moving_average period must be greater than or equal to 1',
  ],
  [
    'kaufmans_efficiency_ratio(v)',
    'invalid number of arguments for kaufmans_efficiency_ratio, expected at least 2 but no more than 3, got 1',
  ],
  [
    "relative_strength_index(v, 2, 1, 'no')",
    "relative_strength_index warmup type must be one of: 'exponential' 'simple'",
  ],
  [
    'chande_momentum_oscillator(v, 1)',
    'chande_momentum_oscillator period must be greater than 1 without a warmup type',
  ],
])('%s', async (expression, wanted) => {
  expect(await valuesOf(expression)).toEqual(wanted);
});

it.each<readonly [string, string, unknown]>([
  [
    'exponential_moving_average(mean(v), 2)',
    '',
    [
      [20, 4],
      [30, -0.6666666666666661],
      [60, 5.777777777777778],
    ],
  ],
  [
    'kaufmans_efficiency_ratio(mean(v), 2)',
    '',
    [
      [30, 0.45454545454545453],
      [60, 0.2],
    ],
  ],
])('%s begins one window before the range', async (expression, fill, wanted) => {
  const rest = `WHERE time >= 20s AND time < 70s GROUP BY time(10s) ${fill}`;
  expect(await valuesOf(expression, rest)).toEqual(wanted);
});

it.each<readonly [string, string, readonly number[]]>([
  [
    'holt_winters_with_fit(mean(v), 2, 0)',
    '',
    [
      1, 1.1473425144845133, 1.1709884563519275, 1.2372265765236996, 1.4843818141359881,
      2.628869451962351, 8.953351525212252, 49.56172047273801, 346.6325809853429,
    ],
  ],
  [
    'holt_winters_with_fit(mean(v), 5, 3)',
    'fill(linear)',
    [
      1, 2.848176114251993, 2.1819569018043286, 1.2076260283855953, 4.070240128337825,
      5.55757887802232, 8.748211615382523, 45.03712567766302, 97.04628099324783, 209.58809201623018,
      895.1603878605885, 2024.4254219045342,
    ],
  ],
])('%s %s', async (expression, fill, wanted) => {
  const rest = `WHERE time >= 0 AND time < 70s GROUP BY time(10s) ${fill}`;
  const rows = (await valuesOf(expression, rest)) as [number, number][];
  expect(rows.map(([time]) => time)).toEqual(wanted.map((_, i) => i * 10));
  // The search multiplies the last digit in which Go's powers differ from ours.
  for (const [i, [, value]] of rows.entries()) expect(value / wanted[i]!).toBeCloseTo(1, 12);
});

it('refuses a forecast whose search would hold the store for minutes', async () => {
  const answer = await valuesOf(
    'holt_winters(mean(v), 1, 0)',
    'WHERE time >= 0 AND time < 70s GROUP BY time(1ms)',
  );
  expect(answer).toMatch(/^holt_winters fits at most 50000 windows/);
  expect(
    await valuesOf('holt_winters(mean(v), 1000000, 0)', 'WHERE time < 70s GROUP BY time(10s)'),
  ).toMatch(/^holt_winters forecasts at most/);
});
