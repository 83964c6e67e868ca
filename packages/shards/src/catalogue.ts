import { Labels } from '@pollux/model';
import { type FieldKind, KIND_CODES, kindOf } from './field-kind.ts';
import { HashIndex, U32List } from './u32-list.ts';

/** Number of a series inside one shard group. */
export type SeriesRef = number;
/** Number of a (series, field, type, replica) inside one shard group: the unit that holds samples. */
export type ColumnRef = number;

const NONE = 0xffffffff;

type Measurement = {
  readonly series: U32List;
  /** Field symbol → type that a write must have. */
  readonly fields: Map<number, FieldKind>;
};

/**
 * The names of one shard group: measurements, series, fields with their types, columns. Every text is interned once; series
 * and columns are numbers in typed arrays. An entry without data (a write that failed, or deleted) stays numbered but is not
 * shown, so that numbers never move.
 */
export class Catalogue {
  readonly #symbols = new Map<string, number>();
  readonly #texts: string[] = [];
  /** Per series: position in the pool. */
  readonly #seriesAt = new U32List();
  /** measurement, pairs, name, value, name, value … */
  readonly #pool = new U32List();
  readonly #seriesIndex = new HashIndex();
  readonly #firstColumn = new U32List();
  readonly #columnSeries = new U32List();
  readonly #columnField = new U32List();
  readonly #columnReplica = new U32List();
  readonly #columnKind = new U32List();
  readonly #nextColumn = new U32List();
  readonly #columnHasData = new U32List();
  readonly #columnIndex = new HashIndex();
  readonly #measurements = new Map<number, Measurement>();
  #textBytes = 0;

  get seriesCount(): number {
    return this.#seriesAt.length;
  }

  get columnCount(): number {
    return this.#columnSeries.length;
  }

  /** Estimated bytes held. */
  get bytes(): number {
    const numbers = this.#seriesAt.length * 4 + this.#pool.length + this.#columnSeries.length * 8;
    return this.#textBytes + numbers * 4;
  }

