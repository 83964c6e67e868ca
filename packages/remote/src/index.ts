export { MAX_DECODED_BYTES, snappyDecode, snappyEncode } from './codec/snappy.ts';
export { BucketRows, type BucketWish } from './codec/v1/bucket-rows.ts';
export { ChunkFrameWriter } from './codec/v1/chunk-frames.ts';
export {
  CHUNKED_CONTENT_TYPE,
  ChunkedResponseReader,
  OWN_LABELS,
} from './codec/v1/chunked-response.ts';
export { decodeWriteRequest, type WriteRequestColumns } from './codec/v1/decode-write.ts';
export { type SampleRows, TimeSeriesEncoder } from './codec/v1/encode-write.ts';
export type { TimedHistogram } from './codec/v1/histogram.ts';
export { readLabelSpans } from './codec/v1/label-spans.ts';
export { type DecodedLabels, decodeLabels, encodeLabels } from './codec/v1/labels.ts';
export {
  decodeReadRequest,
  encodeReadRequest,
  type ReadQuery,
  type ReadRequest,
  type ResponseType,
} from './codec/v1/read-request.ts';
export {
  decodeReadResponse,
  encodeReadResponse,
  QueryResultEncoder,
} from './codec/v1/read-response.ts';
export { DecodedSeries, type ReadSeries, type SampleTarget } from './codec/v1/read-series.ts';
export { countWritten } from './codec/v2/count-written.ts';
export { NotSupportedError, RemoteReadError } from './errors.ts';
export { type RemoteReadConfig, remoteReadConfig, remoteReadConfigs } from './read/config.ts';
export { withoutExternal } from './read/external-labels.ts';
export { type ReadHandlerOptions, readHandler } from './read/read-handler.ts';
export { RemoteQueryable, type RemoteQueryableOptions } from './read/remote-queryable.ts';
export { SeriesCache } from './receive/series-cache.ts';
export { type WriteHandlerOptions, writeHandler } from './receive/write-handler.ts';
export {
  type NumberedRequest,
  WriteReader,
  type WriteReaderOptions,
} from './receive/write-reader.ts';
export { SamplesRefusedError, type Stored, storeRequest } from './receive/write-request.ts';
export { Backoff, retryAfterMs } from './write/backoff.ts';
export {
  type MetadataConfig,
  type QueueConfig,
  type RemoteWriteConfig,
  remoteWriteConfig,
  remoteWriteConfigs,
} from './write/config.ts';
export { CursorFile } from './write/cursor-file.ts';
export type { MetadataSource } from './write/metadata-sender.ts';
export {
  type DestinationStatus,
  RemoteWriter,
  type RemoteWriterOptions,
  type RemoteWriteSettings,
} from './write/remote-writer.ts';
export type { WalPort, WalPosition, WalRecord, WalSegmentReader } from './write/wal-port.ts';
export { type SendOutcome, WriteClient } from './write/write-client.ts';
