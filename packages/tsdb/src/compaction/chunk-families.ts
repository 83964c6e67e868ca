import { DecodeError } from '@pollux/base';
import {
  decodeHistograms,
  HISTOGRAM_ENCODING,
  type HistogramChunk,
  type HistogramColumns,
  HistogramWriter,
} from '@pollux/kernels';
import { CorruptionError, NotSupportedError } from '../errors.ts';
import type { ChunkEncoder, ChunkFamily, EncodedChunk, SampleRun } from './chunk-family.ts';
import { FLOAT_FAMILIES, FLOATS_WITH_START } from './float-families.ts';

/** Samples of a rewritten chunk, as Prometheus has them. */
const SAMPLES_PER_CHUNK = 120;

type HistogramRun = SampleRun & { readonly columns: HistogramColumns };

/** Native histograms, with or without start times: a series does not lose them by a rewrite. */
function histogramFamily(encodings: readonly number[], hasStartTimes: boolean): ChunkFamily {
  const family: ChunkFamily = {
    kind: 'histograms',
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

  add(run: SampleRun, index: number, isNext: boolean): EncodedChunk | null {
    const { columns, timestampsMs } = run as HistogramRun;
    const { isInteger, layout, values, starts, counterReset } = columns;
    const timestampMs = timestampsMs[index]!;
    const closed = this.#writer.append(
      {
        timestampMs,
        startTimestampMs: columns.startTimestampsMs?.[index] ?? 0,
        isInteger,
        // Within a chunk nothing is reset. What a chunk says is of its first sample, against the one before it.
        hint: counterReset === 'gauge' || (index === 0 && isNext) ? counterReset : 'unknown',
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

/** Of two of one kind the later one keeps all that the other one keeps. */
const FAMILIES: readonly ChunkFamily[] = [
  FLOAT_FAMILIES.xor,
  FLOAT_FAMILIES.dense,
  FLOATS_WITH_START,
  histogramFamily([integer, float], false),
  histogramFamily([integerWithStart, floatWithStart], true),
];

/** The family of an encoding. Throws NotSupportedError: such chunks can be copied, but not changed. */
export function familyOf(encoding: number, place: () => string): ChunkFamily {
  const family = FAMILIES.find(({ encodings }) => encodings.includes(encoding));
  if (family !== undefined) return family;
  throw new NotSupportedError(`changing chunks of encoding ${encoding} (${place()})`);
}

/** The one of two families of one kind that loses nothing of either. */
export function widerFamily(a: ChunkFamily, b: ChunkFamily): ChunkFamily {
  return FAMILIES.indexOf(a) < FAMILIES.indexOf(b) ? b : a;
}
