import { HashIndex, type HashKey, hashPair, KeyTable, U32List } from '@pollux/index';
import type { Labels } from '@pollux/model';
import type { FieldKind, TagCondition } from '@pollux/storage';
import { KIND_CODES, kindOf } from './field-kind.ts';
import { SeriesNames, type SeriesRef } from './series-names.ts';

/** Number of a (series, field, type, replica) inside one shard group: the unit that holds samples. */
export type ColumnRef = number;
/** Number of a (field, type, replica). */
export type ColumnClass = number;

const NONE = 0xffffffff;
/** In a column's word beside its class. */
const HAS_DATA = 0x80000000;

type Field = { readonly kind: FieldKind; columnsWithData: number };

/**
 * The names of one shard group: measurements, series, fields with their types, columns; numbers in typed arrays. An entry
 * without data (a write that failed, or deleted) stays numbered but is not shown, so that numbers never move.
 */
export class Catalogue {
  readonly names: SeriesNames;
  /** Field, replica, code of the type. */
  readonly #classes: KeyTable;
  #classCount = 0;
  readonly #class = new Uint32Array(3);
  /** Per series. */
  readonly #firstColumn = new U32List();
  readonly #columnsWithData = new U32List();
  /** Per column. */
  readonly #columnSeries = new U32List();
  readonly #columnClass = new U32List();
  readonly #nextColumn = new U32List();
  /** All columns but the newest of each series, most of which have one only. */
  readonly #olderColumns = new HashIndex();
  /** Per shape: series with data. */
  readonly #seriesWithData = new U32List();
  /** Measurement → field → type that a write must have. */
  readonly #fields = new Map<number, Map<number, Field>>();

  constructor(key: HashKey) {
    this.names = new SeriesNames(key);
    this.#classes = new KeyTable(key);
  }

  get seriesCount(): number {
    return this.names.count;
  }

  get columnCount(): number {
    return this.#columnSeries.length;
  }

  /** Estimated bytes held. */
  get bytes(): number {
    const series = this.#firstColumn.bytes + this.#columnsWithData.bytes;
    const columns = this.#columnSeries.bytes + this.#columnClass.bytes + this.#nextColumn.bytes;
    return this.names.bytes + series + columns + this.#olderColumns.bytes;
  }

  /** The series' number; created when new. */
  series(measurement: string, tags: Labels): SeriesRef {
    return this.#known(this.names.series(measurement, tags));
  }

  /** As {@link series}, of symbols: measurement, name, value, name, value … */
  seriesOfSymbols(symbols: Uint32Array, pairs: number): SeriesRef {
    return this.#known(this.names.seriesOfSymbols(symbols, pairs));
  }

