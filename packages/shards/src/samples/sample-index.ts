import { NumberMap } from '@pollux/index';
import { type Labels, METRIC_NAME } from '@pollux/model';
import {
  replicaOfValues,
  type SampleColumns,
  type SampleRules,
  splitReplicaLabels,
} from '@pollux/storage';
import type { Catalogue, ColumnClass, ColumnRef } from '../catalogue.ts';
import { measurementOf, VALUE_FIELD } from '../engine/prometheus-mapping.ts';

/** In place of a column: the series was not met in this group. */
export const UNMET = -2;
/** In place of a column: the series has the reserved tag. */
export const RESERVED = -1;

/** Series with more labels are read as sets of strings. */
export const MAX_SPANNED_LABELS = 128;
const NONE = 0xffffffff;

/**
 * Which column of one shard group the float `value` of a series has, by the number that the wire's labels have. A series that is
 * met for the first time is found by the bytes of its labels; strings are made only of texts that the group does not know.
 */
export class SampleIndex {
  readonly #catalogue: Catalogue;
  /** Column − {@link UNMET} by number. */
  readonly #columns = new NumberMap();
  #numbering: object | null = null;
  #rules: SampleRules | null = null;
  /** Symbols of the rules' labels. */
  #replicaNames: number[] = [];
  #reservedTag = 0;
  #metricName = 0;
  /** The class of the columns of a replica, that of the last series. */
  #replica = NONE;
  #class: ColumnClass = 0;
  readonly #spans = new Uint32Array(MAX_SPANNED_LABELS * 4);
  /** Symbols of the texts at each place of the labels that were read last: series that come together share many. */
  readonly #atPlace = new Uint32Array(MAX_SPANNED_LABELS * 2);
  /** Measurement, name, value, name, value … */
  readonly #series = new Uint32Array(MAX_SPANNED_LABELS * 2 + 1);
  readonly #replicaValues: number[] = [];

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /** Forgets numbers that were given otherwise. Before {@link find} and {@link meet} of a batch. */
  prepare(numbering: object, rules: SampleRules): void {
    if (this.#numbering === numbering && this.#rules === rules) return;
    this.#columns.clear();
    this.#numbering = numbering;
    this.#rules = rules;
    const { names } = this.#catalogue;
    this.#replicaNames = rules.replicaLabels.map((name) => names.symbol(name));
    this.#reservedTag = names.symbol(rules.reservedTag);
    this.#metricName = names.symbol(METRIC_NAME);
  }

  /** The column of the series with this number, {@link RESERVED} or {@link UNMET}. */
  find(number: number): ColumnRef {
    return this.#columns.get(number) + UNMET;
  }

  /** The column of a series, created when new, or {@link RESERVED}. */
  meet(samples: SampleColumns, series: number): ColumnRef {
    // Who takes the metric's name for a replica has no measurement in the labels.
    const canSpan = !this.#replicaNames.includes(this.#metricName);
    const count = canSpan ? samples.spansOf(series, this.#spans) : -1;
    const column =
      count > 0
        ? this.#ofSpans(samples.labelData, count)
        : this.#ofLabels(samples.labelsOf(series));
    this.#columns.set(samples.numbers[series]!, column - UNMET);
    return column;
  }

  #ofSpans(data: Uint8Array, count: number): ColumnRef {
    const series = this.#series;
    let size = 1;
    let isReserved = false;
    this.#replicaValues.length = 0;
    for (let i = 0; i < count; i++) {
      const name = this.#symbolAt(i * 2, data);
      const value = this.#symbolAt(i * 2 + 1, data);
      const replica = this.#replicaNames.indexOf(name);
      if (replica >= 0) {
        this.#replicaValues[replica] = value;
        continue;
      }
      if (name === this.#reservedTag) isReserved = true;
      else if (name === this.#metricName) series[0] = value;
      series[size++] = name;
      series[size++] = value;
    }
    if (isReserved) return RESERVED;
    const ref = this.#catalogue.seriesOfSymbols(series, (size - 1) / 2);
    return this.#catalogue.column(ref, this.#classOf(this.#replicaSymbol()));
  }

  #symbolAt(place: number, data: Uint8Array): number {
    const { names } = this.#catalogue;
    const start = this.#spans[place * 2]!;
    const end = this.#spans[place * 2 + 1]!;
    const last = this.#atPlace[place]!;
    if (names.isText(last, data, start, end)) return last;
    const symbol = names.symbolOfUtf8(data, start, end);
    this.#atPlace[place] = symbol;
    return symbol;
  }

  /** Of the values that {@link #ofSpans} has met; the empty text is number 0. */
  #replicaSymbol(): number {
    const { names } = this.#catalogue;
    if (this.#replicaValues.length === 0) return 0;
    if (this.#replicaNames.length === 1) return this.#replicaValues[0]!;
    const values = this.#replicaNames.map((_, i) => names.text(this.#replicaValues[i] ?? 0));
    return names.symbol(replicaOfValues(values));
  }

  #ofLabels(labels: Labels): ColumnRef {
    const rules = this.#rules!;
    const split = splitReplicaLabels(labels, rules.replicaLabels);
    if (split.labels.has(rules.reservedTag)) return RESERVED;
    const series = this.#catalogue.series(measurementOf(split.labels), split.labels);
    const replica = this.#catalogue.names.symbol(split.replica);
    return this.#catalogue.column(series, this.#classOf(replica));
  }

  #classOf(replica: number): ColumnClass {
    if (replica !== this.#replica) {
      const field = this.#catalogue.names.symbol(VALUE_FIELD);
      this.#class = this.#catalogue.columnClass(field, 'float', replica);
      this.#replica = replica;
    }
    return this.#class;
  }
}
