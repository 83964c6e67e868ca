import type { StopSignal } from '@pollux/base';
import type { Exemplar, FloatHistogram, Labels, Matcher } from '@pollux/model';
import type { BucketColumns, SampleNeed } from './buckets.ts';
import type { MemoryBudget } from './memory-budget.ts';

/** A range of time, both ends included, whole milliseconds. */
export type TimeRange = { readonly minMs: number; readonly maxMs: number };

/**
 * What the caller is going to do with the series, so that an engine can leave work out. An engine may ignore all of it:
 * the answer must be right without. `func` is the innermost PromQL function or aggregation around the selector, or
 * `series` when only label sets are wanted.
 */
export type SelectHints = {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  /** Of the range selector, 0 for instant selectors. */
  readonly rangeMs: number;
  readonly func: string;
  readonly grouping: readonly string[];
  readonly by: boolean;
  /** At most this many series are of interest; 0 = all. */
  readonly limit: number;
  /** Other labels need not be told, though series come in the order of all of them. */
  readonly labels?: LabelProjection | null;
};

/** Labels by their names: these alone, or all but these. */
export type LabelProjection = { readonly names: readonly string[]; readonly isExclusion: boolean };

export const NO_HINTS: SelectHints = {
  startMs: 0,
  endMs: 0,
  stepMs: 0,
  rangeMs: 0,
  func: '',
  grouping: [],
  by: false,
  limit: 0,
};

/** What travels with every read: when to give up, and how much memory it may hold. */
export type ReadContext = {
  readonly signal: StopSignal;
  readonly budget: MemoryBudget;
};

/**
 * One series as columns. Arrays may be longer than `count`; what lies behind is undefined. The receiver owns them, or with
 * `isLent` until it asks for the next batch.
 * `timestampsMs` ascend strictly. `values` carries NaN payloads by bits; where `histograms[i]` is not null, the sample is
 * that histogram and `values[i]` means nothing. Stale markers are included.
 */
export type SeriesColumns = {
  readonly labels: Labels;
  readonly count: number;
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
  readonly startTimestampsMs: Float64Array | null;
  /** Which replica's copy this is; empty where the engine keeps no replicas. */
  readonly replica: string;
  /** Only in answers to a request whose `need` are windows: the samples are then the last ones of these buckets. */
  readonly buckets?: BucketColumns;
};

/** A pull of series in batches: asynchronous between batches, plain arrays inside one. */
export interface SeriesSource {
  /**
   * The next batch, or null at the end. Series are sorted by labels over all batches when `sorted` was asked for.
   * Rejects with CanceledError or LimitError (budget).
   */
  next(): Promise<readonly SeriesColumns[] | null>;
  /** What the user should know about the answer; complete once `next` gave null. */
  readonly warnings: readonly Annotation[];
  close(): void;
}

export type Annotation = { readonly kind: 'warning' | 'info'; readonly text: string };

export type SelectRequest = {
  readonly range: TimeRange;
  /** Never empty; at least one does not match the empty string, unless the caller checked otherwise. */
  readonly matchers: readonly Matcher[];
  readonly hints: SelectHints;
  readonly sorted: boolean;
  /**
   * Not a hint: with it an engine that holds only buckets of a part of the range fails, or answers with them where they are
   * as good. Without it the samples that are there are given. Who merges answers leaves it out.
   */
  readonly need?: SampleNeed;
  /**
   * The caller is done with the columns of a batch when it asks for the next, so that an engine may use their memory again.
   * Who merges answers leaves it out.
   */
  readonly isLent?: boolean;
  /**
   * Of the floats of a series only the newest in the range is looked at, so that an engine may leave out the others. Who merges
   * answers, or chooses among them, leaves it out.
   */
  readonly isNewestOnly?: boolean;
  /**
   * Only samples in these windows are looked at, so that an engine may leave out others. Who merges answers, or chooses among
   * them, leaves it out.
   */
  readonly windows?: SampleWindows | null;
};

/** (end − widthMs, end] for end = firstEndMs, firstEndMs + stepMs …, which leave time between them: widthMs < stepMs. */
export type SampleWindows = {
  readonly firstEndMs: number;
  readonly stepMs: number;
  readonly widthMs: number;
};

/** The request for who merges the answer with others, which must be of samples. */
export function withoutNeed({ range, matchers, hints, sorted }: SelectRequest): SelectRequest {
  return { range, matchers, hints, sorted };
}

/**
 * Series whose samples are as the engine stores them, for its own reader in another thread: decoding costs that thread the
 * time, and what crosses is smaller.
 */
export type RawBatch = {
  readonly labels: readonly Labels[];
  /** Of what structured cloning takes, or shares. */
  readonly samples: unknown;
  /** The samples were read, so that the engine may use their memory again; once, if at all. */
  giveBack(): void;
};

/** As a SeriesSource, of series that may turn out to have no sample. */
export interface RawSource {
  next(): Promise<RawBatch | null>;
  /** Complete once `next` gave null. */
  readonly warnings: readonly Annotation[];
  close(): void;
}

/** Takes series one after the other: their chunks, and what follows these, ascending in time. */
export interface ChunkSink {
  begin(labels: Labels): void;
  /** `encoding` is Prometheus'; the bytes are lent for the call, and `times` are those of the oldest and the newest sample. */
  chunk(encoding: number, bytes: Uint8Array, times: TimeRange): void;
  /** What is not stored in chunks that may be passed on as they are. */
  samples(columns: SeriesColumns): void;
  end(): void;
}

/** As a SeriesSource; chunks come whole, so samples may lie outside the range. */
export interface ChunkSource {
  /** Gives some series, in the order of their labels, which may be none; false when these were the last. */
  next(sink: ChunkSink): Promise<boolean>;
  /** Complete once `next` gave false. */
  readonly warnings: readonly Annotation[];
  close(): void;
}

export type NamesAnswer = {
  /** Sorted bytewise, unique. */
  readonly values: readonly string[];
  readonly warnings: readonly Annotation[];
};

export type SelectSize = {
  /** No fewer than there are. */
  readonly series: number;
  /** About as many as are decoded; one histogram counts as many. */
  readonly samples: number;
};

/** Anything that answers from series: a head, blocks, a remote store, several merged. Safe for concurrent callers. */
export interface Queryable {
  select(request: SelectRequest, context: ReadContext): SeriesSource;
  /** As {@link select}, undecoded; null when this request cannot be answered so. */
  selectRaw?(request: SelectRequest, context: ReadContext): RawSource | null;
  /** As {@link select}, for who hands chunks on; null when this request cannot be answered so. */
  selectChunks?(request: SelectRequest, context: ReadContext): ChunkSource | null;
  /** How much {@link select} would read, found with little work; null when that is not known, or is more than `mostSamples`. */
  sizeAtMost?(
    range: TimeRange,
    matchers: readonly Matcher[],
    mostSamples: number,
  ): SelectSize | null;
  /**
   * About how many series {@link select} would give, known at once, to tell heavy queries from light ones; 0 also where it is not
   * known, and where the answer may depend on how a range is cut into several requests.
   */
  likelySeries?(range: TimeRange, matchers: readonly Matcher[]): number;
  /** `limit` 0 = all. An empty matcher list means every series. */
  labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer>;
  labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer>;
}

export type ExemplarSeries = { readonly labels: Labels; readonly exemplars: readonly Exemplar[] };

export interface ExemplarQueryable {
  selectExemplars(
    range: TimeRange,
    matcherSets: readonly (readonly Matcher[])[],
    context: ReadContext,
  ): Promise<readonly ExemplarSeries[]>;
}
