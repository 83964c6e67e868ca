import type { Labels } from '@pollux/model';
import type { Annotation, ReadContext, SelectRequest, SeriesColumns } from './queryable.ts';

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
