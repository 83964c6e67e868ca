import { DecodeError } from '@pollux/base';
import {
  createXorAppendState,
  decodeHistograms,
  HISTOGRAM_ENCODING,
  type HistogramChunk,
  type HistogramColumns,
  HistogramWriter,
  resetXorAppend,
  XOR_CUT_BYTES,
  XOR_MALFORMED,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  xorAppend,
  xorByteLength,
  xorCount,
  xorDecode,
} from '@pollux/kernels';
import { CorruptionError, NotSupportedError } from '../errors.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';

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

/** Samples of a rewritten chunk, as Prometheus has them. */
const SAMPLES_PER_CHUNK = 120;

type FloatRun = SampleRun & { readonly words: Uint32Array };

const floats: ChunkFamily = {
  encodings: [CHUNK_ENCODING.xor],
  decode(_encoding, bytes, place): FloatRun {
    const claimed = bytes.length < 2 ? 0 : xorCount(bytes, 0);
    // Each sample after the first takes at least two bits.
    if (claimed > bytes.length * 8) throw new CorruptionError(place(), 'malformed chunk');
    const timestampsMs = new Float64Array(claimed);
    const words = new Uint32Array(claimed * 2);
    const count = xorDecode(bytes, 0, bytes.length, timestampsMs, words, 0);
    if (count === XOR_MALFORMED) throw new CorruptionError(place(), 'malformed chunk');
    return { family: floats, count, timestampsMs, words };
  },
  createEncoder: () => new XorEncoder(),
};

class XorEncoder implements ChunkEncoder {
  readonly #state = createXorAppendState(1);
  /** Two chunks by turns: one is lent while the next is begun. */
  readonly #buffers = [0, 1].map(() => new Uint8Array(XOR_MAX_BYTES + XOR_SAMPLE_MAX_BYTES * 2));
  #turn = 0;
  #minMs = 0;

  add(run: SampleRun, index: number): EncodedChunk | null {
    const { words } = run as FloatRun;
    const timestampMs = run.timestampsMs[index]!;
    const state = this.#state;
    const isFull =
      state.count[0]! >= SAMPLES_PER_CHUNK ||
      (state.count[0]! > 0 && xorByteLength(state, 0) > XOR_CUT_BYTES);
    const closed = isFull ? this.finish() : null;
    if (state.count[0] === 0) this.#minMs = timestampMs;
    xorAppend(
      state,
      0,
      this.#buffers[this.#turn]!,
      0,
      timestampMs,
      words[index * 2]!,
      words[index * 2 + 1]!,
    );
    return closed;
  }

  finish(): EncodedChunk | null {
    const state = this.#state;
    const samples = state.count[0]!;
    if (samples === 0) return null;
    const chunk: EncodedChunk = {
      encoding: CHUNK_ENCODING.xor,
      bytes: this.#buffers[this.#turn]!,
      start: 0,
      end: xorByteLength(state, 0),
      samples,
      minMs: this.#minMs,
      maxMs: state.lastTimestampMs[0]!,
    };
    resetXorAppend(state, 0);
    this.#turn = 1 - this.#turn;
    return chunk;
  }
}

type HistogramRun = SampleRun & { readonly columns: HistogramColumns };

/** Native histograms, with or without start times: a series does not lose them by a rewrite. */
function histogramFamily(encodings: readonly number[], hasStartTimes: boolean): ChunkFamily {
  const family: ChunkFamily = {
    encodings,
    decode(encoding, bytes, place): HistogramRun {
      try {
        const columns = decodeHistograms(bytes, 0, bytes.length, encoding);
        const { count, timestampsMs } = columns;
        return { family, count, timestampsMs, columns };
      } catch (cause) {
        if (!(cause instanceof DecodeError)) throw cause;
        throw new CorruptionError(place(), 'malformed chunk', { cause });
      }
    },
    createEncoder: () => new HistogramEncoder(hasStartTimes),
  };
  return family;
}

class HistogramEncoder implements ChunkEncoder {
  readonly #hasStartTimes: boolean;
  #writer: HistogramWriter;
  #minMs = 0;
  #samples = 0;

  constructor(hasStartTimes: boolean) {
    this.#hasStartTimes = hasStartTimes;
    this.#writer = new HistogramWriter(hasStartTimes);
  }

  add(run: SampleRun, index: number): EncodedChunk | null {
    const { columns, timestampsMs } = run as HistogramRun;
    const { isInteger, layout, values, starts, counterReset } = columns;
    const timestampMs = timestampsMs[index]!;
    const closed = this.#writer.append(
      {
        timestampMs,
        startTimestampMs: columns.startTimestampsMs?.[index] ?? 0,
        isInteger,
        // Within a chunk nothing is reset; what a chunk says holds for its first sample.
        hint: index === 0 || counterReset === 'gauge' ? counterReset : 'unknown',
        layout,
        values,
        start: starts[index]!,
      },
      this.#samples >= SAMPLES_PER_CHUNK,
    );
    const chunk = closed === null ? null : this.#encoded(closed);
    if (closed !== null) this.#samples = 0;
    if (this.#samples++ === 0) this.#minMs = timestampMs;
    return chunk;
  }

  finish(): EncodedChunk | null {
    const { open } = this.#writer;
    if (open === null) return null;
    const chunk = this.#encoded(open);
    this.#writer = new HistogramWriter(this.#hasStartTimes);
    this.#samples = 0;
    return chunk;
  }

  #encoded(chunk: HistogramChunk): EncodedChunk {
    const { encoding, bytes, byteLength, lastTimestampMs } = chunk;
    const samples = this.#samples;
    const minMs = this.#minMs;
    return { encoding, bytes, start: 0, end: byteLength, samples, minMs, maxMs: lastTimestampMs };
  }
}

const { integer, float, integerWithStart, floatWithStart } = HISTOGRAM_ENCODING;

const FAMILIES: readonly ChunkFamily[] = [
  floats,
  histogramFamily([integer, float], false),
  histogramFamily([integerWithStart, floatWithStart], true),
];

/** The family of an encoding. Throws NotSupportedError: such chunks can be copied, but not changed. */
export function familyOf(encoding: number, place: () => string): ChunkFamily {
  const family = FAMILIES.find(({ encodings }) => encodings.includes(encoding));
  if (family !== undefined) return family;
  throw new NotSupportedError(`changing chunks of encoding ${encoding} (${place()})`);
}
