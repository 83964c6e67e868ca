import {
  type HashKey,
  KeyTable,
  type LabelCondition,
  LabelPostings,
  MemoryIndex,
  Symbols,
  selectPostings,
  U32List,
} from '@pollux/index';
import { Labels } from '@pollux/model';
import type { TagCondition } from '@pollux/storage';

/** Number of a series inside one shard group. */
export type SeriesRef = number;

const NONE = 0xffffffff;
/** As the name of a tag: the measurement. No tag has an empty name. */
const MEASUREMENT = 0;

/**
 * The names of series: measurement and tags as numbers of texts. Series of a measurement mostly have the same tag names, so
 * these are kept once as a shape, and a series is its shape and its values. Postings tell the series of each tag value.
 */
export class SeriesNames {
  readonly #texts: Symbols;
  /** Measurement, tag names. */
  readonly #shapes: KeyTable;
  /** Shape, tag values. */
  readonly #series: KeyTable;
  readonly #postings = new LabelPostings({ keepsAll: false });
  readonly #index: MemoryIndex;
  #shapeCount = 0;
  #seriesCount = 0;
  readonly #shapesOf = new Map<number, number[]>();
  #shape = new Uint32Array(32);
  #words = new Uint32Array(32);
  #flat = new Uint32Array(64);
  /** Per series: the one that was asked for after it when last it was. */
  readonly #successors = new U32List();
  #lastRef = -1;

