import type { Exemplar, FloatHistogram, Labels } from '@pollux/model';

/** A place in the log: byte `offset` of segment `segment`, always between two records. */
export type WalPosition = { readonly segment: number; readonly offset: number };

/** A decoded log record. Columns are lent until the reader's next call. */
export type WalRecord =
  | {
      readonly kind: 'series';
      readonly series: readonly { readonly ref: number; readonly labels: Labels }[];
    }
  | {
      readonly kind: 'samples';
      readonly count: number;
      readonly refs: Uint32Array;
      readonly timestampsMs: Float64Array;
      /** Two words a sample, the low one first: NaN payloads by bits. */
      readonly valueWords: Uint32Array;
    }
  | {
      readonly kind: 'histograms';
      readonly histograms: readonly {
        readonly ref: number;
        readonly timestampMs: number;
        readonly histogram: FloatHistogram;
      }[];
    }
  | {
      readonly kind: 'exemplars';
      readonly exemplars: readonly { readonly ref: number; readonly exemplar: Exemplar }[];
    }
  /** Tombstones, metadata and whatever else is no business of a remote store. */
  | { readonly kind: 'other' };

/** Reads the records of one segment file in order. */
export interface WalSegmentReader {
  /** The end of the last record read. */
  readonly offset: number;
  /**
   * The next record that ends at or before byte `limit`, or null when there is none. Synchronous. Throws an
   * OperatingError on a damaged record.
   */
  next(limit: number): WalRecord | null;
  close(): void;
}

/**
 * What the sender needs of the write-ahead log, declared here and bound by `roles` to the database. Segments are files
 * named by their number (`%08d`) in `directory`, checkpoints directories `checkpoint.%08d` of such files: checkpoint N
 * holds what is still alive of segments 0..N. Files are only ever appended to, so a hard link keeps all that is needed.
 */
export interface WalPort {
  readonly directory: string;
  /** How far records are whole and written; the segment is the one being appended to. */
  tail(): WalPosition;
  /** Opens a segment file (of `directory` or a hard link of one) at the end of a record, or at 0. */
  openSegment(path: string, offset: number): WalSegmentReader;
  /** Calls back, cheaply and often, after records were written. The returned function ends it. */
  onAppend(listener: () => void): () => void;
  /**
   * Calls back, synchronously, before segments or checkpoints are unlinked; a new checkpoint is in place by then. The
   * returned function ends it.
   */
  beforeDelete(hook: () => void): () => void;
}

export function comparePositions(a: WalPosition, b: WalPosition): number {
  return a.segment - b.segment || a.offset - b.offset;
}

export function segmentName(index: number): string {
  return String(index).padStart(8, '0');
}

/** The number in a segment's file name, or −1. */
export function segmentIndexOf(name: string): number {
  return /^\d{8,}$/.test(name) ? Number(name) : -1;
}

export function checkpointName(index: number): string {
  return `checkpoint.${segmentName(index)}`;
}

/** The number in a checkpoint's directory name, or −1 (also for unfinished ones). */
export function checkpointIndexOf(name: string): number {
  const match = /^checkpoint\.(\d{6,})$/.exec(name);
  return match === null ? -1 : Number(match[1]);
}
