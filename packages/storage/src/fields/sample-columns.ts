import type { Exemplar, FloatHistogram, Labels } from '@pollux/model';
import type { WriteOutcome } from './point-columns.ts';

/**
 * Samples of Prometheus as they come over the wire: sample j, `values[j]` by its bits at `timestampsMs[j]` (whole ms), belongs to series
 * `sampleSeries[j]`, whose labels are texts in UTF-8. Arrays may be longer than their count.
 */
export type SampleColumns = {
  /** Per series a number above 0 that equal label bytes have again, so that who has seen it needs no labels. */
  readonly numbers: Uint32Array;
  /** Numbers given under another object mean other series. */
  readonly numbering: object;
  readonly labelData: Uint8Array;
  /**
   * The labels of a series: label i has its name in `labelData[spans[4i], spans[4i+1])` and its value in
   * `labelData[spans[4i+2], spans[4i+3])`; names ascend strictly, neither names nor values are empty, one name is `__name__`, all
   * are well-formed. Returns how many there are; −1 for what is not so or does not fit, which {@link labelsOf} reads.
   */
  spansOf(series: number, spans: Uint32Array): number;
  /** The labels of a series in any form: later duplicates win, empty values are left out. */
  labelsOf(series: number): Labels;
  readonly sampleCount: number;
  readonly sampleSeries: Uint32Array;
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  /** Native histograms, beside the samples. */
  readonly histograms: readonly {
    readonly series: number;
    readonly timestampMs: number;
    readonly histogram: FloatHistogram;
  }[];
  readonly exemplars: readonly { readonly series: number; readonly exemplar: Exemplar }[];
};

/** How labels become series. Always the same object for the same store: what was learnt under another one is forgotten. */
export type SampleRules = {
  /** Labels that are split off as the replica. */
  readonly replicaLabels: readonly string[];
  /** Series with a tag of this name are refused. */
  readonly reservedTag: string;
};

/** What became of samples: those not counted here are stored and synced. A sample is a point of its own. */
export type SampleOutcome = WriteOutcome & {
  /** Samples of series with the reserved tag, and of times that no shard group can have. Exemplars do not count. */
  readonly refusedSamples: number;
  /** Of the first sample of a series with the reserved tag; null when there is none. */
  readonly reservedMeasurement: string | null;
};

/** Samples whose columns are found; nothing is stored before {@link commit}, which is called once. */
export type PlacedSamples = {
  commit(): Promise<SampleOutcome>;
};
