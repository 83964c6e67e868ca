import type { Labels } from '@pollux/model';
import type { FieldKind } from './field-kind.ts';

/** A series and the replica whose copy is written; `replica` is empty for ordinary writers. */
export type SeriesKey = {
  readonly measurement: string;
  readonly tags: Labels;
  readonly replica: string;
};

/**
 * A batch of writes as columns: row i is one value of field `fields[fieldOf[i]]` of series `series[seriesOf[i]]` at
 * `timesMs[i]` milliseconds plus `nanos[i]` (0..999,999) nanoseconds. A cell is 64 bits in `cells`: a float by its bits; an
 * integer by the bits of an int64 (a BigInt64Array over the same buffer), an unsigned one by those of a uint64; a boolean as 0
 * or 1; a string as index into `texts`.
 */
export type PointColumns = {
  readonly count: number;
  readonly series: readonly SeriesKey[];
  readonly fields: readonly { readonly name: string; readonly kind: FieldKind }[];
  readonly seriesOf: Uint32Array;
  readonly fieldOf: Uint32Array;
  readonly timesMs: Float64Array;
  /** Null when all times are whole milliseconds. */
  readonly nanos: Int32Array | null;
  readonly cells: Float64Array;
  readonly texts: readonly string[];
  /** Rows of one point stand together and share its number; null when each row is a point of its own. */
  readonly pointOf: Uint32Array | null;
  /**
   * Per series a number above 0 that an equal key has again, so that who has seen it need not look for its names. Numbers given
   * under another object mean other series.
   */
  readonly numbers?: { readonly numbering: object; readonly ofSeries: readonly number[] };
};

export type FieldConflict = {
  readonly measurement: string;
  readonly field: string;
  readonly given: FieldKind;
  readonly existing: FieldKind;
};

/** What became of a batch: everything but the dropped points is stored and synced. */
export type WriteOutcome = {
  /** Points refused for a field whose type is another in their shard group; refused whole. */
  readonly conflictPoints: number;
  readonly firstConflict: FieldConflict | null;
  /** Points older than the limit that the caller gave. */
  readonly expiredPoints: number;
};

/** Where a batch goes. */
export type WriteTarget = {
  readonly database: string;
  readonly retentionPolicy: string;
  /** Span of shard groups that are created for this write. */
  readonly groupDurationMs: number;
  /** Points older than this are refused; null takes all. */
  readonly oldestMs: number | null;
};
