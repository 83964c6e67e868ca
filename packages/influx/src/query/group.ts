import { compareText, type Labels } from '@pollux/model';
import type { Point, RowRef } from './functions.ts';
import type { Cell } from './result.ts';
import type { Table } from './table.ts';

/** Rows that one output series is made of: the rows of its tables in order of time, filtered. */
export class Group {
  readonly name: string;
  readonly tags: readonly (readonly [string, string])[];
  readonly #tables: Table[] = [];
  #rows: RowRef[] | null = null;
  readonly #passes: (table: Table, row: number) => boolean;

  constructor(
    name: string,
    tags: readonly (readonly [string, string])[],
    passes: (table: Table, row: number) => boolean,
  ) {
    this.name = name;
    this.tags = tags;
    this.#passes = passes;
  }

  add(table: Table): void {
    this.#tables.push(table);
  }

  /** Rows in order of time; of equal times the order of the series. */
  rows(): readonly RowRef[] {
    if (this.#rows !== null) return this.#rows;
    const rows: RowRef[] = [];
    for (const [table, { times }] of this.#tables.entries()) {
      for (let row = 0; row < times.length; row++) {
        if (this.#passes(this.#tables[table]!, row)) rows.push({ table, row });
      }
    }
    if (this.#tables.length > 1) {
      rows.sort((a, b) => {
        const x = this.timeOf(a);
        const y = this.timeOf(b);
        return x < y ? -1 : x > y ? 1 : a.table - b.table || a.row - b.row;
      });
    }
    this.#rows = rows;
    return rows;
  }

  timeOf(ref: RowRef): bigint {
    return this.#tables[ref.table]!.times[ref.row]!;
  }

  keepsNulls(ref: RowRef): boolean {
    return this.#tables[ref.table]!.keepsNulls === true;
  }

  /** The field or tag of that name in the row; null when it has none. */
  cell(ref: RowRef, name: string, cast: string | null): Cell {
    return cellOf(this.#tables[ref.table]!, ref.row, name, cast);
  }

  /** Whether the name is a field in any table; else it is taken for a tag. */
  hasField(name: string): boolean {
    return this.#tables.some((table) => table.columns.has(name));
  }

  /** The values of a name in order of time, without the missing. */
  points(name: string, cast: string | null): Point[] {
    const points: Point[] = [];
    for (const row of this.rows()) {
      const value = this.cell(row, name, cast);
      if (value !== null) points.push({ time: this.timeOf(row), value, row });
    }
    return points;
  }
}

export function cellOf(table: Table, row: number, name: string, cast: string | null): Cell {
  if (cast !== 'tag') {
    const column = table.columns.get(name);
    if (column !== undefined) return castTo(column[row] ?? null, cast);
    if (cast !== null) return null;
  }
  const tag = table.tags.get(name);
  return tag === '' ? null : tag;
}

/** Numeric casts only; a cast to another type than the value's gives nothing. */
function castTo(cell: Cell, cast: string | null): Cell {
  if (cell === null || cast === null || cast === 'field') return cell;
  if (cast === 'float')
    return typeof cell === 'bigint' ? Number(cell) : typeof cell === 'number' ? cell : null;
  if (cast === 'integer' || cast === 'unsigned') {
    if (typeof cell === 'number') return BigInt(Math.trunc(cell));
    return typeof cell === 'bigint' ? cell : null;
  }
  return typeof cell === cast ? cell : null;
}

export function groupTables(
  tables: readonly Table[],
  dimensions: readonly string[],
  passes: (table: Table, row: number) => boolean,
): Group[] {
  return groupByTags(tables, dimensions).map(({ name, tags, members }) => {
    const group = new Group(name, tags, passes);
    for (const table of members) group.add(table);
    return group;
  });
}

export type Grouped<T> = {
  readonly name: string;
  readonly tags: readonly (readonly [string, string])[];
  readonly members: readonly T[];
};

/** Splits by name and the values of `dimensions`; groups come sorted by name, then values. */
export function groupByTags<T extends { readonly name: string; readonly tags: Labels }>(
  all: readonly T[],
  dimensions: readonly string[],
): Grouped<T>[] {
  const groups = new Map<string, Grouped<T> & { readonly members: T[] }>();
  for (const one of all) {
    const values = dimensions.map((name) => one.tags.get(name));
    const key = [one.name, ...values].join('\ud800');
    const known = groups.get(key);
    if (known !== undefined) known.members.push(one);
    else {
      const tags = dimensions.map((name, index) => [name, values[index]!] as const);
      groups.set(key, { name: one.name, tags, members: [one] });
    }
  }
  return [...groups.values()].sort((a, b) => {
    const byName = compareText(a.name, b.name);
    if (byName !== 0) return byName;
    for (const [index, [, value]] of a.tags.entries()) {
      const order = compareText(value, b.tags[index]?.[1] ?? '');
      if (order !== 0) return order;
    }
    return 0;
  });
}
