import type { FieldConflict, FieldKind, PointColumns } from '@pollux/storage';
import type { Catalogue, ColumnClass } from './catalogue.ts';
import type { StagedRows } from './wal/wal.ts';

/** In place of a column: the row is refused. */
export const NO_COLUMN = 0xffffffff;

/** The points of a batch that are refused because a field of theirs has another type; a point is refused whole. */
export class Conflicts {
  first: FieldConflict | null = null;
  readonly #batch: PointColumns;
  readonly #points = new Set<number>();

  constructor(batch: PointColumns) {
    this.#batch = batch;
  }

  get points(): number {
    return this.#points.size;
  }

  /** Looks at a row whose field has the type `existing`; true when the row is refused. */
  meet(row: number, existing: FieldKind): boolean {
    const { series, seriesOf, fields, fieldOf } = this.#batch;
    const field = fields[fieldOf[row]!]!;
    if (existing === field.kind) return false;
    this.#points.add(this.#pointOf(row));
    const { measurement } = series[seriesOf[row]!]!;
    this.first ??= { measurement, field: field.name, given: field.kind, existing };
    return true;
  }

  /** The rows of points without conflict, with their columns. */
  without(rows: Uint32Array, columns: Uint32Array): StagedRows {
    if (this.#points.size === 0) return { count: rows.length, rows, columns };
    const keptRows = new Uint32Array(rows.length);
    const keptColumns = new Uint32Array(rows.length);
    let count = 0;
    for (let i = 0; i < rows.length; i++) {
      if (this.#points.has(this.#pointOf(rows[i]!))) continue;
      keptRows[count] = rows[i]!;
      keptColumns[count++] = columns[i]!;
    }
    return { count, rows: keptRows, columns: keptColumns };
  }

  #pointOf(row: number): number {
    return this.#batch.pointOf === null ? row : this.#batch.pointOf[row]!;
  }
}

/** The columns' classes that the fields of a batch have, asked for once each as long as the replica stays the same. */
export class BatchClasses {
  readonly #catalogue: Catalogue;
  readonly #batch: PointColumns;
  readonly #classes: Int32Array;
  #replica = '';
  #replicaSymbol = 0;

  constructor(catalogue: Catalogue, batch: PointColumns) {
    this.#catalogue = catalogue;
    this.#batch = batch;
    this.#classes = new Int32Array(batch.fields.length).fill(-1);
  }

  of(field: number, replica: string): ColumnClass {
    if (replica !== this.#replica) {
      this.#replica = replica;
      this.#replicaSymbol = this.#catalogue.names.symbol(replica);
      this.#classes.fill(-1);
    }
    const known = this.#classes[field]!;
    if (known >= 0) return known;
    const { name, kind } = this.#batch.fields[field]!;
    const symbol = this.#catalogue.names.symbol(name);
    const found = this.#catalogue.columnClass(symbol, kind, this.#replicaSymbol);
    this.#classes[field] = found;
    return found;
  }
}
