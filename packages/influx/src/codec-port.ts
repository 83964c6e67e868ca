import type { Matcher } from '@pollux/model';
import type { MetricMetadata, SampleColumns, SelectHints, SeriesColumns } from '@pollux/storage';

/** A remote-write body as columns, lent. */
export type PrometheusWrite = SampleColumns & { readonly metadata: readonly MetricMetadata[] };

export type PrometheusQuery = {
  readonly startMs: number;
  readonly endMs: number;
  readonly matchers: readonly Matcher[];
  readonly hints: SelectHints;
};

export type PrometheusRead = {
  readonly queries: readonly PrometheusQuery[];
  /** The client would rather have frames of chunks than samples. */
  readonly prefersChunks: boolean;
  readonly acceptsSamples: boolean;
};

/**
 * Prometheus' wire as this room needs it; `roles` binds the codecs of the remote room. Bodies are compressed with snappy's
 * block format. Malformed bytes throw an OperatingError whose message goes to the client.
 */
export interface PrometheusCodec {
  /**
   * Runs `use` on what the body holds and resolves with what it gives; the columns are lent while it runs, and bodies wait for
   * each other.
   */
  decodeWrite<T>(body: Uint8Array, use: (write: PrometheusWrite) => Promise<T>): Promise<T>;
  decodeRead(body: Uint8Array): Promise<PrometheusRead>;
  /** A compressed ReadResponse, one result per query. */
  encodeRead(results: readonly (readonly SeriesColumns[])[]): Promise<Uint8Array>;
  /** Frames of chunks that answer the only query of a request, each when it is full. */
  encodeChunks(batches: AsyncIterable<readonly SeriesColumns[]>): AsyncGenerator<Uint8Array, void>;
  /** Of {@link encodeChunks}. */
  readonly chunkedContentType: string;
}
