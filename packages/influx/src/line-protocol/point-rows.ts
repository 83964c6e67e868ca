import type { FieldKind, PointColumns, SeriesKey } from '@pollux/storage';
import type { KnownKey, KnownSeries } from './known-series.ts';

/** The points of one body as columns that grow. Rows from `count` on are those of the point that is being read. */
export class PointRows {
  count = 0;
  points = 0;
  readonly texts: string[] = [];
  readonly #known: KnownSeries;
  readonly #series: SeriesKey[] = [];
  readonly #numbers: number[] = [];
  /** Place in the batch by the number that the series has over all bodies. */
  readonly #placeByNumber = new Map<number, number>();
  readonly #fields: { name: string; kind: FieldKind }[] = [];
  readonly #fieldsByName = new Map<string, number>();
  #last: KnownKey | null = null;
  /** The field that was met last. */
  #field = -1;
  #capacity = 256;
  #hasNanos = false;
  #seriesOf = new Uint32Array(this.#capacity);
  #fieldOf = new Uint32Array(this.#capacity);
  #pointOf = new Uint32Array(this.#capacity);
  #timesMs = new Float64Array(this.#capacity);
  #nanos = new Int32Array(this.#capacity);
  /** At `count` of the row that comes next, once there is room for it. */
  cells = new Float64Array(this.#capacity);
  integers = new BigInt64Array(this.cells.buffer);

  constructor(known: KnownSeries) {
    this.#known = known;
  }

  /** The series that came behind that of the last point in an earlier body. */
  get likelyNext(): KnownKey | null {
    return this.#last?.next ?? null;
  }

  /** Where the series of a point stands in the batch. */
  placeOf(known: KnownKey): number {
    if (this.#last !== null) this.#last.next = known;
    this.#last = known;
    let place = this.#placeByNumber.get(known.number);
    if (place === undefined) {
      place = this.#series.push(known.key) - 1;
      this.#numbers.push(known.number);
      this.#placeByNumber.set(known.number, place);
    }
    return place;
  }

  /** Makes room for a row. */
  reserve(): void {
    if (this.count < this.#capacity) return;
    this.#capacity *= 2;
    const cells = new Float64Array(this.#capacity);
    // Copied as words: the bits of an integer may be those of a NaN.
    new Uint32Array(cells.buffer).set(new Uint32Array(this.cells.buffer));
    this.cells = cells;
    this.integers = new BigInt64Array(cells.buffer);
    const times = new Float64Array(this.#capacity);
    times.set(this.#timesMs);
    this.#timesMs = times;
    const nanos = new Int32Array(this.#capacity);
    nanos.set(this.#nanos);
    this.#nanos = nanos;
    this.#seriesOf = grown(this.#seriesOf, this.#capacity);
    this.#fieldOf = grown(this.#fieldOf, this.#capacity);
    this.#pointOf = grown(this.#pointOf, this.#capacity);
  }

  /** Ends a row whose cell is there. */
  push(name: string, kind: FieldKind): void {
    this.#fieldOf[this.count++] = this.#fieldNumber(name, kind);
  }

  /** Ends a point of the rows from `first` on. */
  endPoint(first: number, series: number, ms: number, nanos: number): void {
    for (let row = first; row < this.count; row++) {
      this.#seriesOf[row] = series;
      this.#pointOf[row] = this.points;
      this.#timesMs[row] = ms;
      this.#nanos[row] = nanos;
    }
    if (nanos !== 0) this.#hasNanos = true;
    this.points++;
  }

  #fieldNumber(name: string, kind: FieldKind): number {
    // Points of a kind have the same fields in the same order.
    const next = this.#field + 1 < this.#fields.length ? this.#field + 1 : 0;
    const guess = this.#fields[next];
    if (guess !== undefined && guess.kind === kind && guess.name === name) {
      this.#field = next;
      return next;
    }
    const key = `${kind}\n${name}`;
    let field = this.#fieldsByName.get(key);
    if (field === undefined) {
      field = this.#fields.push({ name, kind }) - 1;
      this.#fieldsByName.set(key, field);
    }
    this.#field = field;
    return field;
  }

  batch(): PointColumns {
    return {
      count: this.count,
      series: this.#series,
      fields: this.#fields,
      seriesOf: this.#seriesOf,
      fieldOf: this.#fieldOf,
      timesMs: this.#timesMs,
      nanos: this.#hasNanos ? this.#nanos : null,
      cells: this.cells,
      texts: this.texts,
      pointOf: this.#pointOf,
      numbers: { numbering: this.#known.numbering, ofSeries: this.#numbers },
    };
  }
}

function grown(data: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(data);
  return larger;
}
