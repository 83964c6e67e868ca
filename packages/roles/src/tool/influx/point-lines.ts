import { type Cell, NumberText, type Row } from '../../influx/answer.ts';

export type FieldType = 'float' | 'integer' | 'unsigned' | 'string' | 'boolean';

/** What stands in a name that its escapes cannot say: the reader would split or join it elsewhere. */
const UNWRITABLE = /[\n\r]|\\$|\\[,= ]/;

/**
 * The rows of one series as lines of points with times in nanoseconds; numbers keep the digits that came. Null when line protocol cannot
 * say the names of the series.
 */
export function pointLines(row: Row, types: ReadonlyMap<string, FieldType>): string[] | null {
  const key = seriesKey(row);
  if (key === null) return null;
  const fields = row.columns.map((name) => ({ name: escaped(name), type: types.get(name) }));
  if (row.columns.slice(1).some((name) => UNWRITABLE.test(name))) return null;
  const lines: string[] = [];
  for (const cells of row.values) {
    let values = '';
    for (let i = 1; i < cells.length; i++) {
      const { name, type } = fields[i]!;
      const text = type === undefined ? null : valueText(cells[i]!, type);
      if (text !== null) values += `${values === '' ? '' : ','}${name}=${text}`;
    }
    const time = cells[0];
    if (values !== '' && time instanceof NumberText) lines.push(`${key} ${values} ${time.text}`);
  }
  return lines;
}

function seriesKey({ name, tags }: Row): string | null {
  if (UNWRITABLE.test(name) || /^[#\s]/.test(name)) return null;
  let key = name.replace(/[, ]/g, '\\$&');
  for (const [tag, value] of Object.entries(tags)) {
    // A series without the tag, which others of the measurement have.
    if (value === '') continue;
    if (UNWRITABLE.test(tag) || UNWRITABLE.test(value)) return null;
    key += `,${escaped(tag)}=${escaped(value)}`;
  }
  return key;
}

function escaped(name: string): string {
  return name.replace(/[, =]/g, '\\$&');
}

/** Null for no value, and for one of another type than the column was asked for as. */
function valueText(cell: Cell, type: FieldType): string | null {
  if (cell === null) return null;
  switch (type) {
    case 'string':
      return typeof cell === 'string' ? `"${cell.replace(/["\\]/g, '\\$&')}"` : null;
    case 'boolean':
      return typeof cell === 'boolean' ? String(cell) : null;
    default: {
      if (!(cell instanceof NumberText)) return null;
      return cell.text + { float: '', integer: 'i', unsigned: 'u' }[type];
    }
  }
}
