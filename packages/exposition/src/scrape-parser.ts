import type { Exemplar, FloatHistogram, Labels, Metadata } from '@pollux/model';
import type { ExpositionFormat } from './protocol.ts';
import type { SampleColumns } from './sample-columns.ts';

export type NewSeries = { readonly id: number; readonly labels: Labels };
export type SeriesExemplar = { readonly id: number; readonly exemplar: Exemplar };

export type SeriesHistogram = {
  readonly id: number;
  readonly histogram: FloatHistogram;
  /** Milliseconds; NaN where the exposition gave none. */
  readonly timestampMs: number;
  /** Milliseconds; 0 = unknown. */
  readonly startTimestampMs: number;
};

/** How histograms of a target are taken. */
export type HistogramOptions = {
  /** Whether native histograms are read; else a target's classic parts are. */
  readonly native: boolean;
  /** Whether the classic parts of a native or converted histogram are kept, too. */
  readonly alwaysClassic: boolean;
  /** Whether classic histograms that are not native as well become native ones with custom buckets. */
  readonly toCustomBuckets: boolean;
};

/** Reads the scrapes of one target, one after the other; series have an id until `release`. */
export interface ScrapeParser {
  readonly format: ExpositionFormat;
  /** The samples of the last `parse`, and what came with them; used again by the next one. */
  readonly columns: SampleColumns;
  readonly histograms: readonly SeriesHistogram[];
  /** Series that the last `parse` met for the first time. */
  readonly newSeries: readonly NewSeries[];
  readonly exemplars: readonly SeriesExemplar[];
  readonly metadataSize: number;
  /**
   * Reads a scrape. The bytes are kept until the next call and must not change. Throws an OperatingError for one that does
   * not follow its format; then `columns.count` says how many samples stood before the fault and ids are as they were.
   */
  parse(bytes: Uint8Array): void;
  /** Forgets series that are gone; their ids may be given to others. */
  release(ids: readonly number[]): void;
  /** Type, help and unit per metric family, as the target last told them. */
  metadata(): IterableIterator<readonly [metric: string, metadata: Metadata]>;
}
