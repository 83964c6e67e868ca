import type { Labels, Matcher } from '@pollux/model';
import type { SeriesColumns } from '@pollux/storage';

/** A remote-write body as columns: sample j belongs to series `sampleSeries[j]`. Columns may be longer than their count. */
export type PrometheusWrite = {
  readonly seriesCount: number;
  /** Labels of a series, sorted; later duplicates win, empty values are left out. */
  labels(series: number): Labels;
  readonly sampleCount: number;
  readonly sampleSeries: Uint32Array;
  readonly timestampsMs: Float64Array;
  /** NaN payloads by bits. */
  readonly values: Float64Array;
  /** Native histograms in the body, which this store does not keep. */
  readonly histogramCount: number;
};

export type PrometheusQuery = {
  readonly startMs: number;
  readonly endMs: number;
  readonly matchers: readonly Matcher[];
};

/**
 * Prometheus' wire as this room needs it; `roles` binds the codecs of the remote room. Bodies are compressed with snappy's
 * block format. Malformed bytes throw an OperatingError whose message goes to the client.
 */
export interface PrometheusCodec {
  decodeWrite(body: Uint8Array): Promise<PrometheusWrite>;
  decodeRead(body: Uint8Array): Promise<readonly PrometheusQuery[]>;
  /** A compressed ReadResponse, one result per query. */
  encodeRead(results: readonly (readonly SeriesColumns[])[]): Promise<Uint8Array>;
}
