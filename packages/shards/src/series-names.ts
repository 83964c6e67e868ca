import { PairPostings, TextTable, TupleTable, U32List } from '@pollux/base';
import { intersectPostings, mergePostings, subtractPostings } from '@pollux/kernels';
import { Labels } from '@pollux/model';

/** Number of a series inside one shard group. */
export type SeriesRef = number;

/** What a series must fulfil in one tag; an absent tag counts as an empty value. */
export type TagCondition = {
  readonly tag: string;
  /** The only value that passes; null when there may be others. */
  readonly equals: string | null;
  readonly matches: (value: string) => boolean;
};

const NONE = 0xffffffff;
/** As the name of a tag: the measurement. No tag has an empty name. */
const MEASUREMENT = 0;
/** Values are tested one by one, and their postings united, only when there are this many times more series to test. */
const SERIES_PER_VALUE = 4;

/**
 * The names of series: measurement and tags as numbers of texts. Series of a measurement mostly have the same tag names, so
 * these are kept once as a shape, and a series is its shape and its values. Postings tell the series of each tag value.
 */
export class SeriesNames {
  readonly #texts = new TextTable();
  /** Measurement, tag names. */
  readonly #shapes = new TupleTable();
  /** Shape, tag values: as long as its shape. */
  readonly #series = new TupleTable((shape) => this.#shapes.lengthOf(shape));
  readonly #postings = new PairPostings();
  readonly #shapesOf = new Map<number, number[]>();
  #shape = new Uint32Array(32);
  #words = new Uint32Array(32);
  #flat = new Uint32Array(64);
  /** Per series: the one that was asked for after it when last it was. */
  readonly #successors = new U32List();
  #lastRef = -1;

