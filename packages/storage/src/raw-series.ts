import type { Labels } from '@pollux/model';
import type { Annotation, ReadContext, SelectRequest, SeriesColumns } from './queryable.ts';

/**
 * Series whose samples are as the engine stores them, for its own reader in another thread: decoding costs that thread the
 * time, and what crosses is smaller.
 */
export type RawBatch = {
  readonly labels: readonly Labels[];
  /** Of what structured cloning takes. */
  readonly samples: unknown;
  /** Buffers of `samples` that may be given away instead of being copied. */
  readonly transfer: readonly ArrayBuffer[];
};

/** As a SeriesSource, of series that may turn out to have no sample. */
export interface RawSource {
  next(): Promise<RawBatch | null>;
  /** Complete once `next` gave null. */
  readonly warnings: readonly Annotation[];
  close(): void;
}

/** Makes series of the batches of one {@link RawSource}. */
export interface RawReader {
  /** Begins a batch, when all of the one before was read. */
  begin(labels: readonly Labels[], samples: unknown): void;
  /** Series as of {@link SeriesSource.next}; null at the end of the batch. Throws what the source would throw if it decoded. */
  next(): readonly SeriesColumns[] | null;
  /** Beside those of the source. */
  readonly warnings: readonly Annotation[];
  /** What was lent is no longer the caller's. */
  close(): void;
}

export type OpenRawReader = (request: SelectRequest, context: ReadContext) => RawReader;
