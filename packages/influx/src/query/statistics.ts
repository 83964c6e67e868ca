import type { Cell, ResultSeries } from './result.ts';

/** What a part of the store counts, as SHOW STATS and /debug/vars show it. */
export type Statistic = {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, number>>;
};

/** How a part of the store is set up, as SHOW DIAGNOSTICS shows it. */
export type Diagnostic = {
  readonly name: string;
  readonly values: Readonly<Record<string, Cell>>;
};

/** One series per statistic, columns by name. */
export function statisticSeries(statistics: readonly Statistic[]): ResultSeries[] {
  return statistics.map(({ name, tags, values }) => {
    const columns = Object.keys(values).sort();
    const cells = columns.map((column): Cell => BigInt(Math.round(values[column] ?? 0)));
    const pairs = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      name,
      tags: pairs.length > 0 ? pairs : null,
      columns,
      rows: [cells],
      hasTime: false,
    };
  });
}
