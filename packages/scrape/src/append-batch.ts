import { assert } from '@pollux/base';
import {
  type FloatHistogram,
  type Labels,
  setNormalNanAt,
  setStaleAt,
  wordsOf,
} from '@pollux/model';
import { APPEND_OUTCOME, type Appender } from '@pollux/storage';

/** Where a batch finds and keeps the refs of its series. */
export interface RefTable {
  ref(series: number): number;
  setRef(series: number, ref: number): void;
  /** Null only for a series that is never appended. */
  labels(series: number): Labels | null;
}

export type AppendCounts = {
  duplicates: number;
  outOfOrder: number;
  outOfBounds: number;
  /** Of series that a limit of the engine refused. */
  limited: number;
};

/** A series that counts from a time on: it was zero then. */
type BatchStart = {
  readonly series: number;
  readonly startMs: number;
  /** Null for a series of floats. */
  readonly histogram: FloatHistogram | null;
};

type BatchHistogram = {
  readonly series: number;
  readonly timestampMs: number;
  readonly histogram: FloatHistogram;
};

/**
 * All samples of one scrape as columns, appended in one call. `series` numbers are the loop's own; which engine ref each has
 * is looked up, and asked again when the engine no longer knows it. Used again for every scrape.
 */
export class AppendBatch {
  count = 0;
  /** Stale markers lie together: `[from, to)`. */
  #stale = { from: 0, to: 0 };
  #series = new Int32Array(0);
  #refs = new Uint32Array(0);
  #timestamps = new Float64Array(0);
  #values = new Float64Array(0);
  #words: Uint32Array = new Uint32Array(0);
  #outcomes = new Uint8Array(0);
  #histograms: BatchHistogram[] = [];
  #starts: BatchStart[] = [];

  clear(): void {
    this.count = 0;
    this.#histograms = [];
    this.#starts = [];
    this.#stale = { from: 0, to: 0 };
  }

  /** Takes the value by its bits: words 2·index and 2·index + 1. */
  addBits(series: number, timestampMs: number, words: Uint32Array, index: number): void {
    const at = this.#add(series, timestampMs);
    this.#words[at * 2] = words[index * 2]!;
    this.#words[at * 2 + 1] = words[index * 2 + 1]!;
  }

