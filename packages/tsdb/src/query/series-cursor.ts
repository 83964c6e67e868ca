import type { Labels } from '@pollux/model';
import type { ColumnBuilder } from './column-builder.ts';

/** Walks the matching series of one head or block in the order of their labels. Synchronous. */
export interface SeriesCursor {
  /** Labels of the series it stands on, null at the end. */
  readonly labels: Labels | null;
  advance(): void;
  /** True when the series may have samples in the range; reads no chunk. */
  hasSamples(): boolean;
  /** Adds the series' samples to the builder. */
  read(target: ColumnBuilder): void;
  /** Lets go of what keeps the source alive. Idempotent. */
  close(): void;
}
