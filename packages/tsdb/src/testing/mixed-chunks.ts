import type { SeededRandom } from '@pollux/base';
import {
  createDenseEncoder,
  decodeHistograms,
  denseEncode,
  denseMaxBytes,
  type HistogramChunk,
  HistogramWriter,
  Xor2Chunk,
} from '@pollux/kernels';
import { histogramAt, sampleOf } from '@pollux/storage';
import { CHUNK_ENCODING, isHistogramEncoding } from '../format/chunk-file.ts';
import { decodeFloats } from '../format/float-chunk.ts';
import { type TestChunk, xorChunk } from './block-fixtures.ts';
import { HistogramSource, histogramText } from './histograms.ts';

const STALE = 0x7ff0000000000002n;
/** What a sample says, and its start timestamp, 0 where its chunk has none. */
export type Sample = { readonly atMs: number; readonly text: string; readonly startMs: number };
/** The samples of one series in one block, and how they are stored. */
export type Part = { readonly samples: readonly Sample[]; readonly chunks: readonly TestChunk[] };

const ENCODINGS = Object.values(CHUNK_ENCODING).filter((encoding) => encoding !== 0);

/** Chunks of random encodings one behind the other, on a grid of times that other blocks share. */
export function randomPart(random: SeededRandom, fromMs: number, toMs: number): Part {
  const part: { samples: Sample[]; chunks: TestChunk[] } = { samples: [], chunks: [] };
  const sources = new Map<number, HistogramSource>();
  let nextMs = fromMs;
  while (nextMs < toMs) {
    const encoding = ENCODINGS[random.below(ENCODINGS.length)]!;
    const timesMs: number[] = [];
    for (let count = 1 + random.below(40); count > 0 && nextMs < toMs; count--) {
      timesMs.push(nextMs);
      nextMs += 1000 * (1 + (random.below(4) === 0 ? random.below(5) : 0));
    }
    const startsMs = timesMs.map((at) => (random.below(3) === 0 ? 0 : at - random.below(90_000)));
    if (isHistogramEncoding(encoding)) {
      const isInteger = encoding === 2 || encoding === 5;
      const source =
        sources.get(encoding) ??
        new HistogramSource(random, { isInteger, isCustom: random.below(2) === 0 });
      sources.set(encoding, source);
      addHistograms(part, encoding, source, { timesMs, startsMs });
    } else {
      const bits = timesMs.map(() => randomBits(random));
      part.chunks.push(floatChunk(encoding, timesMs, startsMs, bits));
      for (const [i, atMs] of timesMs.entries()) {
        const startMs = encoding === CHUNK_ENCODING.xor2 ? startsMs[i]! : 0;
        part.samples.push({ atMs, text: bits[i]!.toString(16), startMs });
      }
    }
  }
  return part;
}

function randomBits(random: SeededRandom): bigint {
  if (random.below(8) === 0) return STALE;
  return (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
}

/** A chunk of floats with these bits. */
export function floatChunk(
  encoding: number,
  timesMs: readonly number[],
  startsMs: readonly number[],
  bits: readonly bigint[],
): TestChunk {
  const points = timesMs.map((timestampMs, i) => ({ timestampMs, bits: bits[i]! }));
  if (encoding === CHUNK_ENCODING.xor) return xorChunk(points);
  const times = { samples: points.length, minMs: timesMs[0]!, maxMs: timesMs.at(-1)! };
  if (encoding === CHUNK_ENCODING.xor2) {
    const chunk = new Xor2Chunk();
    for (const [i, { timestampMs, bits: value }] of points.entries()) {
      chunk.append(timestampMs, Number(value & 0xffffffffn), Number(value >> 32n), startsMs[i]!);
    }
    return { encoding, bytes: chunk.bytes.slice(0, chunk.byteLength), ...times };
  }
  const bytes = new Uint8Array(denseMaxBytes(points.length));
  const values = new Float64Array(new BigUint64Array(bits).buffer);
  const columns = { timestampsMs: Float64Array.from(timesMs), values };
  const end = denseEncode(createDenseEncoder(), columns, 0, points.length, bytes, 0);
  return { encoding, bytes: bytes.slice(0, end), ...times };
}

function addHistograms(
  part: { samples: Sample[]; chunks: TestChunk[] },
  encoding: number,
  source: HistogramSource,
  { timesMs, startsMs }: { readonly timesMs: number[]; readonly startsMs: readonly number[] },
): void {
  const hasStart = encoding === 5 || encoding === 6;
  const writer = new HistogramWriter(hasStart);
  let minMs = timesMs[0]!;
  const add = (chunk: HistogramChunk): void => {
    const bytes = chunk.bytes.slice(0, chunk.byteLength);
    const { count: samples, lastTimestampMs: maxMs } = chunk;
    part.chunks.push({ encoding: chunk.encoding, bytes, samples, minMs, maxMs });
  };
  for (const [i, atMs] of timesMs.entries()) {
    const histogram = source.next();
    const startMs = hasStart ? startsMs[i]! : 0;
    const closed = writer.append(sampleOf(histogram, atMs, startMs), false);
    if (closed !== null) {
      add(closed);
      minMs = atMs;
    }
    part.samples.push({ atMs, text: histogramText(histogram), startMs });
  }
  add(writer.open!);
}

/** What the samples of a chunk of any encoding say. */
export function decodeChunk(encoding: number, bytes: Uint8Array): Sample[] {
  const floats = decodeFloats(encoding, bytes, 0, bytes.length);
  if (floats !== null) {
    const bits = new BigUint64Array(floats.words.buffer);
    return Array.from({ length: floats.count }, (_, i) => ({
      atMs: floats.timestampsMs[i]!,
      text: bits[i]!.toString(16),
      startMs: floats.startTimestampsMs?.[i] ?? 0,
    }));
  }
  const columns = decodeHistograms(bytes, 0, bytes.length, encoding);
  return Array.from({ length: columns.count }, (_, i) => ({
    atMs: columns.timestampsMs[i]!,
    text: histogramText(histogramAt(columns, i, 'unknown')),
    startMs: columns.startTimestampsMs?.[i] ?? 0,
  }));
}
