import type { BlockCompaction } from '../format/meta.ts';
import type { PackedExpiry } from '../retention/expiry.ts';
import type { FloatEncoding } from './float-families.ts';

/** What a worker needs to write one block: names and settings; it reads the parents itself. */
export type CompactionJob = {
  /** Where the new block is written, and its name. */
  readonly directory: string;
  readonly ulid: string;
  /** Directories of the parents in the order in which a query reads them. */
  readonly parents: readonly string[];
  readonly compaction: BlockCompaction;
  readonly expiry: PackedExpiry | null;
  readonly floats: FloatEncoding | null;
};

export type CompactionNews =
  /** Series written so far; at most once a second. */
  | { readonly kind: 'progress'; readonly series: number }
  /** The block's temporary directory; null when no sample is left. */
  | { readonly kind: 'done'; readonly path: string | null };
