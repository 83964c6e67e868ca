import { parseSampleValue, type QueryData, type WireLabels } from '@pollux/api-types';

export type Column = { readonly name: string; readonly values: readonly (number | null)[] };
export type Table = { readonly times: readonly number[]; readonly columns: readonly Column[] };

/** `name{a="b"}` as Prometheus writes a series. */
export function seriesName(labels: WireLabels): string {
  const { __name__: name = '', ...rest } = labels;
  const pairs = Object.entries(rest).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 && name !== '' ? name : `${name}{${pairs.join(', ')}}`;
}

/** A matrix as columns over one common time axis; missing points are null, so a gap stays a gap in the drawing. */
export function toColumns(data: QueryData): Table {
  if (data.resultType !== 'matrix') return { times: [], columns: [] };
  const times = [
    ...new Set(data.result.flatMap(({ values = [] }) => values.map(([time]) => time))),
  ].sort((a, b) => a - b);
  const indexOf = new Map(times.map((time, index) => [time, index]));
  const columns = data.result.map(({ metric, values = [] }) => {
    const column = new Array<number | null>(times.length).fill(null);
    for (const [time, text] of values) {
      const value = parseSampleValue(text);
      column[indexOf.get(time) ?? 0] = Number.isFinite(value) ? value : null;
    }
    return { name: seriesName(metric), values: column };
  });
  return { times, columns };
}

export type Row = { readonly name: string; readonly value: string };

/** The rows of an instant answer. */
export function toRows(data: QueryData): readonly Row[] {
  switch (data.resultType) {
    case 'vector':
      return data.result.map(({ metric, value, histogram }) => ({
        name: seriesName(metric),
        value: value?.[1] ?? `count ${histogram?.[1].count ?? ''}, sum ${histogram?.[1].sum ?? ''}`,
      }));
    case 'matrix':
      return data.result.map(({ metric, values = [] }) => ({
        name: seriesName(metric),
        value: values.map(([time, value]) => `${value} @${time}`).join('\n'),
      }));
    case 'scalar':
    case 'string':
      return [{ name: data.resultType, value: data.result[1] }];
  }
}
