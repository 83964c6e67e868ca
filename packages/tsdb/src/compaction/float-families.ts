import { assert, DecodeError } from '@pollux/base';
import {
  createDenseEncoder,
  createXorEncoder,
  DENSE_UNFIT,
  denseEncode,
  denseMaxBytes,
  XOR_CUT_BYTES,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  Xor2Chunk,
  xorCount,
  xorEncode,
} from '@pollux/kernels';
import { CorruptionError, NotSupportedError } from '../errors.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import { decodeFloats, type FloatColumns } from '../format/float-chunk.ts';
import type { ChunkEncoder, ChunkFamily, EncodedChunk, SampleRun } from './chunk-family.ts';

/** Encodings in which floats are written. */
export type FloatEncoding = 'xor' | 'dense';

/** Samples of a chunk, as Prometheus has them. */
const XOR_SAMPLES = 120;
/** More make a chunk smaller, but all of it is decoded for each of its samples: this is half a day at 15 s. */
const DENSE_SAMPLES = 2_880;

type FloatRun = SampleRun & Pick<FloatColumns, 'words' | 'startTimestampsMs'>;

/** Floats in one encoding; a run of any of these families can be encoded by each. */
function floatFamily(encoding: number, createEncoder: () => ChunkEncoder): ChunkFamily {
  const family: ChunkFamily = {
    kind: 'floats',
    encodings: [encoding],
    decode(_encoding, bytes, place): FloatRun {
      try {
        const columns = decodeFloats(encoding, bytes, 0, bytes.length);
        assert(columns !== null, 'the encoding of a family of floats is one of floats');
        return { family, ...columns };
      } catch (cause) {
        if (!(cause instanceof DecodeError)) throw cause;
        throw new CorruptionError(place(), 'malformed chunk', { cause });
      }
    },
    createEncoder,
  };
  return family;
}

/** Holds the samples of a chunk until they are all there: whole chunks are encoded faster than sample by sample. */
class XorFloatEncoder implements ChunkEncoder {
  readonly #encoder = createXorEncoder();
  readonly #timestampsMs = new Float64Array(XOR_SAMPLES);
  readonly #words = new Uint32Array(XOR_SAMPLES * 2);
  readonly #bytes = new Uint8Array(XOR_MAX_BYTES + XOR_SAMPLE_MAX_BYTES);
  #count = 0;

  add(run: SampleRun, index: number): EncodedChunk | null {
    const { words } = run as FloatRun;
    const closed = this.#count === XOR_SAMPLES ? this.finish() : null;
    this.#timestampsMs[this.#count] = run.timestampsMs[index]!;
    this.#words[this.#count * 2] = words[index * 2]!;
    this.#words[this.#count * 2 + 1] = words[index * 2 + 1]!;
    this.#count++;
    return closed;
  }

  finish(): EncodedChunk | null {
    const held = this.#count;
    if (held === 0) return null;
    const bytes = this.#bytes;
    const times = this.#timestampsMs;
    const end = xorEncode(this.#encoder, times, this.#words, 0, held, bytes, 0);
    const samples = xorCount(bytes, 0);
    const [minMs, maxMs] = [times[0]!, times[samples - 1]!];
    // A chunk that was cut by its bytes leaves some for the next.
    times.copyWithin(0, samples, held);
    this.#words.copyWithin(0, samples * 2, held * 2);
    this.#count = held - samples;
    return { encoding: CHUNK_ENCODING.xor, bytes, start: 0, end, samples, minMs, maxMs };
  }
}

/** Keeps start timestamps. */
class Xor2Encoder implements ChunkEncoder {
  #chunk = new Xor2Chunk();
  #minMs = 0;

  add(run: SampleRun, index: number): EncodedChunk | null {
    const { words, startTimestampsMs } = run as FloatRun;
    const timestampMs = run.timestampsMs[index]!;
    const { count, byteLength } = this.#chunk;
    const closed = count >= XOR_SAMPLES || byteLength > XOR_CUT_BYTES ? this.finish() : null;
    if (this.#chunk.count === 0) this.#minMs = timestampMs;
    const startMs = startTimestampsMs?.[index] ?? 0;
    this.#chunk.append(timestampMs, words[index * 2]!, words[index * 2 + 1]!, startMs);
    return closed;
  }

  finish(): EncodedChunk | null {
    const { bytes, byteLength, count, lastTimestampMs } = this.#chunk;
    if (count === 0) return null;
    this.#chunk = new Xor2Chunk();
    const times = { minMs: this.#minMs, maxMs: lastTimestampMs };
    const encoding = CHUNK_ENCODING.xor2;
    return { encoding, bytes, start: 0, end: byteLength, samples: count, ...times };
  }
}

/** Holds the samples of a chunk until they are all there: the form of a dense chunk depends on all of them. */
class DenseFloatEncoder implements ChunkEncoder {
  readonly #encoder = createDenseEncoder();
  readonly #timestampsMs = new Float64Array(DENSE_SAMPLES);
  readonly #values = new Float64Array(DENSE_SAMPLES);
  readonly #words = new Uint32Array(this.#values.buffer);
  readonly #bytes = new Uint8Array(denseMaxBytes(DENSE_SAMPLES));
  #count = 0;

  add(run: SampleRun, index: number): EncodedChunk | null {
    const { words } = run as FloatRun;
    const closed = this.#count === DENSE_SAMPLES ? this.finish() : null;
    this.#timestampsMs[this.#count] = run.timestampsMs[index]!;
    this.#words[this.#count * 2] = words[index * 2]!;
    this.#words[this.#count * 2 + 1] = words[index * 2 + 1]!;
    this.#count++;
    return closed;
  }

  finish(): EncodedChunk | null {
    const samples = this.#count;
    if (samples === 0) return null;
    this.#count = 0;
    const bytes = this.#bytes;
    const columns = { timestampsMs: this.#timestampsMs, values: this.#values };
    const end = denseEncode(this.#encoder, columns, 0, samples, bytes, 0);
    if (end === DENSE_UNFIT) throw new NotSupportedError('a time beyond 2^50 ms in a dense chunk');
    const minMs = this.#timestampsMs[0]!;
    const maxMs = this.#timestampsMs[samples - 1]!;
    return { encoding: CHUNK_ENCODING.dense, bytes, start: 0, end, samples, minMs, maxMs };
  }
}

/** Each writes floats, and decodes its own encoding. */
export const FLOAT_FAMILIES: Readonly<Record<FloatEncoding, ChunkFamily>> = {
  xor: floatFamily(CHUNK_ENCODING.xor, () => new XorFloatEncoder()),
  dense: floatFamily(CHUNK_ENCODING.dense, () => new DenseFloatEncoder()),
};

/** Floats with start timestamps, which the others would lose. */
export const FLOATS_WITH_START = floatFamily(CHUNK_ENCODING.xor2, () => new Xor2Encoder());
