import type { Exemplar, FloatHistogram, Labels, Metadata } from '@pollux/model';

/** A handle of a series inside one engine and process; positive, below 2^32. 0 means none. */
export type SeriesRef = number;

/** What became of each sample of a batch; the codes are stored in a Uint8Array. */
export const APPEND_OUTCOME = {
  /** Taken, or equal to the sample already there (no-op, as Prometheus). */
  ok: 0,
  /** Same timestamp, other value. */
  duplicate: 1,
  /** Older than the series' newest sample, outside the out-of-order window or with none configured. */
  outOfOrder: 2,
  /** Older than what the head can still take. */
  outOfBounds: 3,
  /** Older than the out-of-order window. */
  tooOld: 4,
  /** Too far in the future. */
  tooFarAhead: 5,
  /** The ref is not (or no longer) known: resolve the labels again with `series`. */
  unknownRef: 6,
  /** The ref is 0: a limit on series has refused the series. */
  seriesLimit: 7,
} as const;

/** Anything that takes samples: the head, a store's engine, a fan-out of several. */
export interface Appendable {
  appender(): Appender;
}

/**
 * One batch of writes, atomic for readers: nothing is visible before `commit`, all of it after. Not shared between
 * callers. Appends are synchronous and stage in memory; `commit` writes the log record first and publishes second.
 */
export interface Appender {
  /**
   * While true, a sample older than the newest of its series is refused although an out-of-order window is open: stale
   * markers and results of rules say how things stand, they do not fill in the past. Engines without such a window leave
   * it alone.
   */
  refusesOutOfOrder?: boolean;

  /**
   * The ref of the series with these labels; created when new, or 0 when a limit on series refuses it: the engine counts
   * and logs that, and the caller goes on with the others. Throws InputError on an invalid label set (empty, duplicate or
   * invalid names).
   */
  series(labels: Labels): SeriesRef;

  /**
   * As {@link series}, of `count` labels in UTF-8, for engines that need no strings: label i has its name in
   * `data[spans[4i], spans[4i+1])` and its value in `data[spans[4i+2], spans[4i+3])`. The caller has seen that names ascend
   * strictly (bytewise) and that neither names nor values are empty. Throws InputError also for what is no UTF-8. Both
   * arrays are lent until the return. Callers go through the function of this name, which knows what to do without.
   */
  seriesOfUtf8?(data: Uint8Array, spans: Uint32Array, count: number): SeriesRef;

  /**
   * Stages `count` samples: sample i belongs to `refs[i]`, at `timestampsMs[i]` (whole ms), with `values[i]` taken by its
   * bits, so stale markers and NaN payloads pass. `startTimestampsMs` (0 = unknown) may be null; an engine may forget them. Writes
   * `outcomes[i]`, an {@link APPEND_OUTCOME}; refused samples are left out, the rest go on. Returns how many were taken. All
   * arrays are lent until the return.
   */
  appendFloats(
    refs: Uint32Array,
    timestampsMs: Float64Array,
    values: Float64Array,
    startTimestampsMs: Float64Array | null,
    count: number,
    outcomes: Uint8Array,
  ): number;

  /**
   * Stages one native histogram; returns an {@link APPEND_OUTCOME}. `isInteger` ones with whole counts are stored as
   * integers; the hints `reset` and `gauge` are believed, otherwise resets are found out. Throws InputError for one that
   * contradicts itself: nothing of it is staged, the batch goes on.
   */
  appendHistogram(
    ref: SeriesRef,
    timestampMs: number,
    histogram: FloatHistogram,
    startTimestampMs: number,
  ): number;

  appendExemplar(ref: SeriesRef, exemplar: Exemplar): void;

  setMetadata(ref: SeriesRef, metadata: Metadata): void;

  /** Resolves once acknowledged: logged (and synced where the engine promises that) and visible. Once. */
  commit(): Promise<void>;

  /** Drops what was staged. Once, instead of `commit`. */
  rollback(): void;
}
