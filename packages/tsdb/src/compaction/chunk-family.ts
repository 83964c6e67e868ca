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

/** Encodes samples of one series, ascending in time; after {@link finish} those of the next. */
export interface ChunkEncoder {
  /** Adds sample `index` of a run of the same family; gives the chunk before it when that is full. */
  add(run: SampleRun, index: number): EncodedChunk | null;
  /** The last chunk, or null when nothing was added. */
  finish(): EncodedChunk | null;
}

/**
 * One kind of samples with the chunk encodings that hold it. Everything that decodes or encodes a chunk while blocks are
 * rewritten goes through such a family; chunks that need no rewriting are copied as bytes, whatever their encoding.
 */
export interface ChunkFamily {
  readonly encodings: readonly number[];
  /** Throws CorruptionError. */
  decode(encoding: number, bytes: Uint8Array, place: () => string): SampleRun;
  createEncoder(): ChunkEncoder;
}
