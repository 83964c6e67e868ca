/** Samples of a chunk, ascending; what is beside the times is its family's own. */
export type SampleRun = {
  /** Who decoded it, and can encode it. */
  readonly family: ChunkFamily;
  readonly count: number;
  readonly timestampsMs: Float64Array;
};

/** A new chunk; the bytes are lent until the next call of its encoder. */
export type EncodedChunk = {
  readonly encoding: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly samples: number;
  readonly minMs: number;
  readonly maxMs: number;
};

/** What a chunk holds; a chunk holds one kind. */
export type SampleKind = 'floats' | 'histograms';

/** Encodes samples of one series, ascending in time; after {@link finish} those of the next. */
export interface ChunkEncoder {
  /**
   * Adds sample `index` of a run of the same kind; gives the chunk before it when that is full. `isNext`: the sample that
   * was added before is the one before it in its source too, so that what the source says of the change between them holds.
   */
  add(run: SampleRun, index: number, isNext: boolean): EncodedChunk | null;
  /** A chunk of what was added last, or null when nothing is left: to be asked until then. */
  finish(): EncodedChunk | null;
}

/**
 * One kind of samples with the chunk encodings that hold it. Everything that decodes or encodes a chunk while blocks are
 * rewritten goes through such a family; chunks that need no rewriting are copied as bytes, whatever their encoding.
 */
export interface ChunkFamily {
  readonly kind: SampleKind;
  readonly encodings: readonly number[];
  /** Throws CorruptionError. */
  decode(encoding: number, bytes: Uint8Array, place: () => string): SampleRun;
  createEncoder(): ChunkEncoder;
}