  #known(ref: SeriesRef): SeriesRef {
    if (ref === this.#firstColumn.length) {
      this.#firstColumn.push(NONE);
      this.#columnsWithData.push(0);
    }
    return ref;
  }

  /** The number of a field of a type and replica, given as symbols; created when new. */
  columnClass(field: number, kind: FieldKind, replica: number): ColumnClass {
    this.#class[0] = field;
    this.#class[1] = replica;
    this.#class[2] = KIND_CODES[kind];
    const found = this.#classes.rowOf(this.#class, 3, this.#classCount);
    if (found === this.#classCount) this.#classCount++;
    return found;
  }

  /** The type that a field of the series' measurement has, set to `kind` when it has none yet. */
  fieldKind(series: SeriesRef, field: number, kind: FieldKind): FieldKind {
    return this.#field(series, field, kind).kind;
  }

  /** {@link fieldKind} for the field and type of a class. */
  classKind(series: SeriesRef, columnClass: ColumnClass): FieldKind {
    const kind = kindOf(this.#classes.itemOf(columnClass, 2))!;
    return this.fieldKind(series, this.#classes.itemOf(columnClass, 0), kind);
  }

  #field(series: SeriesRef, symbol: number, kind: FieldKind): Field {
    const measurement = this.names.measurementOf(series);
    let fields = this.#fields.get(measurement);
    if (fields === undefined) {
      fields = new Map();
      this.#fields.set(measurement, fields);
    }
    let field = fields.get(symbol);
    if (field === undefined) {
      field = { kind, columnsWithData: 0 };
      fields.set(symbol, field);
    }
    return field;
  }

  /** The column's number, or −1. */
  findColumn(series: SeriesRef, columnClass: ColumnClass): ColumnRef {
    const first = this.#firstColumn.at(series);
    if (first === NONE) return -1;
    if (this.classOf(first) === columnClass) return first;
    if (this.#nextColumn.at(first) === NONE) return -1;
    const hash = hashPair(series, columnClass);
    let column = this.#olderColumns.first(hash);
    while (column >= 0 && !this.#isColumn(column, series, columnClass)) {
      column = this.#olderColumns.next(hash);
    }
    return column;
  }

  /** The column's number; created when new. */
  column(series: SeriesRef, columnClass: ColumnClass): ColumnRef {
    const known = this.findColumn(series, columnClass);
    if (known >= 0) return known;
    const column = this.#columnSeries.push(series);
    const older = this.#firstColumn.at(series);
    this.#columnClass.push(columnClass);
    this.#nextColumn.push(older);
    this.#firstColumn.set(series, column);
    if (older !== NONE) this.#olderColumns.add(hashPair(series, this.classOf(older)), older);
    return column;
  }

  #isColumn(column: ColumnRef, series: SeriesRef, columnClass: ColumnClass): boolean {
    return this.#columnSeries.at(column) === series && this.classOf(column) === columnClass;
  }

  setHasData(column: ColumnRef, hasData: boolean): void {
    if (this.hasData(column) === hasData) return;
    const step = hasData ? 1 : -1;
    const columnClass = this.classOf(column);
    const series = this.#columnSeries.at(column);
    this.#columnClass.set(column, hasData ? columnClass | HAS_DATA : columnClass);
    const field = this.#classes.itemOf(columnClass, 0);
    this.#field(series, field, this.kindOf(column)).columnsWithData += step;
    const before = this.#columnsWithData.at(series);
    this.#columnsWithData.set(series, before + step);
    if (before !== 0 && before + step !== 0) return;
    const shape = this.names.shapeOf(series);
    while (this.#seriesWithData.length <= shape) this.#seriesWithData.push(0);
    this.#seriesWithData.set(shape, this.#seriesWithData.at(shape) + step);
  }

  hasData(column: ColumnRef): boolean {
    return this.#columnClass.at(column) >= HAS_DATA;
  }

  /** Forgets the type of fields that hold no data: after a deletion or a failed write the next writer may choose anew. */
  forgetEmptyFields(): void {
    for (const fields of this.#fields.values()) {
      for (const [symbol, field] of fields) if (field.columnsWithData === 0) fields.delete(symbol);
    }
  }

  classOf(column: ColumnRef): ColumnClass {
    return (this.#columnClass.at(column) & ~HAS_DATA) >>> 0;
  }

  kindOf(column: ColumnRef): FieldKind {
    return kindOf(this.#classes.itemOf(this.classOf(column), 2))!;
  }

  fieldOf(column: ColumnRef): string {
    return this.names.text(this.fieldSymbolOf(column));
  }

  fieldSymbolOf(column: ColumnRef): number {
    return this.#classes.itemOf(this.classOf(column), 0);
  }

  replicaOf(column: ColumnRef): string {
    return this.names.text(this.replicaSymbolOf(column));
  }

  replicaSymbolOf(column: ColumnRef): number {
    return this.#classes.itemOf(this.classOf(column), 1);
  }

  seriesOf(column: ColumnRef): SeriesRef {
    return this.#columnSeries.at(column);
  }

  measurementOf(series: SeriesRef): string {
    return this.names.text(this.names.measurementOf(series));
  }

  tagsOf(series: SeriesRef): Labels {
    return this.names.tagsOf(series);
  }

  /** Columns of the series that hold data. */
  columnsOf(series: SeriesRef): ColumnRef[] {
    const columns: ColumnRef[] = [];
    for (let ref = this.#firstColumn.at(series); ref !== NONE; ref = this.#nextColumn.at(ref)) {
      if (this.hasData(ref)) columns.push(ref);
    }
    return columns;
  }

  /** True when some column of the series holds data. */
  isLive(series: SeriesRef): boolean {
    return this.#columnsWithData.at(series) > 0;
  }

  #isLiveShape(shape: number): boolean {
    return shape < this.#seriesWithData.length && this.#seriesWithData.at(shape) > 0;
  }

  /** Names of measurements that hold data, in no order. */
  measurements(): string[] {
    const names: string[] = [];
    for (const [symbol, shapes] of this.names.measurements()) {
      if (shapes.some((shape) => this.#isLiveShape(shape))) names.push(this.names.text(symbol));
    }
    return names;
  }

  hasMeasurement(name: string): boolean {
    return this.names.shapesOf(name).some((shape) => this.#isLiveShape(shape));
  }

  /** Series of the measurement that hold data and fulfil the conditions, ascending. */
  select(measurement: string, conditions: readonly TagCondition[] = []): Uint32Array {
    return this.names.select(measurement, conditions).filter((ref) => this.isLive(ref));
  }

  /** Fields of the measurement that hold data, with their types. */
  fieldsOf(measurement: string): Map<string, FieldKind> {
    const found = new Map<string, FieldKind>();
    for (const [symbol, field] of this.#fields.get(this.names.symbolOf(measurement)) ?? []) {
      if (field.columnsWithData > 0) found.set(this.names.text(symbol), field.kind);
    }
    return found;
  }

  /** Whether the series holds data in a field of the type. */
  hasField(series: SeriesRef, field: string, kind: FieldKind): boolean {
    const symbol = this.names.symbolOf(field);
    for (let ref = this.#firstColumn.at(series); ref !== NONE; ref = this.#nextColumn.at(ref)) {
      if (this.fieldSymbolOf(ref) === symbol && this.hasData(ref) && this.kindOf(ref) === kind)
        return true;
    }
    return false;
  }

  /** Names of tags that series of the measurement with data have. */
  tagNames(measurement: string): Set<string> {
    const found = new Set<string>();
    for (const shape of this.names.shapesOf(measurement)) {
      if (!this.#isLiveShape(shape)) continue;
      for (const name of this.names.tagNames(shape)) found.add(name);
    }
    return found;
  }
}