  #intern(text: string): number {
    const known = this.#symbols.get(text);
    if (known !== undefined) return known;
    const symbol = this.#texts.push(text) - 1;
    this.#symbols.set(text, symbol);
    this.#textBytes += text.length * 2 + 80;
    return symbol;
  }

  /** The series' number; created when new. */
  series(measurement: string, tags: Labels): SeriesRef {
    const name = this.#intern(measurement);
    let hash = mix(0, name);
    const words: number[] = [name, tags.size];
    for (let i = 0; i < tags.size; i++) {
      const key = this.#intern(tags.nameAt(i));
      const value = this.#intern(tags.valueAt(i));
      words.push(key, value);
      hash = mix(mix(hash, key), value);
    }
    const known = this.#seriesIndex.find(hash, (ref) => this.#isSeries(ref, words));
    if (known >= 0) return known;
    const ref = this.#seriesAt.push(this.#pool.length);
    for (const word of words) this.#pool.push(word);
    this.#firstColumn.push(NONE);
    this.#seriesIndex.add(hash, ref);
    let entry = this.#measurements.get(name);
    if (entry === undefined) {
      entry = { series: new U32List(), fields: new Map() };
      this.#measurements.set(name, entry);
    }
    entry.series.push(ref);
    return ref;
  }

  #isSeries(ref: number, words: readonly number[]): boolean {
    const at = this.#seriesAt.at(ref);
    for (let i = 0; i < words.length; i++) if (this.#pool.at(at + i) !== words[i]) return false;
    return true;
  }

  /** The type that a field of the series' measurement has, set to `kind` when it has none yet. */
  fieldKind(series: SeriesRef, field: string, kind: FieldKind): FieldKind {
    const fields = this.#measurements.get(this.#pool.at(this.#seriesAt.at(series)))!.fields;
    const symbol = this.#intern(field);
    const known = fields.get(symbol);
    if (known !== undefined) return known;
    fields.set(symbol, kind);
    return kind;
  }

  /** The column's number; created when new. */
  column(series: SeriesRef, field: string, kind: FieldKind, replica: string): ColumnRef {
    const fieldSymbol = this.#intern(field);
    const replicaSymbol = this.#intern(replica);
    const code = KIND_CODES[kind];
    const hash = mix(mix(mix(mix(1, series), fieldSymbol), replicaSymbol), code);
    const known = this.#columnIndex.find(
      hash,
      (ref) =>
        this.#columnSeries.at(ref) === series &&
        this.#columnField.at(ref) === fieldSymbol &&
        this.#columnReplica.at(ref) === replicaSymbol &&
        this.#columnKind.at(ref) === code,
    );
    if (known >= 0) return known;
    const ref = this.#columnSeries.push(series);
    this.#columnField.push(fieldSymbol);
    this.#columnReplica.push(replicaSymbol);
    this.#columnKind.push(code);
    this.#columnHasData.push(0);
    this.#nextColumn.push(this.#firstColumn.at(series));
    this.#firstColumn.set(series, ref);
    this.#columnIndex.add(hash, ref);
    return ref;
  }

  setHasData(column: ColumnRef, hasData: boolean): void {
    this.#columnHasData.set(column, hasData ? 1 : 0);
  }

  hasData(column: ColumnRef): boolean {
    return this.#columnHasData.at(column) === 1;
  }

  /** Forgets the type of fields that hold no data: after a deletion or a failed write the next writer may choose anew. */
  forgetEmptyFields(): void {
    for (const measurement of this.#measurements.values()) {
      const live = new Map<number, FieldKind>();
      for (let i = 0; i < measurement.series.length; i++) {
        for (const column of this.columnsOf(measurement.series.at(i))) {
          live.set(this.#columnField.at(column), this.kindOf(column));
        }
      }
      measurement.fields.clear();
      for (const [field, kind] of live) measurement.fields.set(field, kind);
    }
  }

  kindOf(column: ColumnRef): FieldKind {
    return kindOf(this.#columnKind.at(column))!;
  }

  fieldOf(column: ColumnRef): string {
    return this.#texts[this.#columnField.at(column)]!;
  }

  replicaOf(column: ColumnRef): string {
    return this.#texts[this.#columnReplica.at(column)]!;
  }

  seriesOf(column: ColumnRef): SeriesRef {
    return this.#columnSeries.at(column);
  }

  measurementOf(series: SeriesRef): string {
    return this.#texts[this.#pool.at(this.#seriesAt.at(series))]!;
  }

  tagsOf(series: SeriesRef): Labels {
    const at = this.#seriesAt.at(series);
    const words = this.#pool.at(at + 1) * 2;
    const flat: string[] = [];
    for (let i = 0; i < words; i++) flat.push(this.#texts[this.#pool.at(at + 2 + i)]!);
    return Labels.fromSortedFlat(flat);
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
    for (let ref = this.#firstColumn.at(series); ref !== NONE; ref = this.#nextColumn.at(ref)) {
      if (this.hasData(ref)) return true;
    }
    return false;
  }

  /** Names of measurements that hold data, in no order. */
  measurements(): string[] {
    const names: string[] = [];
    for (const [symbol, { series }] of this.#measurements) {
      for (let i = 0; i < series.length; i++) {
        if (!this.isLive(series.at(i))) continue;
        names.push(this.#texts[symbol]!);
        break;
      }
    }
    return names;
  }

  /** Series of the measurement that hold data, in order of creation. */
  seriesOfMeasurement(name: string): SeriesRef[] {
    const symbol = this.#symbols.get(name);
    const entry = symbol === undefined ? undefined : this.#measurements.get(symbol);
    const refs: SeriesRef[] = [];
    if (entry === undefined) return refs;
    for (let i = 0; i < entry.series.length; i++) {
      const ref = entry.series.at(i);
      if (this.isLive(ref)) refs.push(ref);
    }
    return refs;
  }

  /** Fields of the measurement that hold data, with their types. */
  fieldsOf(name: string): Map<string, FieldKind> {
    const fields = new Map<string, FieldKind>();
    for (const series of this.seriesOfMeasurement(name)) {
      for (const column of this.columnsOf(series))
        fields.set(this.fieldOf(column), this.kindOf(column));
    }
    return fields;
  }
}

function mix(hash: number, word: number): number {
  let h = Math.imul(hash ^ word, 0x9e3779b1);
  h ^= h >>> 15;
  return Math.imul(h, 0x85ebca6b) >>> 0;
}
