import type { FieldKind } from './field-kind.ts';

/**
 * The values of one field as columns, times ascending strictly: `timesMs[i]` plus `nanos[i]`. Cells as in PointColumns.
 * Arrays may be longer than `count`.
 */
export type ColumnData = {
  readonly kind: FieldKind;
  readonly count: number;
  readonly timesMs: Float64Array;
  readonly nanos: Int32Array | null;
  readonly cells: Float64Array;
  readonly texts: readonly string[] | null;
};

/** Both ends included, to the nanosecond. */
export type NanoRange = {
  readonly minMs: number;
  readonly minNanos: number;
  readonly maxMs: number;
  readonly maxNanos: number;
};

export const MIN_TIME_MS = -9_223_372_036_855;
export const MAX_TIME_MS = 9_223_372_036_854;
export const ALL_TIME: NanoRange = {
  minMs: MIN_TIME_MS,
  minNanos: 0,
  maxMs: MAX_TIME_MS,
  maxNanos: 999_999,
};
