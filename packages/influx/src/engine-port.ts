import type { Labels } from '@pollux/model';
import type { Queryable } from '@pollux/storage';

/**
 * What this room asks of the engine below it; `roles` binds `ShardStore` of the shards room, whose types these are equal to.
 */
export type FieldKind = 'float' | 'integer' | 'boolean' | 'string' | 'unsigned';

export type SeriesKey = {
  readonly measurement: string;
  readonly tags: Labels;
  /** Whose copy is written; empty for ordinary writers. */
  readonly replica: string;
};

/**
 * A batch of writes as columns: row i is one value of field `fields[fieldOf[i]]` of series `series[seriesOf[i]]`, at whole
 * milliseconds plus `nanos` (0..999,999). Cells are 64 bits: a float's, an int64's or uint64's (BigInt64Array or BigUint64Array
 * over the same buffer), 0 or 1 for a boolean, an index into `texts` for a string. Rows of one point stand together and share their `pointOf`.
 */
export type PointColumns = {
  readonly count: number;
  readonly series: readonly SeriesKey[];
  readonly fields: readonly { readonly name: string; readonly kind: FieldKind }[];
  readonly seriesOf: Uint32Array;
  readonly fieldOf: Uint32Array;
  readonly timesMs: Float64Array;
  readonly nanos: Int32Array | null;
  readonly cells: Float64Array;
  readonly texts: readonly string[];
  readonly pointOf: Uint32Array | null;
};

export type WriteTarget = {
  readonly database: string;
  readonly retentionPolicy: string;
  readonly groupDurationMs: number;
  readonly oldestMs: number | null;
};

export type WriteOutcome = {
  readonly conflictPoints: number;
  readonly firstConflict: {
    readonly measurement: string;
    readonly field: string;
    readonly given: FieldKind;
    readonly existing: FieldKind;
  } | null;
  readonly expiredPoints: number;
};

/**
 * Samples of Prometheus: sample j, `values[j]` by its bits at `timestampsMs[j]` (whole ms), belongs to series `sampleSeries[j]`. Arrays
 * may be longer than their count.
 */
export type SampleColumns = {
  /** Per series a number above 0 that equal label bytes have again. */
  readonly numbers: Uint32Array;
  /** Numbers given under another object mean other series. */
  readonly numbering: object;
  /** Label texts in UTF-8. */
  readonly labelData: Uint8Array;
  /**
   * Labels in `labelData`: name and value of label i begin at `spans[4i]` and `spans[4i+2]`, and end in front of the numbers that
   * follow these; names ascend strictly, one is `__name__`, nothing is empty. Returns their number; −1 for other sets.
   */
  spansOf(series: number, spans: Uint32Array): number;
  /** The labels in any form: later duplicates win, empty values are left out. */
  labelsOf(series: number): Labels;
  readonly sampleCount: number;
  readonly sampleSeries: Uint32Array;
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
};

/**
 * How labels become series: measurement = metric name, tags = all labels but the replica's, float field `value`. Always the same
 * object.
 */
export type SampleRules = {
  readonly replicaLabels: readonly string[];
  /** Series with a tag of this name are refused. */
  readonly reservedTag: string;
};

export type SampleOutcome = WriteOutcome & {
  /** Samples of series with the reserved tag, and of times that no shard group can have. */
  readonly refusedSamples: number;
  /** Of the first sample of a series with the reserved tag; null when there is none. */
  readonly reservedMeasurement: string | null;
};

/** Samples that wait to be stored. */
export type PlacedSamples = {
  /** Resolves when synced and visible. Once. */
  commit(): Promise<SampleOutcome>;
};

/** A field's values, times ascending strictly; cells as in {@link PointColumns}. */
export type ColumnData = {
  readonly kind: FieldKind;
  readonly count: number;
  readonly timesMs: Float64Array;
  readonly nanos: Int32Array | null;
  readonly cells: Float64Array;
  readonly texts: readonly string[] | null;
};

/** Both ends included. */
export type NanoRange = {
  readonly minMs: number;
  readonly minNanos: number;
  readonly maxMs: number;
  readonly maxNanos: number;
};

export type ViewSeries = {
  readonly measurement: string;
  readonly tags: Labels;
  readonly members: readonly { readonly group: number; readonly series: number }[];
};

/** What a series must fulfil in one tag; an absent tag counts as an empty value. */
export type TagCondition = {
  readonly tag: string;
  /** The only value that passes; null when there may be others. */
  readonly equals: string | null;
  readonly matches: (value: string) => boolean;
};

/** What a retention policy holds in a range, held still until `release`. */
export interface View {
  readonly groupCount: number;
  measurements(): string[];
  hasMeasurement(name: string): boolean;
  /** Names of the tags that series of a measurement have, sorted. */
  tagNames(measurement: string): string[];
  /** Values of a tag that series of a measurement have, sorted. */
  tagValues(measurement: string, tag: string): string[];
  fields(measurement: string): { readonly name: string; readonly kind: FieldKind }[];
  /** Sorted by tags. Conditions are answered from an index; `matches` is asked for each series that fulfils them. */
  series(
    measurement: string,
    matches?: (tags: Labels) => boolean,
    conditions?: readonly TagCondition[],
  ): ViewSeries[];
  fieldsOf(series: ViewSeries): { readonly name: string; readonly kind: FieldKind }[];
  /** One column per replica; whole numbers are converted when floats are asked for, other types are left out. */
  read(
    series: ViewSeries,
    field: string,
    kind: FieldKind,
  ): { readonly replica: string; readonly data: ColumnData }[];
  release(): void;
}

export type GroupIdentity = {
  readonly id: number;
  readonly database: string;
  readonly retentionPolicy: string;
  readonly startMs: number;
  readonly endMs: number;
};

export interface StoreEngine {
  /** Resolves when synced and visible. */
  write(target: WriteTarget, batch: PointColumns): Promise<WriteOutcome>;
  /**
   * Finds out where samples go; they are lent until this resolves, and nothing is stored before `commit`. `writeTarget` is asked when
   * there is a sample that may be stored.
   */
  placeSamples(
    writeTarget: () => WriteTarget,
    samples: SampleColumns,
    rules: SampleRules,
  ): Promise<PlacedSamples>;
  /** Opens what a view will need without holding the thread. */
  prepare(database: string, retentionPolicy: string, range: NanoRange): Promise<void>;
  view(database: string, retentionPolicy: string, range: NanoRange): View;
  groups(): GroupIdentity[];
  deleteRows(
    database: string,
    matches: (measurement: string, tags: Labels) => boolean,
    range: NanoRange,
  ): Promise<void>;
  dropDatabase(database: string): Promise<void>;
  dropRetentionPolicy(database: string, retentionPolicy: string): Promise<void>;
  dropGroup(id: number): Promise<void>;
  expire(database: string, retentionPolicy: string, beforeMs: number): Promise<number>;
}

/** Prometheus' view of one retention policy. */
export type OpenQueryable = (options: {
  readonly database: string;
  readonly retentionPolicy: string;
  readonly replicaLabels: readonly string[];
}) => Queryable;

export const ALL_TIME: NanoRange = {
  minMs: -9_223_372_036_855,
  minNanos: 0,
  maxMs: 9_223_372_036_854,
  maxNanos: 999_999,
};