  addValue(series: number, timestampMs: number, value: number): void {
    const at = this.#add(series, timestampMs);
    if (Number.isNaN(value)) setNormalNanAt(this.#words, at);
    else this.#values[at] = value;
  }

  addHistogram(series: number, timestampMs: number, histogram: FloatHistogram): void {
    this.#histograms.push({ series, timestampMs, histogram });
  }

  /** A zero at `startMs`, before the sample that the batch has of the series; left out where the engine has newer ones. */
  addStart(series: number, startMs: number, histogram: FloatHistogram | null): void {
    this.#starts.push({ series, startMs, histogram });
  }

  /** All stale markers of a batch are added in a row. */
  addStale(series: number, timestampMs: number): void {
    const at = this.#add(series, timestampMs);
    setStaleAt(this.#words, at);
    const { from, to } = this.#stale;
    assert(from === to || to === at, 'stale markers lie together');
    this.#stale = { from: from === to ? at : from, to: at + 1 };
  }

  /** Stages everything with `appender`. Throws what the appender throws; the caller then rolls back. */
  stage(appender: Appender, table: RefTable): AppendCounts {
    const { count } = this;
    // The loop's own series (`up` …) stand last and are asked for first: a target that brings more new series than the
    // engine takes must not crowd out what tells of it.
    let own = count;
    while (own > 0 && this.#series[own - 1]! < 0) own--;
    for (let i = own; i < count; i++) this.#refs[i] = refOf(this.#series[i]!, appender, table);
    for (let i = 0; i < own; i++) this.#refs[i] = refOf(this.#series[i]!, appender, table);
    if (this.#starts.length > 0) stageStarts(this.#starts, appender, table);
    this.#append(appender, count);
    const counts: AppendCounts = { duplicates: 0, outOfOrder: 0, outOfBounds: 0, limited: 0 };
    const unknown = this.#tally(count, counts);
    if (unknown.length > 0) this.#retry(unknown, appender, table, counts);
    for (const histogram of this.#histograms) stageHistogram(histogram, appender, table, counts);
    return counts;
  }

  /** Appends once more what the engine had forgotten, under refs asked anew. */
  #retry(
    unknown: readonly number[],
    appender: Appender,
    table: RefTable,
    counts: AppendCounts,
  ): void {
    for (const [to, from] of unknown.entries()) {
      const series = this.#series[from]!;
      table.setRef(series, 0);
      this.#series[to] = series;
      this.#refs[to] = refOf(series, appender, table);
      this.#timestamps[to] = this.#timestamps[from]!;
      this.#words[to * 2] = this.#words[from * 2]!;
      this.#words[to * 2 + 1] = this.#words[from * 2 + 1]!;
    }
    const { from, to } = this.#stale;
    this.#stale = {
      from: unknown.filter((at) => at < from).length,
      to: unknown.filter((at) => at < to).length,
    };
    this.#append(appender, unknown.length);
    this.#tally(unknown.length, counts);
  }

  #append(appender: Appender, count: number): void {
    const { from, to } = this.#stale;
    if (from === to) {
      this.#appendPart(appender, 0, count);
      return;
    }
    this.#appendPart(appender, 0, from);
    // A marker says that a series has ended; where it already goes on, as with a target that came back, it must not fill in.
    appender.refusesOutOfOrder = true;
    this.#appendPart(appender, from, to);
    appender.refusesOutOfOrder = false;
    this.#appendPart(appender, to, count);
  }

  #appendPart(appender: Appender, start: number, end: number): void {
    if (start === end) return;
    appender.appendFloats(
      this.#refs.subarray(start, end),
      this.#timestamps.subarray(start, end),
      this.#values.subarray(start, end),
      null,
      end - start,
      this.#outcomes.subarray(start, end),
    );
  }

  /** Counts the refusals of the last append, without stale markers; gives the positions whose ref was unknown. */
  #tally(count: number, counts: AppendCounts): number[] {
    const unknown: number[] = [];
    const { from, to } = this.#stale;
    for (let i = 0; i < count; i++) {
      if (i >= from && i < to && this.#outcomes[i] !== APPEND_OUTCOME.unknownRef) continue;
      if (this.#outcomes[i] === APPEND_OUTCOME.unknownRef) unknown.push(i);
      else countOutcome(this.#outcomes[i]!, counts);
    }
    return unknown;
  }

  #add(series: number, timestampMs: number): number {
    const at = this.count;
    if (at === this.#refs.length) this.#grow();
    this.#series[at] = series;
    this.#timestamps[at] = timestampMs;
    this.count = at + 1;
    return at;
  }

  #grow(): void {
    const capacity = Math.max(64, this.#refs.length * 2);
    const series = new Int32Array(capacity);
    const timestamps = new Float64Array(capacity);
    const values = new Float64Array(capacity);
    const words = wordsOf(values);
    series.set(this.#series);
    timestamps.set(this.#timestamps);
    words.set(this.#words);
    this.#series = series;
    this.#refs = new Uint32Array(capacity);
    this.#timestamps = timestamps;
    this.#values = values;
    this.#words = words;
    this.#outcomes = new Uint8Array(capacity);
  }
}

/** Histograms go one by one: they have no columns, and targets have few beside their floats. */
function stageHistogram(
  { series, timestampMs, histogram }: BatchHistogram,
  appender: Appender,
  table: RefTable,
  counts: AppendCounts,
): void {
  const stage = (): number => {
    const ref = refOf(series, appender, table);
    // 0 is no ref: a limit on series refused it.
    if (ref === 0) return APPEND_OUTCOME.seriesLimit;
    return appender.appendHistogram(ref, timestampMs, histogram, 0);
  };
  let outcome = stage();
  if (outcome === APPEND_OUTCOME.unknownRef) {
    table.setRef(series, 0);
    outcome = stage();
  }
  countOutcome(outcome, counts);
}

/**
 * What becomes of them is not counted: a series that has gone on under the eyes of this or another process has samples behind
 * its start, and that is the usual case.
 */
function stageStarts(starts: readonly BatchStart[], appender: Appender, table: RefTable): void {
  const count = starts.length;
  const refs = new Uint32Array(count);
  const timestamps = new Float64Array(count);
  let floats = 0;
  appender.refusesOutOfOrder = true;
  for (const { series, startMs, histogram } of starts) {
    const ref = refOf(series, appender, table);
    if (ref === 0) continue;
    if (histogram === null) {
      refs[floats] = ref;
      timestamps[floats++] = startMs;
    } else appender.appendHistogram(ref, startMs, zeroOf(histogram), 0);
  }
  const outcomes = new Uint8Array(floats);
  appender.appendFloats(refs, timestamps, new Float64Array(count), null, floats, outcomes);
  appender.refusesOutOfOrder = false;
}

/** No observations, in the layout of the histogram that follows, so that both fit one chunk. */
function zeroOf(histogram: FloatHistogram): FloatHistogram {
  return {
    ...histogram,
    counterResetHint: 'reset',
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: new Float64Array(0),
    negativeBuckets: new Float64Array(0),
  };
}

function countOutcome(outcome: number, counts: AppendCounts): void {
  switch (outcome) {
    case APPEND_OUTCOME.ok:
      break;
    case APPEND_OUTCOME.duplicate:
      counts.duplicates++;
      break;
    case APPEND_OUTCOME.outOfOrder:
    case APPEND_OUTCOME.tooOld:
      counts.outOfOrder++;
      break;
    case APPEND_OUTCOME.seriesLimit:
      counts.limited++;
      break;
    default:
      counts.outOfBounds++;
  }
}

function refOf(series: number, appender: Appender, table: RefTable): number {
  const known = table.ref(series);
  if (known !== 0) return known;
  const labels = table.labels(series);
  if (labels === null) return 0;
  const ref = appender.series(labels);
  table.setRef(series, ref);
  return ref;
}
