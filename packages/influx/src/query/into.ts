import { Labels } from '@pollux/model';
import type { FieldKind, PointColumns } from '@pollux/storage';
import type { Cell, ResultSeries } from './result.ts';
import { splitNanos } from './table.ts';

/** A larger whole number comes from an unsigned field. */
const MAX_INTEGER = 2n ** 63n - 1n;

/** The rows of an answer as points of `measurement`: columns become fields, tags those of GROUP BY; nulls are left out. */
export function intoPoints(series: ResultSeries<Cell>, measurement: string): PointColumns {
  const capacity = series.rows.length * (series.columns.length - 1);
  const fields: { name: string; kind: FieldKind }[] = [];
  const numbers = new Map<string, number>();
  const texts: string[] = [];
  const fieldOf = new Uint32Array(capacity);
  const pointOf = new Uint32Array(capacity);
  const timesMs = new Float64Array(capacity);
  const nanos = new Int32Array(capacity);
  const cells = new Float64Array(capacity);
  const integers = new BigInt64Array(cells.buffer);
  let count = 0;
  for (const [point, row] of series.rows.entries()) {
    const [ms, rest] = splitNanos(row[0] as bigint);
    for (const [index, name] of series.columns.entries()) {
      const cell = row[index];
      if (index === 0 || cell === null || cell === undefined) continue;
      const kind = kindOf(cell);
      const key = `${kind}\n${name}`;
      let field = numbers.get(key);
      if (field === undefined) {
        field = fields.push({ name, kind }) - 1;
        numbers.set(key, field);
      }
      if (typeof cell === 'bigint') integers[count] = cell;
      else cells[count] = typeof cell === 'string' ? texts.push(cell) - 1 : Number(cell);
      fieldOf[count] = field;
      pointOf[count] = point;
      timesMs[count] = ms;
      nanos[count] = rest;
      count++;
    }
  }
  return {
    count,
    series: [{ measurement, tags: Labels.from(series.tags ?? []), replica: '' }],
    fields,
    seriesOf: new Uint32Array(capacity),
    fieldOf,
    timesMs,
    nanos: nanos.some((rest) => rest !== 0) ? nanos : null,
    cells,
    texts,
    pointOf,
  };
}

function kindOf(cell: number | bigint | string | boolean): FieldKind {
  switch (typeof cell) {
    case 'bigint':
      return cell > MAX_INTEGER ? 'unsigned' : 'integer';
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    default:
      return 'float';
  }
}