  get count(): number {
    return this.#series.count;
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

  /** The number of a text in UTF-8, given one when it has none; −1 when it is malformed. */
  symbolOfUtf8(data: Uint8Array, start: number, end: number): number {
    return this.#texts.idOfUtf8(data, start, end);
  }

  /** Whether `data[start, end)` is the text; false also for one beyond ASCII. */
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
    const shape = this.#series.word(ref, 0);
    const { size } = tags;
    if (this.#shapes.lengthOf(shape) !== size + 1) return false;
    for (let i = size; i > 0; i--) {
      if (texts.text(this.#series.word(ref, i)) !== tags.valueAt(i - 1)) return false;
      if (texts.text(this.#shapes.word(shape, i)) !== tags.nameAt(i - 1)) return false;
    }
    return texts.text(this.#shapes.word(shape, 0)) === measurement;
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
    const known = this.#shapes.count;
    const shape = this.#shapes.idOf(this.#shape, tags + 1);
    if (shape < known) return shape;
    const measurement = this.#shape[0]!;
    const shapes = this.#shapesOf.get(measurement);
    if (shapes === undefined) this.#shapesOf.set(measurement, [shape]);
    else shapes.push(shape);
    return shape;
  }

  #ref(tags: number): SeriesRef {
    const known = this.#series.count;
    const ref = this.#series.idOf(this.#words, tags + 1);
    if (ref < known) return ref;
    this.#successors.push(NONE);
    const shape = this.#shape;
    this.#postings.add(MEASUREMENT, shape[0]!, ref);
    for (let i = 1; i <= tags; i++) this.#postings.add(shape[i]!, this.#words[i]!, ref);
    return ref;
  }

  shapeOf(series: SeriesRef): number {
    return this.#series.word(series, 0);
  }

  /** Symbol of the series' measurement. */
  measurementOf(series: SeriesRef): number {
    return this.#shapes.word(this.shapeOf(series), 0);
  }

  tagsOf(series: SeriesRef): Labels {
    const words = this.#series.words(series);
    const shape = this.#shapes.words(words[0]!);
    const flat: string[] = [];
    for (let i = 1; i < words.length; i++) {
      flat.push(this.#texts.text(shape[i]!), this.#texts.text(words[i]!));
    }
    return Labels.fromSortedFlat(flat);
  }

  /** Symbols of the measurement and of its tags' names and values in turn, lent until the next call. */
  symbolsOf(series: SeriesRef): Uint32Array {
    const shape = this.shapeOf(series);
    const size = this.#shapes.lengthOf(shape);
    const count = size * 2 - 1;
    if (this.#flat.length < count) this.#flat = new Uint32Array(count * 2);
    this.#flat[0] = this.#shapes.word(shape, 0);
    for (let i = 1; i < size; i++) {
      this.#flat[i * 2 - 1] = this.#shapes.word(shape, i);
      this.#flat[i * 2] = this.#series.word(series, i);
    }
    return this.#flat.subarray(0, count);
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
    return Array.from(this.#shapes.words(shape).subarray(1), (name) => this.#texts.text(name));
  }

  /** Values, not empty, that the series have in the tag. */
  valuesOf(series: Uint32Array, tag: string): string[] {
    const name = this.#texts.find(tag);
    if (name < 0) return [];
    const values = new Set<number>();
    for (const ref of series) values.add(this.#valueOf(ref, name));
    values.delete(0);
    return Array.from(values, (value) => this.#texts.text(value));
  }

  /** Symbol of the value that the series has in the tag, 0 when it has none. */
  #valueOf(series: SeriesRef, name: number): number {
    const shape = this.shapeOf(series);
    for (let i = this.#shapes.lengthOf(shape) - 1; i > 0; i--) {
      if (this.#shapes.word(shape, i) === name) return this.#series.word(series, i);
    }
    return 0;
  }

  /** Series of the measurement that fulfil all conditions, ascending; lent until the next change. */
  select(measurement: string, conditions: readonly TagCondition[]): Uint32Array {
    const symbol = this.#texts.find(measurement);
    if (symbol < 0) return new Uint32Array(0);
    let found = this.#postings.get(MEASUREMENT, symbol);
    const rest: TagCondition[] = [];
    for (const condition of conditions) {
      if (condition.equals === null || condition.equals === '') rest.push(condition);
      else found = this.#narrow(found, condition.tag, condition.equals);
    }
    for (const condition of rest) if (found.length > 0) found = this.#filter(found, condition);
    return found;
  }

  #narrow(found: Uint32Array, tag: string, value: string): Uint32Array {
    const [name, text] = [this.#texts.find(tag), this.#texts.find(value)];
    if (name < 0 || text < 0) return new Uint32Array(0);
    const list = this.#postings.get(name, text);
    const both = new Uint32Array(Math.min(found.length, list.length));
    return both.subarray(0, intersectPostings(found, list, both));
  }

  #filter(found: Uint32Array, condition: TagCondition): Uint32Array {
    const name = this.#texts.find(condition.tag);
    const passesAbsent = condition.matches('');
    if (name < 0) return passesAbsent ? found : new Uint32Array(0);
    if (this.#postings.valueCount(name) * SERIES_PER_VALUE > found.length) {
      return this.#testEach(found, name, condition.matches);
    }
    // Whoever has a value that decides against the absent is told by the values' postings.
    const lists: Uint32Array[] = [];
    this.#postings.forEachValue(name, (value, refs) => {
      if (condition.matches(this.#texts.text(value)) !== passesAbsent) lists.push(refs());
    });
    const deciding = mergePostings(lists);
    const target = new Uint32Array(found.length);
    const count = passesAbsent
      ? subtractPostings(found, deciding, target)
      : intersectPostings(found, deciding, target);
    return target.subarray(0, count);
  }

  #testEach(found: Uint32Array, name: number, matches: (value: string) => boolean): Uint32Array {
    const kept = new Uint32Array(found.length);
    const known = new Map<number, boolean>();
    let count = 0;
    for (const ref of found) {
      const value = this.#valueOf(ref, name);
      let passes = known.get(value);
      if (passes === undefined) {
        passes = matches(this.#texts.text(value));
        known.set(value, passes);
      }
      if (passes) kept[count++] = ref;
    }
    return kept.subarray(0, count);
  }
}