  constructor(key: HashKey) {
    this.#texts = new Symbols(key);
    this.#shapes = new KeyTable(key);
    this.#series = new KeyTable(key);
    this.#index = new MemoryIndex({
      symbols: this.#texts,
      postings: this.#postings,
      valueOf: (ref, name) => this.#valueOf(ref, name),
    });
  }

  get count(): number {
    return this.#seriesCount;
  }

  /** Memory held. */
  get bytes(): number {
    return (
      this.#texts.bytes +
      this.#shapes.bytes +
      this.#series.bytes +
      this.#postings.bytes +
      this.#successors.bytes
    );
  }

  /** The number of a text, given one when it has none. */
  symbol(text: string): number {
    return this.#texts.idOf(text);
  }

  /** The number of a text, or −1. */
  symbolOf(text: string): number {
    return this.#texts.find(text);
  }

  /** The number of a text in UTF-8, given one when it has none. */
  symbolOfUtf8(data: Uint8Array, start: number, end: number): number {
    return this.#texts.idOfBytes(data, start, end);
  }

  /** Whether `data[start, end)` is the text. */
  isText(symbol: number, data: Uint8Array, start: number, end: number): boolean {
    return this.#texts.isText(symbol, data, start, end);
  }

  text(symbol: number): string {
    return this.#texts.text(symbol);
  }

  /** The series' number; created when new. */
  series(measurement: string, tags: Labels): SeriesRef {
    // Writers send their series in the same order again and again.
    const expected = this.#lastRef < 0 ? NONE : this.#successors.at(this.#lastRef);
    if (expected !== NONE && this.#isSeries(expected, measurement, tags)) {
      this.#lastRef = expected;
      return expected;
    }
    const { size } = tags;
    this.#reserve(size);
    this.#shape[0] = this.#texts.idOf(measurement);
    for (let i = 0; i < size; i++) {
      this.#shape[i + 1] = this.#texts.idOf(tags.nameAt(i));
      this.#words[i + 1] = this.#texts.idOf(tags.valueAt(i));
    }
    this.#words[0] = this.#shapeOf(size);
    const ref = this.#ref(size);
    if (this.#lastRef >= 0) this.#successors.set(this.#lastRef, ref);
    this.#lastRef = ref;
    return ref;
  }

  #isSeries(ref: SeriesRef, measurement: string, tags: Labels): boolean {
    const texts = this.#texts;
    const shape = this.shapeOf(ref);
    const { size } = tags;
    if (this.#shapes.sizeOf(shape) !== size + 1) return false;
    const values = this.#series.itemsOf(ref);
    const valueAt = this.#series.startOf(ref);
    const names = this.#shapes.itemsOf(shape);
    const nameAt = this.#shapes.startOf(shape);
    for (let i = size; i > 0; i--) {
      if (!texts.isString(values[valueAt + i]!, tags.valueAt(i - 1))) return false;
      if (!texts.isString(names[nameAt + i]!, tags.nameAt(i - 1))) return false;
    }
    return texts.isString(names[nameAt]!, measurement);
  }

  /** As {@link series}, of symbols: measurement, name, value, name, value …; `pairs` is the number of tags. */
  seriesOfSymbols(symbols: Uint32Array, pairs: number): SeriesRef {
    this.#reserve(pairs);
    this.#shape[0] = symbols[0]!;
    for (let i = 0; i < pairs; i++) {
      this.#shape[i + 1] = symbols[i * 2 + 1]!;
      this.#words[i + 1] = symbols[i * 2 + 2]!;
    }
    this.#words[0] = this.#shapeOf(pairs);
    return this.#ref(pairs);
  }

  #reserve(tags: number): void {
    if (tags < this.#words.length) return;
    this.#shape = new Uint32Array(tags * 2);
    this.#words = new Uint32Array(tags * 2);
  }

  #shapeOf(tags: number): number {
    const shape = this.#shapes.rowOf(this.#shape, tags + 1, this.#shapeCount);
    if (shape < this.#shapeCount) return shape;
    this.#shapeCount++;
    const measurement = this.#shape[0]!;
    const shapes = this.#shapesOf.get(measurement);
    if (shapes === undefined) this.#shapesOf.set(measurement, [shape]);
    else shapes.push(shape);
    return shape;
  }

  #ref(tags: number): SeriesRef {
    const ref = this.#series.rowOf(this.#words, tags + 1, this.#seriesCount);
    if (ref < this.#seriesCount) return ref;
    this.#seriesCount++;
    this.#successors.push(NONE);
    this.#postings.add(ref, this.#pairsOf(ref), 0, tags * 2 + 2);
    return ref;
  }

  shapeOf(series: SeriesRef): number {
    return this.#series.itemOf(series, 0);
  }

  /** Symbol of the series' measurement. */
  measurementOf(series: SeriesRef): number {
    return this.#shapes.itemOf(this.shapeOf(series), 0);
  }

  tagsOf(series: SeriesRef): Labels {
    const words = this.#series.keyOf(series);
    const shape = this.#shapes.keyOf(words[0]!);
    const flat: string[] = [];
    for (let i = 1; i < words.length; i++) {
      flat.push(this.#texts.text(shape[i]!), this.#texts.text(words[i]!));
    }
    return Labels.fromSortedFlat(flat);
  }

  /** Symbols of the measurement and of its tags' names and values in turn, lent until the next call. */
  symbolsOf(series: SeriesRef): Uint32Array {
    return this.#pairsOf(series).subarray(1, this.#series.sizeOf(series) * 2);
  }

  /** What the postings hold of the series: {@link MEASUREMENT}, its symbol, name, value, name, value … */
  #pairsOf(series: SeriesRef): Uint32Array {
    const size = this.#series.sizeOf(series);
    const values = this.#series.itemsOf(series);
    const valueAt = this.#series.startOf(series);
    const shape = values[valueAt]!;
    const names = this.#shapes.itemsOf(shape);
    const nameAt = this.#shapes.startOf(shape);
    if (this.#flat.length < size * 2) this.#flat = new Uint32Array(size * 4);
    const flat = this.#flat;
    flat[0] = MEASUREMENT;
    flat[1] = names[nameAt]!;
    for (let i = 1; i < size; i++) {
      flat[i * 2] = names[nameAt + i]!;
      flat[i * 2 + 1] = values[valueAt + i]!;
    }
    return flat;
  }

  /** Symbols of measurements with their shapes. */
  measurements(): IterableIterator<[measurement: number, shapes: readonly number[]]> {
    return this.#shapesOf.entries();
  }

  shapesOf(measurement: string): readonly number[] {
    return this.#shapesOf.get(this.#texts.find(measurement)) ?? [];
  }

  /** Names of the tags that series of the shape have. */
  tagNames(shape: number): string[] {
    return Array.from(this.#shapes.keyOf(shape).subarray(1), (name) => this.#texts.text(name));
  }

  /** Values, not empty, that the series have in the tag. */
  valuesOf(series: Uint32Array, tag: string): string[] {
    return this.#index.valuesOf(series, tag);
  }

  /** Symbol of the value that the series has in the tag, 0 when it has none. */
  #valueOf(series: SeriesRef, name: number): number {
    const values = this.#series.itemsOf(series);
    const valueAt = this.#series.startOf(series);
    const shape = values[valueAt]!;
    const names = this.#shapes.itemsOf(shape);
    const nameAt = this.#shapes.startOf(shape);
    for (let i = this.#shapes.sizeOf(shape) - 1; i > 0; i--) {
      if (names[nameAt + i] === name) return values[valueAt + i]!;
    }
    return 0;
  }

  /** Series of the measurement that fulfil all conditions, ascending. */
  select(measurement: string, conditions: readonly TagCondition[]): Uint32Array {
    const symbol = this.#texts.find(measurement);
    if (symbol < 0) return new Uint32Array(0);
    const within = this.#postings.get(MEASUREMENT, symbol);
    return selectPostings(this.#index, conditions.map(labelConditionOf), within);
  }
}

function labelConditionOf({ tag, equals, matches }: TagCondition): LabelCondition {
  const isNamed = equals !== null && equals !== '';
  return {
    name: tag,
    matches,
    matchesEmpty: isNamed ? false : matches(''),
    deciding: isNamed ? [equals] : null,
  };
}
